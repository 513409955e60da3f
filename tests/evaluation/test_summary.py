from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.seeds import compare_seeds, summarize_seeds
from ssl_ecg_hf.evaluation.summary import Run, summarize

LABELS = np.random.default_rng(0).integers(0, 2, (120, 2))


def run(method: str, seed: int, *, skill: float, fraction: float = 0.1, **columns: Any) -> Run:
    rng = np.random.default_rng([seed, int(1000 * skill)])
    ids = np.arange(len(LABELS))
    given: dict[str, Any] = {"record_ids": ids, "patient_ids": ids // 2, **columns}
    test = Predictions(labels=LABELS, logits=skill * LABELS + rng.normal(size=LABELS.shape), **given)
    auroc = macro_auroc(test.labels, test.scores)
    assert auroc is not None
    metrics = {
        "test": {"records": len(LABELS), "macro": {"auroc": auroc, "f1": 0.5 + seed / 10, "auprc": 0.25}},
        "validation": {"macro": {"auroc": 0.75}},
        "run": {"dataset": {"name": "made up", "note": "Nothing is missing."}},
    }
    return Run(method=method, label_fraction=fraction, seed=seed, metrics=metrics, test=test)


def test_rows_give_mean_spread_and_student_interval() -> None:
    runs = [run("A", seed, skill=1.0) for seed in (2, 0, 1)]
    (row,) = summarize(runs, [])["rows"]
    assert (row["method"], row["label_fraction"], row["test_records"]) == ("A", 0.1, 120)
    assert row["seeds"] == [0, 1, 2]
    assert row["test_f1"]["values"] == pytest.approx([0.5, 0.6, 0.7])
    assert row["test_f1"]["mean"] == pytest.approx(0.6)
    assert row["test_f1"]["std"] == pytest.approx(0.1)
    # Student's t with two degrees of freedom: 4.302653 standard errors.
    assert row["test_f1"]["high"] - 0.6 == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)
    assert row["validation_auroc"]["std"] == 0
    assert row["test_auprc"]["mean"] == 0.25
    assert summarize(runs, [])["data"] == ["Nothing is missing."]


def test_one_seed_has_no_spread() -> None:
    (row,) = summarize([run("A", 0, skill=1.0)], [])["rows"]
    assert (row["test_auroc"]["std"], row["test_auroc"]["low"], row["test_auroc"]["high"]) == (
        None,
        None,
        None,
    )


def test_comparison_is_of_the_means_over_seeds_and_holm_corrected() -> None:
    runs = [
        run(method, seed, skill=skill)
        for method, skill in (("strong", 3.0), ("weak", 0.3), ("twin", 0.31))
        for seed in (0, 1, 2)
    ]
    summary = summarize(runs, [("strong", "weak"), ("weak", "strong"), ("twin", "weak")])
    better, worse, equal = summary["comparisons"]
    mean = {row["method"]: row["test_auroc"]["mean"] for row in summary["rows"]}
    assert better["difference"] == pytest.approx(mean["strong"] - mean["weak"], abs=1e-9)
    assert worse["difference"] == pytest.approx(-better["difference"], abs=1e-9)
    assert better["low"] < better["difference"] < better["high"]
    assert [entry["verdict"] for entry in (better, worse, equal)] == [
        "better",
        "worse",
        "not distinguishable",
    ]
    assert better["low"] > 0 > worse["high"]
    smallest = min(entry["p"] for entry in summary["comparisons"])
    assert min(entry["p_holm"] for entry in summary["comparisons"]) == pytest.approx(3 * smallest)


def test_methods_are_compared_where_both_were_run() -> None:
    runs = [run("A", 0, skill=1.0), run("B", 0, skill=1.0), run("A", 0, skill=2.0, fraction=1.0)]
    summary = summarize(runs, [("A", "B"), ("A", "missing")])
    assert [entry["label_fraction"] for entry in summary["comparisons"]] == [0.1]
    assert len(summary["rows"]) == 3


