"""The card and the pictures of an export, from real files of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.evaluation.predictions import Predictions, save_predictions
from ssl_ecg_hf.evaluation.report import evaluate_predictions, save_metrics
from ssl_ecg_hf.hub_export.card import read_measurements, write_card
from ssl_ecg_hf.hub_export.checkpoint import load_feature_extractor, load_source
from ssl_ecg_hf.hub_export.manifest import ExportError
from ssl_ecg_hf.modeling import SslEcgForSimCLR


def predictions(first_id: int) -> Predictions:
    rng = np.random.default_rng(first_id)
    ids = np.arange(first_id, first_id + 40)
    return Predictions(labels=rng.integers(0, 2, (40, 5)), logits=rng.normal(size=(40, 5)), record_ids=ids)


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """A folder with metrics.json and the predictions that it was computed from."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    run = {"dataset": {"name": "PTB-XL", "public": "ptb-xl", "simulated": False}, "labels": {"fraction": 0.1},
           "arguments": {"seed": 0}}  # fmt: skip
    metrics = evaluate_predictions(
        test=predictions(0), validation=predictions(100), class_names=SUPERCLASSES, run=run, draws=5
    )
    save_metrics(folder / "metrics.json", metrics)
    save_predictions(folder / "predictions_test.npz", predictions(0))
    return folder


@pytest.fixture
def card_of(tmp_path: Path) -> Callable[..., tuple[str, set[str]]]:
    def write(checkpoint: Path, metrics: Path | None = None, **how: Any) -> tuple[str, set[str]]:
        """The card, and the names of its pictures."""
        folder = tmp_path / "export"
        folder.mkdir()
        model = load_source(checkpoint)
        extractor = load_feature_extractor(checkpoint, model.config)
        signal = np.sin(np.arange(12 * extractor.num_samples).reshape(12, -1) / 7).astype(np.float32)
        measured = read_measurements(metrics, how.pop("experiments", None))
        defaults = {"own_example": False, "recipe": None, "repo_id": "user/model", "onnx": None}
        write_card(folder, model, extractor, signal, measured=measured, **{**defaults, **how})
        return (folder / "README.md").read_text(encoding="utf-8"), {
            path.name for path in (folder / "pictures").iterdir()
        }

    return write


def test_a_classifier_shows_its_curves_and_explains_its_classes(
    classifier_checkpoint: Path, evaluation: Path, card_of: Callable[..., Any]
) -> None:
    card, pictures = card_of(classifier_checkpoint, evaluation / "metrics.json")
    assert pictures == {"example_ecg.png", "roc.png", "precision_recall.png", "reliability.png"}
    for name in pictures:
        assert f"](pictures/{name})" in card
    assert "| MI | myocardial infarction |" in card  # known of PTB-XL, though these metrics do not say it
    assert "Simulated normal ECG" in card


def test_without_predictions_there_are_no_curves(
    classifier_checkpoint: Path, evaluation: Path, card_of: Callable[..., Any]
) -> None:
    (evaluation / "predictions_test.npz").unlink()
    card, pictures = card_of(classifier_checkpoint, evaluation / "metrics.json", own_example=True)
    assert pictures == {"example_ecg.png"}
    assert "roc.png" not in card
    assert "![Example recording on ECG paper]" in card
    assert "It was computed" not in card


def test_curves_of_another_evaluation_are_refused(
    classifier_checkpoint: Path, evaluation: Path, card_of: Callable[..., Any]
) -> None:
    save_predictions(evaluation / "predictions_test.npz", predictions(200))
    with pytest.raises(ValueError, match=r"not those that metrics\.json was computed from"):
        card_of(classifier_checkpoint, evaluation / "metrics.json")


def test_a_table_of_experiments_must_hold_the_run(
    classifier_checkpoint: Path, evaluation: Path, tmp_path: Path, card_of: Callable[..., Any]
) -> None:
    own = json.loads((evaluation / "metrics.json").read_text(encoding="utf-8"))["test"]["macro"]
    values = {key: {"values": [own[key]], "mean": own[key], "low": None, "high": None, "seeds": 1}
              for key in ("auroc", "auprc")}  # fmt: skip
    row = {"method": "SimCLR", "label_fraction": 0.1, "seeds": [0], "test_auroc": values["auroc"],
           "test_auprc": values["auprc"]}  # fmt: skip
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"rows": [row, row | {"label_fraction": 1.0}], "unfinished": 0}))
    card, pictures = card_of(classifier_checkpoint, evaluation / "metrics.json", experiments=path)
    assert "label_efficiency.png" in pictures
    assert "a run of “SimCLR”" in card
    with pytest.raises(ExportError, match=r"without a metrics\.json"):
        read_measurements(None, path)


def test_a_pretraining_checkpoint_shows_the_example_alone(
    save_checkpoint: Callable[..., Path], card_of: Callable[..., Any]
) -> None:
    card, pictures = card_of(save_checkpoint(SslEcgForSimCLR, num_samples=200))
    assert pictures == {"example_ecg.png"}
    assert "The mean over frames" in card
    assert "Here with other options" in card
    assert "up to rounding" not in card
