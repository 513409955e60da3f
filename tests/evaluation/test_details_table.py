from __future__ import annotations

from typing import Any

import pytest

from ssl_ecg_hf.evaluation.details_table import details_table
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.summary import Run

TEST = Predictions(labels=[[0, 1]], logits=[[0.0, 1.0]])


def run(method: str, seed: int, auroc: float, *, fraction: float = 0.1, young: float | None = None) -> Run:
    metrics: dict[str, Any] = {
        "subgroups": {
            "age": {
                "0 to 39": {"records": 30, "macro_auroc": young},
                "40 to 59": {"records": 40, "macro_auroc": auroc},
                "unknown": {"records": 3, "macro_auroc": None},
            },
            "sex": {"female": {"records": 50, "macro_auroc": auroc - 0.1}},
        },
        "test": {"per_class": {"MI": {"support": 20, "auroc": auroc}}, "macro": {"brier": 0.1}},
        "calibration": {"macro_ece": 0.05, "macro_ece_with_temperature": 0.04, "temperature": 1.5},
    }
    return Run(method=method, label_fraction=fraction, seed=seed, metrics=metrics, test=TEST)


def test_means_over_seeds_by_subgroup_class_and_calibration() -> None:
    runs = [run("A", 0, 0.8, young=0.7), run("A", 1, 0.9), run("B", 0, 0.5, young=0.6)]
    runs.append(run("A", 0, 0.1, fraction=1.0))
    assert details_table(runs, label_fraction=0.1).splitlines() == [
        "10 % of the labels, means over seeds.",
        "",
        "Macro AUROC by sex and age; the records of a group in brackets:",
        "",
        "| method | female (50) | 0 to 39 years (30) | 40 to 59 years (40) |",
        "| --- | --- | --- | --- |",
        "| A | 0.750 | - | 0.850 |",
        "| B | 0.400 | 0.600 | 0.500 |",
        "",
        "AUROC by class; its positive records in brackets:",
        "",
        "| method | MI (20) |",
        "| --- | --- |",
        "| A | 0.850 |",
        "| B | 0.500 |",
        "",
        "Calibration; one temperature for all classes, fitted on fold 9 or the validation split:",
        "",
        "| method | Brier | ECE | ECE with temperature | temperature |",
        "| --- | --- | --- | --- | --- |",
        "| A | 0.100 | 0.050 | 0.040 | 1.500 |",
        "| B | 0.100 | 0.050 | 0.040 | 1.500 |",
    ]


def test_a_fraction_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no run with the label fraction 0\.5"):
        details_table([run("A", 0, 0.8)], label_fraction=0.5)
