from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import EvalPrediction

from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.data.splits import dataset_labels, labelled
from ssl_ecg_hf.evaluation.inference import predict_logits
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.recipe import read_recipe
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainingArguments
from ssl_ecg_hf.training.finetune import (
    FinetuningArguments,
    build_classifier,
    check_labels,
    finetune,
    label_subset,
)
from ssl_ecg_hf.training.run_folder import last_complete_checkpoint

MakeArguments = Callable[..., SslEcgTrainingArguments]


@pytest.fixture
def pretrained(tiny_config: Callable[..., SslEcgConfig], tmp_path: Path) -> Path:
    torch.manual_seed(3)
    SslEcgForSimCLR(tiny_config()).save_pretrained(tmp_path / "pretrained")
    return tmp_path / "pretrained"


def evaluations(folder: Path) -> list[float]:
    state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry["eval_macro_auroc"] for entry in state["log_history"] if "eval_macro_auroc" in entry]


@pytest.fixture
def script_evaluations(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the macro AUROC of each evaluation by a written one; None interrupts the run."""

    def script(*values: float | None) -> None:
        waiting = list(values)

        def metric(prediction: EvalPrediction) -> dict[str, float]:
            value = waiting.pop(0)
            if value is None:
                raise KeyboardInterrupt
            return {"macro_auroc": value}

        monkeypatch.setattr("ssl_ecg_hf.training.trainer.macro_auroc_metric", metric)

    return script


def test_the_best_epoch_is_what_is_saved(
    data_arguments: DataArguments,
    arguments: MakeArguments,
    config_text: str,
    script_evaluations: Callable[..., None],
) -> None:
    script_evaluations(0.5, 0.9, 0.7, 0.6)
    args = arguments(max_steps=-1, num_train_epochs=4, per_device_train_batch_size=64, learning_rate=0.01)
    folder = finetune(FinetuningArguments(config=config_text), data_arguments, args)
    assert evaluations(folder) == [0.5, 0.9, 0.7, 0.6]
    steps = sorted(int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*"))
    saved = SslEcgForSequenceClassification.from_pretrained(folder).state_dict()
    weights = [
        SslEcgForSequenceClassification.from_pretrained(folder / f"checkpoint-{step}").classifier.weight
        for step in steps
    ]
    assert [torch.equal(weight, saved["classifier.weight"]) for weight in weights] == [
        False,
        True,
        False,
        False,
    ]


def test_the_saved_model_reaches_the_best_logged_value(
    data_arguments: DataArguments, arguments: MakeArguments, config_text: str
) -> None:
    args = arguments(max_steps=-1, num_train_epochs=5, per_device_train_batch_size=32, learning_rate=0.05)
    folder = finetune(FinetuningArguments(config=config_text), data_arguments, args)
    validation = labelled(data_arguments.load().splits["validation"])
    logits = predict_logits(SslEcgForSequenceClassification.from_pretrained(folder), validation)
    found = macro_auroc(dataset_labels(validation), torch.from_numpy(logits).sigmoid().numpy())
    assert found == pytest.approx(max(evaluations(folder)), abs=1e-6)


def test_patience_stops_and_survives_an_interruption(
    data_arguments: DataArguments,
    arguments: MakeArguments,
    config_text: str,
    script_evaluations: Callable[..., None],
) -> None:
    what = FinetuningArguments(config=config_text, patience=2)

    def args() -> SslEcgTrainingArguments:
        return arguments(max_steps=-1, num_train_epochs=6, per_device_train_batch_size=64)

    script_evaluations(0.9, 0.5, None)
    with pytest.raises(KeyboardInterrupt):
        finetune(what, data_arguments, args())
    folder = Path(args().output_dir)
    assert last_complete_checkpoint(folder) is not None
    script_evaluations(0.4, 0.3, 0.2, 0.1)
    finetune(what, data_arguments, args())
    assert evaluations(folder) == [0.9, 0.5, 0.4]


def test_the_recipe_tells_labels_and_parent(
    data_arguments: DataArguments, arguments: MakeArguments, pretrained: Path
) -> None:
    parent = {"stage": "pretrain", "arguments": {"seed": 7}, "dataset": {"name": "other"}, "parent": None}
    (pretrained / "recipe.json").write_text(json.dumps(parent), encoding="utf-8")
    what = FinetuningArguments(model=str(pretrained), label_fraction=0.5, label_seed=2, probe=True)
    recipe = read_recipe(finetune(what, data_arguments, arguments()))
    assert recipe is not None
    assert recipe["stage"] == "probe"
    assert recipe["parent"] == parent
    train = label_subset(data_arguments.load().splits["train"], 0.5, seed=2)
    counts = dataset_labels(train).sum(axis=0).tolist()
    assert recipe["labels"] == {
        "fraction": 0.5,
        "recordings": len(train),
        "per_class": dict(zip(SUPERCLASSES, counts, strict=True)),
    }


def test_a_probe_keeps_the_encoder(
    data_arguments: DataArguments, arguments: MakeArguments, pretrained: Path
) -> None:
    folder = finetune(FinetuningArguments(model=str(pretrained), probe=True), data_arguments, arguments())
    probed = SslEcgForSequenceClassification.from_pretrained(folder).encoder.state_dict()
    encoder = SslEcgForSimCLR.from_pretrained(pretrained).encoder.state_dict()
    assert all(torch.equal(probed[name], value) for name, value in encoder.items())


def test_training_may_start_from_the_probe(
    data_arguments: DataArguments, arguments: MakeArguments, pretrained: Path, tmp_path: Path
) -> None:
    def classifier(name: str, **what: bool) -> torch.Tensor:
        args = arguments(output_dir=str(tmp_path / name), learning_rate=0.0, weight_decay=0.0)
        folder = finetune(FinetuningArguments(model=str(pretrained), **what), data_arguments, args)
        return SslEcgForSequenceClassification.from_pretrained(folder).classifier.weight

    probe = classifier("probe", probe=True)
    torch.testing.assert_close(classifier("first", probe_first=True), probe)
    assert not torch.allclose(classifier("random"), probe)


def test_probe_and_probe_first_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        FinetuningArguments(probe=True, probe_first=True)


def test_a_probe_refuses_recordings_of_another_rate(
    tiny_config: Callable[..., SslEcgConfig],
    data_arguments: DataArguments,
    arguments: MakeArguments,
    tmp_path: Path,
) -> None:
    SslEcgForSimCLR(tiny_config(sampling_rate=500)).save_pretrained(tmp_path / "fast")
    what = FinetuningArguments(model=str(tmp_path / "fast"), probe=True)
    with pytest.raises(ValueError, match=r"sampled at \[100.0\] Hz, the model at 500 Hz"):
        finetune(what, data_arguments, arguments())


def test_label_subsets_are_nested_and_labelled(data_arguments: DataArguments) -> None:
    train = data_arguments.load().splits["train"]
    parts = [set(label_subset(train, fraction, seed=0)["ecg_id"]) for fraction in (0.1, 0.5, 1.0)]
    assert parts[0] < parts[1] < parts[2]
    assert parts[2] == set(labelled(train)["ecg_id"])
    assert len(parts[0]) == pytest.approx(0.1 * len(parts[2]), abs=4)


@pytest.mark.parametrize("names", [["A", "B", "C", "D", "E"], ["X", "Y"]])
def test_from_another_classifier_the_encoder_alone_is_taken(
    names: list[str],
    tiny_config: Callable[..., SslEcgConfig],
    data_arguments: DataArguments,
    tmp_path: Path,
) -> None:
    labels: dict[str, Any] = {"id2label": dict(enumerate(names)), "thresholds": [0.5] * len(names)}
    other = SslEcgForSequenceClassification(tiny_config(**labels))
    with torch.no_grad():
        other.classifier.weight.fill_(9.0)
    other.save_pretrained(tmp_path / "other")
    what = FinetuningArguments(model=str(tmp_path / "other"), config='{"classifier_dropout": 0.25}')
    model = build_classifier(what, data_arguments.load())
    assert list(model.config.id2label.values()) == list(SUPERCLASSES)
    assert model.config.thresholds is None
    assert model.classifier.dropout.p == 0.25
    assert model.classifier.weight.shape == (5, 16)
    assert model.classifier.weight.abs().max() < 1
    for name, value in other.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value), name


@pytest.mark.parametrize("probe", [False, True])
def test_a_refused_run_leaves_nothing_behind(
    probe: bool, data_arguments: DataArguments, arguments: MakeArguments
) -> None:
    args = arguments()
    what = FinetuningArguments(probe=probe, config='{"sampling_rate": 500}')
    with pytest.raises(ValueError, match=r"sampled at \[100.0\] Hz, the model at 500"):
        finetune(what, data_arguments, args)
    assert not Path(args.output_dir).exists()


def test_patience_is_not_negative() -> None:
    with pytest.raises(ValueError, match=r"patience=-1 must be 0 .* or a positive number"):
        FinetuningArguments(patience=-1)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        ([], [[1, 0], [0, 1]], "the train split has no labelled recording"),
        ([[1, 0]], [], "the validation split has no labelled recording"),
        ([[1, 0]], [[1, 0], [1, 0]], r"none of \['A', 'B'\] is both present and absent in the 2 labelled"),
    ],
)
def test_splits_that_nothing_can_be_chosen_on(
    train: list[list[int]], validation: list[list[int]], message: str
) -> None:
    splits = [Dataset.from_dict({"labels": [*labels, [0, 0]]}) for labels in (train, validation)]
    with pytest.raises(ValueError, match=f"{message}.*all zero count as unlabelled"):
        check_labels(*(labelled(split) for split in splits), ("A", "B"))
    good = Dataset.from_dict({"labels": [[1, 0], [1, 1]]})
    check_labels(good, good, ("A", "B"))


def test_options_of_an_encoder_change_those_of_the_checkpoint(
    tiny_config: Callable[..., SslEcgConfig], data_arguments: DataArguments, tmp_path: Path
) -> None:
    options = {**tiny_config().encoder_options, "num_layers": 6, "num_heads": 2, "feedforward_size": 8}
    saved = SslEcgForSimCLR(tiny_config(encoder_type="cnn_transformer", encoder_options=options))
    saved.save_pretrained(tmp_path)
    what = FinetuningArguments(model=str(tmp_path), config='{"encoder_options": {"dropout": 0.3}}')
    model = build_classifier(what, data_arguments.load())
    assert model.config.encoder_options == {**options, "dropout": 0.3}
    for name, value in saved.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value), name
