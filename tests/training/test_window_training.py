"""Training and evaluation within the Trainer, of recordings of another length than the model's window."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.evaluation.inference import predict_logits
from ssl_ecg_hf.evaluation.loading import load_config, load_feature_extractor
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgFeatureExtractor,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
)
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments
from ssl_ecg_hf.training.losses import build_loss

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]
WINDOW = 80  # of 200 samples


@pytest.fixture
def simclr(tiny_config: MakeConfig) -> SslEcgForSimCLR:
    torch.manual_seed(0)
    return SslEcgForSimCLR(tiny_config(num_samples=WINDOW))


@pytest.fixture
def classifier(classifier_config: SslEcgConfig) -> SslEcgForSequenceClassification:
    torch.manual_seed(0)
    config = copy.deepcopy(classifier_config)
    config.num_samples = WINDOW
    return SslEcgForSequenceClassification(config)


def losses(trainer: SslEcgTrainer) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def ramps(count: int = 4) -> dict[str, torch.Tensor]:
    """A batch of recordings whose samples tell their time."""
    return {"signal": torch.arange(200.0).expand(count, 12, 200).clone(), "labels": torch.zeros(count, 5)}


def test_views_are_windows_of_their_own_and_a_function_of_the_step(
    simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(simclr.train(), arguments(augmentations="none"))

    def starts(step: int) -> torch.Tensor:
        trainer.state.global_step, trainer._step_key = step, -1
        views = trainer._prepare_inputs(ramps(8))["views"]
        assert views.shape == (8, 2, 12, WINDOW)
        assert torch.equal(views - views[..., :1], torch.arange(80.0).expand_as(views))
        return views[:, :, 0, 0]

    first = starts(3)
    assert not torch.equal(first[:, 0], first[:, 1])
    assert torch.equal(first, starts(3))
    assert not torch.equal(first, starts(4))


def test_every_evaluation_of_pretraining_sees_the_same_windows(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(simclr, arguments(augmentations="none"), eval_dataset=recordings["validation"])
    first = trainer.evaluate()
    assert trainer.evaluate()["eval_loss"] == first["eval_loss"]
    assert first["eval_alignment"] > 1e-4  # the views differ by their windows alone


def test_a_classifier_trains_on_random_windows_and_is_evaluated_whole(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(classifier.train(), arguments())
    seen = trainer._prepare_inputs(ramps(8))["input_values"]
    assert seen.shape == (8, 12, WINDOW)
    assert len(seen[:, 0, 0].unique()) > 4
    classifier.eval()
    assert torch.equal(trainer._prepare_inputs(ramps(8))["input_values"], ramps(8)["signal"])


@pytest.mark.parametrize("loss", ["bce", "weighted_bce"])
def test_the_evaluation_of_a_classifier_averages_windows(
    loss: str, classifier: SslEcgForSequenceClassification, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    data = recordings["validation"].select(range(16))
    trainer = SslEcgTrainer(
        classifier, arguments(classification_loss=loss), train_dataset=data, eval_dataset=data
    )
    found = trainer.predict(trainer.eval_dataset)
    logits = predict_logits(classifier, data)
    labels = np.asarray(data["labels"])
    np.testing.assert_allclose(found.predictions[0], logits, rtol=1e-5, atol=1e-6)
    assert found.predictions[1].shape == (16, 16)
    expected = build_loss(loss, torch.tensor(labels))(torch.tensor(logits), torch.tensor(labels))
    metrics = trainer.evaluate()
    assert metrics["eval_loss"] == pytest.approx(float(expected), rel=1e-5)
    scores = torch.tensor(logits).sigmoid().numpy()
    assert metrics["eval_macro_auroc"] == pytest.approx(macro_auroc(labels, scores))
    with torch.no_grad():  # of one window, it would be another
        middle = classifier(torch.tensor(data["signal_uv"])[..., 60:140] / 1000).logits.numpy()
    assert np.abs(middle - logits).max() > 1e-3


def test_a_single_label_loss_is_that_of_the_averaged_logits(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    classifier.config.problem_type = "single_label_classification"
    rng = np.random.default_rng(0)
    rows = [
        {"signal": rng.normal(0, 0.3, (12, 200)).astype(np.float32), "labels": np.int64(index % 5)}
        for index in range(8)
    ]
    trainer = SslEcgTrainer(classifier, arguments(), eval_dataset=rows)
    logits = torch.tensor(
        predict_logits(classifier, Dataset.from_list([{"signal": r["signal"]} for r in rows]))
    )
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([row["labels"] for row in rows]))
    metrics = trainer.evaluate()
    assert metrics["eval_loss"] == pytest.approx(float(expected), rel=1e-5)
    labels = np.eye(5)[[row["labels"] for row in rows]]
    auroc = macro_auroc(labels, logits.softmax(dim=-1).numpy())
    assert metrics["eval_macro_auroc"] == pytest.approx(auroc)


def test_recordings_without_labels_are_predicted_through_windows(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    signal = np.random.default_rng(0).normal(0, 0.3, (8, 12, 200)).astype(np.float32)
    found = SslEcgTrainer(classifier, arguments()).predict([{"signal": one} for one in signal])
    expected = predict_logits(classifier, Dataset.from_dict({"signal": signal.tolist()}))
    np.testing.assert_allclose(found.predictions[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["simclr", "classifier"])
def test_a_resumed_run_sees_the_same_windows(
    kind: str,
    simclr: SslEcgForSimCLR,
    classifier: SslEcgForSequenceClassification,
    recordings: DatasetDict,
    arguments: MakeArguments,
    tmp_path: Path,
) -> None:
    model = {"simclr": simclr, "classifier": classifier}[kind]
    train = recordings["train"].select(range(32))

    def run(folder: str, resume: str | None = None) -> SslEcgTrainer:
        args = arguments(output_dir=str(tmp_path / folder), max_steps=6, save_strategy="steps", save_steps=3)
        trainer = SslEcgTrainer(copy.deepcopy(model), args, train_dataset=train)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    whole = run("whole")
    resumed = run("resumed", str(tmp_path / "whole" / "checkpoint-3"))
    assert losses(resumed) == losses(whole)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_data_kept_on_the_device_gives_the_same_windows(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    found = []
    for keep in (False, True):
        trainer = SslEcgTrainer(
            copy.deepcopy(simclr),
            arguments(keep_data_on_device=keep),
            train_dataset=recordings["train"].select(range(32)),
        )
        trainer.train()
        found.append(losses(trainer))
    assert found[0] == found[1]


def test_the_window_of_pretraining_is_that_of_the_whole_way(
    data_folder: Path, config_text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def words(verb: str, folder: str, **options: Any) -> list[str]:
        given = {
            "data": data_folder, "output_dir": tmp_path / folder, "max_steps": 2, "logging_steps": 1,
            "per_device_train_batch_size": 16, "use_cpu": "true", "disable_tqdm": "true", **options,
        }  # fmt: skip
        pairs = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        return [verb, "--class_names", *SUPERCLASSES, *pairs]

    config = json.dumps({**json.loads(config_text), "num_samples": 50})  # of 200
    assert main(words("pretrain", "pretrained", config=config)) == 0
    assert main(words("finetune", "classifier", model=tmp_path / "pretrained")) == 0
    assert main(words("finetune", "probe", model=tmp_path / "pretrained", probe="true")) == 0
    for name in ("pretrained", "classifier", "probe"):
        assert load_config(tmp_path / name).num_samples == 50
        assert load_feature_extractor(tmp_path / name).num_samples == 50
    recording = tmp_path / "long.npy"
    np.save(recording, np.random.default_rng(0).normal(0, 0.3, (12, 210)))
    stated = ["--sampling_rate", "100", "--leads", "standard", "--unit", "mV", "--json"]
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "classifier"), str(recording), *stated]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert {entry["windows"] for entry in json.loads(line)["predictions"]} == {8}


# ---- recordings shorter than the window ----


def short_recordings(count: int = 8, samples: int = 150) -> Dataset:
    signal = np.random.default_rng(0).normal(0, 0.3, (count, 12, samples)).astype(np.float32)
    labels = np.eye(5, dtype=int)[np.arange(count) % 5]
    return Dataset.from_dict({"signal": signal.tolist(), "labels": labels.tolist()})


def test_a_short_recording_is_the_same_in_training_evaluation_and_use(
    classifier_config: SslEcgConfig, arguments: MakeArguments
) -> None:
    model = SslEcgForSequenceClassification(classifier_config).train()  # its window is of 200 samples
    data = short_recordings()
    trainer = SslEcgTrainer(model, arguments(), train_dataset=data, eval_dataset=data)
    in_training = trainer._prepare_inputs({"signal": torch.tensor(data["signal"])})["input_values"]
    extractor = SslEcgFeatureExtractor.for_model(model.config)
    with pytest.warns(UserWarning, match="the rest is padded with zeros"):
        in_use = extractor(
            np.array(data["signal"]), sampling_rate=100, leads="standard", unit="mV", return_tensors="pt"
        )["input_values"]
    assert in_use.shape == (8, 12, 200)
    assert torch.equal(in_training, in_use)
    with torch.no_grad():
        expected = model.eval()(in_use).logits.numpy()
    np.testing.assert_array_equal(predict_logits(model, data), expected)
    np.testing.assert_allclose(trainer.predict(trainer.eval_dataset).predictions[0], expected, rtol=1e-6)


def test_a_short_recording_is_padded_before_its_views_are_made(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    model = SslEcgForSimCLR(tiny_config()).train()
    batch = {"signal": torch.ones(4, 12, 150)}
    plain = SslEcgTrainer(model, arguments(augmentations="none"))._prepare_inputs(dict(batch))["views"]
    assert plain.shape == (4, 2, 12, 200)
    assert plain[..., :150].eq(1).all()
    assert plain[..., 150:].eq(0).all()
    args = arguments(augmentations={"gaussian_noise": {}})
    assert SslEcgTrainer(model, args)._prepare_inputs(dict(batch))["views"][..., 150:].ne(0).any()
