from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import TrainingArguments

from ssl_ecg_hf.evaluation.pictures import (
    DEFAULT_SEED,
    check_predictions,
    draw_example,
    draw_label_efficiency,
    draw_results,
    find_run,
)
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.report import evaluate_predictions, load_metrics, save_metrics

NAMES = ["A", "B", "never"]
LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]


def predictions(seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (60, 3))
    labels[:, 2] = 0
    ids = np.arange(60) + 100 * seed
    return Predictions(labels=labels, logits=rng.normal(size=(60, 3)) + labels, record_ids=ids)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """As they are read back: with six digits."""
    path = tmp_path_factory.mktemp("metrics") / "metrics.json"
    run = {"dataset": {"name": "numbers", "simulated": True}, "labels": {"fraction": 0.1},
           "arguments": {"seed": 3}}  # fmt: skip
    found = evaluate_predictions(
        test=predictions(0), validation=predictions(1), class_names=NAMES, run=run, draws=10
    )
    save_metrics(path, found)
    return load_metrics(path)


def test_curves_are_drawn_from_the_predictions_that_gave_the_numbers(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    assert draw_results(tmp_path, predictions(0), metrics) == [
        "roc.png", "precision_recall.png", "reliability.png",
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        "roc.png", "precision_recall.png", "reliability.png",
    }  # fmt: skip


def test_predictions_of_another_evaluation_are_not_drawn(metrics: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not those that metrics\.json was computed from"):
        draw_results(tmp_path, predictions(2), metrics)
    assert list(tmp_path.iterdir()) == []
    own = predictions(0)
    nearly = dataclasses.replace(own, logits=own.logits + np.eye(60, 3) * 0.01)
    with pytest.raises(ValueError, match="run ssl-ecg evaluate again"):
        check_predictions(nearly, metrics)
    with pytest.raises(ValueError, match="run ssl-ecg evaluate again"):
        check_predictions(Predictions(labels=own.labels[:, :2], logits=own.logits[:, :2]), metrics)


def test_an_example_is_drawn_with_or_without_twelve_leads_and_classes(tmp_path: Path) -> None:
    signal = np.sin(np.arange(12 * 400).reshape(12, 400) / 9)
    name = draw_example(
        tmp_path, signal, sampling_rate=100, leads=LEADS, title="Twelve", probabilities={"A": 0.1, "B": 0.9}
    )
    assert name == "example_ecg.png"
    with_findings = (tmp_path / name).read_bytes()
    draw_example(tmp_path, signal, sampling_rate=100, leads=LEADS, title="Twelve")
    assert (tmp_path / name).read_bytes() != with_findings
    draw_example(tmp_path, signal[:2], sampling_rate=100, leads=["II", "V1"], title="Two")


def table(metrics: dict[str, Any]) -> dict[str, Any]:
    def row(method: str, fraction: float, auroc: float) -> dict[str, Any]:
        auprc = metrics["test"]["macro"]["auprc"]
        return {
            "method": method, "label_fraction": fraction, "seeds": [2, 3], "test_records": 60,
            "test_auroc": {"values": [0.5, auroc], "mean": (0.5 + auroc) / 2, "low": None, "high": None},
            "test_auprc": {"values": [0.5, auprc]},
        }  # fmt: skip

    own = metrics["test"]["macro"]["auroc"]
    return {"rows": [row("other", 0.1, own + 0.01), row("all labels", 1.0, own), row("own", 0.1, own)]}


def test_a_run_is_found_in_its_table_by_its_numbers(metrics: dict[str, Any], tmp_path: Path) -> None:
    summary = json.loads(json.dumps(table(metrics)))
    assert find_run(summary, metrics)["method"] == "own"
    assert draw_label_efficiency(tmp_path, summary) == "label_efficiency.png"
    by_default = copy.deepcopy(metrics)
    del by_default["run"]["arguments"]["seed"]
    with_default = json.loads(json.dumps(summary).replace("[2, 3]", f"[2, {DEFAULT_SEED}]"))
    assert find_run(with_default, by_default)["method"] == "own"
    assert TrainingArguments.seed == DEFAULT_SEED
    other = copy.deepcopy(metrics)
    other["run"]["arguments"]["seed"] = 2  # whose numbers these are not
    with pytest.raises(ValueError, match=r"no run with label fraction 0\.1, seed 2"):
        find_run(summary, other)
