from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoModelForPreTraining

from ssl_ecg_hf.data.source import DataArguments, Recordings
from ssl_ecg_hf.evaluation.recipe import read_recipe
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForBYOL, SslEcgForSimCLR, SslEcgModel
from ssl_ecg_hf.training import SslEcgTrainingArguments
from ssl_ecg_hf.training.pretrain import (
    PretrainingArguments,
    config_fields,
    continued_model,
    new_config,
    pretrain,
)

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]


def unlabelled(leads: int = 12, samples: int = 200) -> DatasetDict:
    signal = torch.randn(24, leads, samples, generator=torch.Generator().manual_seed(0)).tolist()
    split = Dataset.from_dict({"signal": signal, "sampling_rate": [250.0] * 24})
    return DatasetDict(dict.fromkeys(("train", "validation", "test"), split))


@pytest.mark.parametrize(("objective", "model_class"), [("simclr", SslEcgForSimCLR), ("byol", SslEcgForBYOL)])
def test_pretraining_leaves_a_checkpoint_and_its_recipe(
    objective: str,
    model_class: type,
    data_arguments: DataArguments,
    arguments: MakeArguments,
    config_text: str,
) -> None:
    what = PretrainingArguments(objective=objective, config=config_text)
    folder = pretrain(
        what, data_arguments, arguments(eval_strategy="steps", eval_steps=3, learning_rate=0.002)
    )
    model = AutoModelForPreTraining.from_pretrained(folder)
    assert type(model) is model_class
    assert (model.config.num_samples, model.config.sampling_rate) == (200, 100)
    recipe = read_recipe(folder)
    assert recipe is not None
    assert recipe["stage"] == "pretrain"
    assert recipe["arguments"]["objective"] == objective
    assert recipe["arguments"]["learning_rate"] == 0.002
    assert recipe["parent"] is None
    history = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    (evaluation,) = [entry for entry in history if "eval_loss" in entry]
    assert 0 < evaluation["eval_knn_auroc"] <= 1
    assert evaluation["eval_effective_rank"] > 1


def test_recordings_without_labels_at_another_rate(
    tmp_path: Path, arguments: MakeArguments, config_text: str
) -> None:
    unlabelled().save_to_disk(tmp_path / "own")
    args = arguments(eval_strategy="steps", eval_steps=3)
    folder = pretrain(
        PretrainingArguments(config=config_text), DataArguments(data=str(tmp_path / "own")), args
    )
    assert SslEcgModel.from_pretrained(folder).config.sampling_rate == 250
    history = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    assert any("eval_loss" in entry for entry in history)
    assert not any("eval_knn_auroc" in entry for entry in history)


def test_a_configuration_fits_the_recordings() -> None:
    recordings = Recordings(
        splits=unlabelled(samples=130), class_names=(), description={"sampling_rate": 250.0}
    )
    config = new_config(recordings, '{"normalization": "zscore"}', classifier_dropout=0.5)
    assert (config.num_samples, config.sampling_rate) == (130, 250.0)
    assert (config.normalization, config.classifier_dropout) == ("zscore", 0.5)
    with pytest.raises(ValueError, match=r"--config: .*expected one of"):
        new_config(recordings, '{"normalization": "min-max"}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"normalisation": "zscore"}', r"unknown fields \['normalisation'\]; known are .*'normalization'"),
        ("[1]", "expected a JSON mapping"),
        ("{", "Expecting property name"),
    ],
)
def test_a_wrong_configuration_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_fields(text)


def test_an_unknown_objective_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown objective 'moco'; known are \[.*'byol'.*'simclr'"):
        PretrainingArguments(objective="moco")


def test_a_checkpoint_is_continued_with_its_head(tiny_config: MakeConfig, tmp_path: Path) -> None:
    torch.manual_seed(1)
    saved = SslEcgForSimCLR(tiny_config())
    saved.save_pretrained(tmp_path)
    model = continued_model(str(tmp_path), "simclr", "{}")
    for name, value in saved.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert model.config.objective_options == {"hidden_size": 24, "projection_size": 12}


@pytest.mark.parametrize("changes", [{}, {"objective_options": {"hidden_size": 24, "ema_decay": 0.5}}])
def test_a_checkpoint_of_another_objective_gives_its_encoder(
    changes: dict[str, object], tiny_config: MakeConfig, tmp_path: Path
) -> None:
    options = {"hidden_size": 24, "projection_size": 12, "temperature": 0.2}
    saved = SslEcgForSimCLR(tiny_config(objective_options=options))
    saved.save_pretrained(tmp_path)
    model = continued_model(str(tmp_path), "byol", json.dumps(changes))
    assert isinstance(model, SslEcgForBYOL)
    for name, value in saved.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value), name
        assert torch.equal(model.target_encoder.state_dict()[name], value), name
    for name, value in model.projector.state_dict().items():
        assert value.isfinite().all(), name
        assert torch.equal(model.target_projector.state_dict()[name], value), name
    assert model.options.ema_decay == (0.5 if changes else 0.99)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "{oops"}, "--config is '{oops', no JSON .*; expected a JSON mapping of SslEcgConfig"),
        ({"config": '{"encoder_type": "resnet"}'}, "unknown encoder_type 'resnet'"),
        ({"model": "nowhere"}, "'nowhere' is no folder"),
        ({"config": '{"leads": ["I"]}'}, "recordings of 12 leads, the model expects 1"),
    ],
)
def test_a_refused_run_leaves_nothing_behind(
    changes: dict[str, str], message: str, data_arguments: DataArguments, arguments: MakeArguments
) -> None:
    args = arguments()
    with pytest.raises(ValueError, match=message):
        pretrain(PretrainingArguments(**changes), data_arguments, args)
    assert not (Path(args.output_dir) / "recipe.json").exists()


@pytest.mark.parametrize(
    ("objective", "expected"), [("masked_reconstruction", "none"), ("simclr", "default")]
)
def test_the_recipe_names_the_augmentation_that_the_objective_chose(
    objective: str, expected: str, data_arguments: DataArguments, arguments: MakeArguments, config_text: str
) -> None:
    config = json.dumps({**json.loads(config_text), "objective_options": {}})
    folder = pretrain(
        PretrainingArguments(objective=objective, config=config), data_arguments, arguments(max_steps=1)
    )
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["arguments"]["augmentations"] == expected


def test_options_of_an_encoder_change_those_of_the_checkpoint(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    options = {**tiny_config().encoder_options, "num_layers": 6, "num_heads": 2, "feedforward_size": 8}
    saved = SslEcgForSimCLR(tiny_config(encoder_type="cnn_transformer", encoder_options=options))
    saved.save_pretrained(tmp_path)
    model = continued_model(str(tmp_path), "byol", '{"encoder_options": {"dropout": 0.3}}')
    assert model.config.encoder_options == {**options, "dropout": 0.3}
    assert model.target_encoder.state_dict().keys() == saved.encoder.state_dict().keys()
