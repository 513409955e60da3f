from __future__ import annotations

from ssl_ecg_hf.evaluation.table import align, metrics_table

ZERO = {"brier": 0.1, "ece": 0.05, "sensitivity": 0.5, "specificity": 0.9}


def test_columns_are_aligned() -> None:
    rows = [["recording", "p"], ["a", "0.125"], ["longer name", "1"]]
    assert align(rows) == "recording        p\na            0.125\nlonger name      1"


def test_metrics_class_by_class() -> None:
    metrics = {
        "run": {"dataset": {"name": "PTB-XL"}},
        "test": {
            "records": 12,
            "per_class": {
                "NORM": {"support": 9, "auroc": 0.91234, "auprc": 0.8, "f1": 0.7, **ZERO},
                "MI": {"support": 0, "auroc": None, "auprc": None, "f1": None, **ZERO, "sensitivity": None},
            },
            "macro": {"auroc": 0.91234, "auprc": 0.8, "f1": 0.7},
        },
        "intervals": {
            "confidence": 0.95,
            "auroc": {"macro": {"estimate": 0.91234, "low": 0.8996, "high": 0.925}},
        },
    }
    assert metrics_table(metrics).splitlines() == [
        "PTB-XL, test split, 12 recordings",
        "class  support  AUROC  AUPRC     F1  sensitivity  specificity  BRIER    ECE",
        "NORM         9  0.912  0.800  0.700        0.500        0.900  0.100  0.050",
        "MI           0      -      -      -            -        0.900  0.100  0.050",
        "macro       12  0.912  0.800  0.700            -            -      -      -",
        "macro AUROC 0.912, 95 % interval 0.900 to 0.925 (bootstrap by patient)",
    ]