def test_methods_are_compared_over_the_seeds_of_both() -> None:
    runs = [
        run(name, seed, skill=1.0) for name, seeds in (("A", (0, 1, 2)), ("B", (1, 2, 3))) for seed in seeds
    ]
    assert [entry["seeds"] for entry in summarize(runs, [("A", "B")])["comparisons"]] == [[1, 2]]
    assert summarize([run("A", 0, skill=1.0), run("B", 1, skill=1.0)], [("A", "B")])["comparisons"] == []


def test_where_classes_are_too_rare_for_draws_there_is_no_verdict() -> None:
    labels = np.zeros((120, 2), dtype=int)
    labels[3, 0] = labels[50, 1] = 1  # in about 40 % of the draws both are there
    pair = []
    for method in ("A", "B"):
        one = run(method, 0, skill=1.0 if method == "A" else 0.5)
        test = Predictions(labels=labels, logits=one.test.logits, record_ids=np.arange(120))
        pair.append(Run(method=method, label_fraction=0.1, seed=0, metrics=one.metrics, test=test))
    others = [run(method, 0, skill=skill, fraction=0.5) for method, skill in (("A", 3.0), ("B", 0.1))]
    rare, usual = summarize([*pair, *others], [("A", "B")])["comparisons"]
    assert (rare["label_fraction"], usual["label_fraction"]) == (0.1, 0.5)
    assert (rare["low"], rare["p"], rare["p_holm"], rare["verdict"]) == (None, None, None, "not measured")
    assert np.isfinite(rare["difference"])
    assert usual["verdict"] == "better"
    assert usual["p_holm"] == usual["p"]  # the only test


def test_runs_that_cannot_be_compared_are_refused() -> None:
    other = run("B", 0, skill=1.0, record_ids=np.arange(1000, 1120))
    with pytest.raises(ValueError, match="'B', seed 0, was tested on other records than 'A'"):
        summarize([run("A", 0, skill=1.0), other], [("A", "B")])


def split_run(method: str, seed: int, *, skill: float) -> Run:
    """A run whose seed chose the test records: some of them, not the same for every seed."""
    return run(method, seed, skill=skill, record_ids=np.arange(120) + 1000 * seed)


def test_splits_are_compared_by_the_corrected_t_test() -> None:
    runs = [
        split_run(method, seed, skill=skill)
        for method, skill in (("strong", 3.0), ("weak", 0.3))
        for seed in range(5)
    ]
    summary = summarize(runs, [("strong", "weak")], shares=(0.8, 0.1, 0.1))
    values = [row["test_auroc"]["values"] for row in summary["rows"]]
    expected = compare_seeds(*values, overlap=0.125)
    (found,) = summary["comparisons"]
    assert found["difference"] == pytest.approx(np.mean(values[0]) - np.mean(values[1]))
    assert (found["low"], found["high"]) == (expected.difference.low, expected.difference.high)
    assert (found["p"], found["p_holm"], found["verdict"]) == (expected.p_value, expected.p_value, "better")
    assert found["seeds"] == [0, 1, 2, 3, 4]
    row = summary["rows"][0]["test_auroc"]
    assert row["high"] == summarize_seeds(row["values"], overlap=0.125).high
    assert summary["resplit"] == {"shares": [0.8, 0.1, 0.1], "overlap": 0.125, "test_records": [120, 120]}
    assert "resplit" not in summarize([run("A", 0, skill=1.0)], [])


def test_one_split_is_no_comparison() -> None:
    runs = [split_run("A", 0, skill=1.0), split_run("B", 0, skill=2.0)]
    assert summarize(runs, [("A", "B")], shares=(0.8, 0.1, 0.1))["comparisons"] == []


def test_methods_must_share_the_split_of_a_seed() -> None:
    runs = [split_run(name, seed, skill=1.0) for name in "AB" for seed in range(2)]
    runs[-1] = run("B", 1, skill=1.0)
    with pytest.raises(ValueError, match="'B', seed 1, was tested on other records than 'A'"):
        summarize(runs, [("A", "B")], shares=(0.8, 0.1, 0.1))
