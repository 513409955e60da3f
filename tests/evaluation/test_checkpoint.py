from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import DatasetDict

from ssl_ecg_hf.data import SUPERCLASSES, simulate_dataset
from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.data.splits import dataset_labels, labelled
from ssl_ecg_hf.evaluation.checkpoint import EvaluationArguments, evaluate, predict
from ssl_ecg_hf.evaluation.inference import predict_logits
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.predictions import load_predictions
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR

ENCODER: dict[str, Any] = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]}


@pytest.fixture(scope="module")
def splits() -> DatasetDict:
    return simulate_dataset(200, seed=0, duration=2.0)


@pytest.fixture
def data(splits: DatasetDict, tmp_path: Path) -> DataArguments:
    splits.save_to_disk(tmp_path / "own")
    return DataArguments(data=str(tmp_path / "own"), class_names=list(SUPERCLASSES))


def save_classifier(folder: Path, names: tuple[str, ...] = SUPERCLASSES) -> SslEcgForSequenceClassification:
    torch.manual_seed(0)
    config = SslEcgConfig(encoder_options=ENCODER, num_samples=200, id2label=dict(enumerate(names)))
    model = SslEcgForSequenceClassification(config)
    model.save_pretrained(folder)
    recipe: dict[str, Any] = {"stage": "finetune", "arguments": {"seed": 3}, "parent": None}
    recipe["dataset"] = {"name": "own", "simulated": False}
    (folder / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    return model


def test_predictions_know_their_records(splits: DatasetDict, tmp_path: Path) -> None:
    model = save_classifier(tmp_path)
    known = labelled(splits["test"])
    found = predict(model, splits["test"])
    assert np.array_equal(found.labels, dataset_labels(known))
    assert np.array_equal(found.logits, predict_logits(model, known))
    assert list(found.record_ids) == [str(number) for number in known["ecg_id"]]
    bare = predict(model, splits["test"].select_columns(["signal_uv", "labels"]))
    assert bare.patient_ids is None
    assert bare.age is None


def test_a_model_of_real_recordings_is_not_evaluated_on_simulated_ones_by_oversight(tmp_path: Path) -> None:
    save_classifier(tmp_path)
    with pytest.raises(ValueError, match=r"trained on 'own', these recordings are 'ECG simulator'.*--data"):
        evaluate(EvaluationArguments(model=str(tmp_path)), DataArguments(num_records=60))
    assert not (tmp_path / "metrics.json").exists()


def test_evaluation_writes_numbers_predictions_and_pictures(data: DataArguments, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_classifier(folder)
    metrics = evaluate(EvaluationArguments(model=str(folder)), data)
    written = {path.name for path in folder.iterdir()} - {"config.json", "model.safetensors", "recipe.json"}
    assert written == {
        "metrics.json",
        "predictions_validation.npz",
        "predictions_test.npz",
        "roc.png",
        "precision_recall.png",
        "reliability.png",
    }
    test = load_predictions(folder / "predictions_test.npz")
    expected = macro_auroc(test.labels, test.scores)
    stored = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert stored["test"]["macro"]["auroc"] == pytest.approx(expected, abs=1e-6)
    assert stored["test"]["macro"]["auroc"] == pytest.approx(metrics["test"]["macro"]["auroc"], abs=1e-6)
    assert stored["run"]["stage"] == "finetune"
    assert stored["run"]["arguments"] == {"seed": 3}
    assert stored["run"]["dataset"]["name"] == "own"
    assert list(stored["test"]["per_class"]) == sorted(SUPERCLASSES)


@pytest.fixture
def other(tmp_path: Path) -> DataArguments:
    """Recordings of another hospital."""
    simulate_dataset(120, seed=7, duration=2.0).save_to_disk(tmp_path / "hospital")
    return DataArguments(data=str(tmp_path / "hospital"), class_names=list(SUPERCLASSES))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_external_test_keeps_the_thresholds_and_the_results_of_the_own_data(
    data: DataArguments, other: DataArguments, tmp_path: Path
) -> None:
    folder, place = tmp_path / "model", tmp_path / "results" / "hospital"
    save_classifier(folder)
    own = evaluate(EvaluationArguments(model=str(folder)), data)
    before = contents(folder)
    evaluate(EvaluationArguments(model=str(folder), output_dir=str(place)), other)
    assert contents(folder) == before
    assert set(contents(place)) == set(before) - {"config.json", "model.safetensors", "recipe.json"}
    found = json.loads((place / "metrics.json").read_text(encoding="utf-8"))
    assert found["thresholds"]["values"] == own["thresholds"]["values"]
    assert found["calibration"]["temperature"] == own["calibration"]["temperature"]
    assert found["thresholds"]["chosen_on"] == found["calibration"]["fitted_on"] == "validation of own"
    assert (found["run"]["dataset"]["name"], found["run"]["trained_on"]["name"]) == ("hospital", "own")
    test = load_predictions(place / "predictions_test.npz")
    assert found["test"]["records"] == len(test)
    limits = np.array([own["thresholds"]["values"][name] for name in SUPERCLASSES])
    sensitivity = [
        (score[truth == 1] >= limit).mean()
        for truth, score, limit in zip(test.labels.T, test.scores.T, limits, strict=True)
    ]
    for name, value in zip(SUPERCLASSES, sensitivity, strict=True):
        assert found["test"]["per_class"][name]["sensitivity"] == pytest.approx(value, abs=1e-6)


def test_an_external_test_needs_a_folder_and_thresholds(
    data: DataArguments, other: DataArguments, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    save_classifier(folder)
    quick = EvaluationArguments(model=str(folder), pictures=False)
    with pytest.raises(ValueError, match=r"trained on 'own', these .* 'hospital'.* with --output_dir"):
        evaluate(quick, other)
    elsewhere = dataclasses.replace(quick, output_dir=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=r"has no metrics\.json.* first evaluate it on its own data"):
        evaluate(elsewhere, other)
    evaluate(quick, data)
    with pytest.raises(ValueError, match=r"model is the folder of a checkpoint"):
        evaluate(dataclasses.replace(quick, output_dir=f"{folder}/../model"), other)
    # As evaluations of before left it: metrics of other recordings in the checkpoint's folder.
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    metrics["run"]["dataset"]["name"] = "hospital"
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    with pytest.raises(ValueError, match=r"was measured on 'hospital', the checkpoint was trained on 'own'"):
        evaluate(elsewhere, other)
    assert not (tmp_path / "out").exists()


def test_results_on_the_own_data_may_go_elsewhere(data: DataArguments, tmp_path: Path) -> None:
    save_classifier(tmp_path / "model")
    save_classifier(tmp_path / "another")
    quick = EvaluationArguments(model=str(tmp_path / "model"), pictures=False)
    evaluate(dataclasses.replace(quick, output_dir=str(tmp_path / "out")), data)
    found = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert found["thresholds"]["chosen_on"] == "validation"
    assert not (tmp_path / "model" / "metrics.json").exists()
    with pytest.raises(ValueError, match=r"another is the folder of a checkpoint"):
        evaluate(dataclasses.replace(quick, output_dir=str(tmp_path / "another")), data)


def test_a_renamed_folder_is_no_external_test(data: DataArguments, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_classifier(folder)
    (tmp_path / "own").rename(tmp_path / "renamed")
    data.data = str(tmp_path / "renamed")
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    recipe["dataset"] = {**data.load().description, "name": "own"}
    (folder / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    metrics = evaluate(EvaluationArguments(model=str(folder), pictures=False), data)
    assert metrics["thresholds"]["chosen_on"] == "validation"
    assert (folder / "metrics.json").is_file()


def test_what_is_no_classifier_of_these_classes_is_refused(data: DataArguments, tmp_path: Path) -> None:
    save_classifier(tmp_path / "other", names=("A", "B", "C", "D", "E"))
    with pytest.raises(ValueError, match=r"the model has 5 classes \(A, .*recordings have 5 classes \(NORM"):
        evaluate(EvaluationArguments(model=str(tmp_path / "other")), data)
    SslEcgForSimCLR(SslEcgConfig(encoder_options=ENCODER)).save_pretrained(tmp_path / "simclr")
    with pytest.raises(ValueError, match=r"has no recipe.json; expected a checkpoint written by"):
        evaluate(EvaluationArguments(model=str(tmp_path / "simclr")), data)


def test_a_split_without_labels_cannot_be_measured_on(splits: DatasetDict, tmp_path: Path) -> None:
    unlabelled = splits["test"].select(np.flatnonzero(~dataset_labels(splits["test"]).any(axis=1)))
    with pytest.raises(ValueError, match=f"none of {len(unlabelled)} recordings has a label"):
        predict(save_classifier(tmp_path), unlabelled)


def test_a_pretraining_checkpoint_is_refused(data: DataArguments, tmp_path: Path) -> None:
    folder = tmp_path / "pretrained"
    SslEcgForSimCLR(SslEcgConfig(encoder_options=ENCODER)).save_pretrained(folder)
    (folder / "recipe.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"is no classifier \(SslEcgForSimCLR\); train one from it"):
        evaluate(EvaluationArguments(model=str(folder)), data)
