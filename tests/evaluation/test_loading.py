from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ssl_ecg_hf.evaluation.loading import load_classifier, load_config, load_feature_extractor, load_model
from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgFeatureExtractor,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
)

ENCODER: dict[str, Any] = {"hidden_sizes": [8], "kernel_sizes": [5], "strides": [2]}
OTHER: dict[str, Any] = {"hidden_sizes": [6], "kernel_sizes": [5], "strides": [2]}


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    folder = tmp_path / "pretrained"
    SslEcgForSimCLR(SslEcgConfig(encoder_options=ENCODER)).save_pretrained(folder)
    return folder


def test_a_head_may_be_new_the_encoder_is_that_of_the_checkpoint(pretrained: Path) -> None:
    model = load_model(SslEcgForSequenceClassification, pretrained, num_labels=3)
    stored = load_file(pretrained / "model.safetensors")
    found = model.state_dict()
    assert found["classifier.weight"].shape[0] == 3
    assert all(torch.equal(found[key], stored[key]) for key in stored if key.startswith("encoder."))


def test_an_encoder_of_another_shape_is_refused_with_new_heads_or_not(pretrained: Path) -> None:
    for new_heads in (False, True):
        with pytest.raises(
            ValueError, match=r"weights of SslEcgForSimCLR, e.g. encoder.*another shape there"
        ):
            load_model(SslEcgForSimCLR, pretrained, new_heads=new_heads, encoder_options=OTHER)


def test_a_head_of_another_shape_is_replaced_only_on_demand(pretrained: Path) -> None:
    changes = {"objective_options": {"projection_size": 7}}
    with pytest.raises(ValueError, match=r"e.g. projector.*leave the leads and the options"):
        load_model(SslEcgForSimCLR, pretrained, **changes)
    assert load_model(SslEcgForSimCLR, pretrained, new_heads=True, **changes).config.objective_options == {
        "projection_size": 7
    }


def test_one_option_of_the_encoder_leaves_the_others(pretrained: Path, tmp_path: Path) -> None:
    options = {**ENCODER, "num_layers": 6, "num_heads": 2, "feedforward_size": 8, "dropout": 0.1}
    deep = SslEcgForSimCLR(SslEcgConfig(encoder_type="cnn_transformer", encoder_options=options))
    deep.save_pretrained(tmp_path / "deep")
    for kind in (SslEcgForSimCLR, SslEcgForSequenceClassification):
        model = load_model(kind, tmp_path / "deep", encoder_options={"dropout": 0.3})
        assert model.config.encoder_options == {**options, "dropout": 0.3}
        stored = deep.encoder.state_dict()
        assert model.encoder.state_dict().keys() == stored.keys()
        assert all(torch.equal(value, stored[key]) for key, value in model.encoder.state_dict().items())


def test_an_encoder_with_a_part_too_few_is_refused(tmp_path: Path) -> None:
    options = {**ENCODER, "num_layers": 3, "num_heads": 2, "feedforward_size": 8}
    config = SslEcgConfig(encoder_type="cnn_transformer", encoder_options=options)
    SslEcgForSimCLR(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"weights of SslEcgForSequence.*, e.g. encoder\..* are there alone"):
        load_model(SslEcgForSequenceClassification, tmp_path, encoder_options={"num_layers": 2})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem_type": "regression"}, "configuration of .*pretrained: .*problem_type must be one of"),
        ({"thresholds": [0.5] * 3}, "configuration of .*pretrained: .*thresholds must hold 2 numbers"),
    ],
)
def test_changed_fields_are_checked(changes: dict[str, Any], message: str, pretrained: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_model(SslEcgForSequenceClassification, pretrained, **changes)


def test_options_of_another_encoder_are_not_kept(pretrained: Path) -> None:
    with pytest.raises(ValueError, match=r"weights of SslEcgForSimCLR, e.g. encoder"):
        load_model(
            SslEcgForSimCLR, pretrained, encoder_type="dilated_cnn", encoder_options={"hidden_size": 8}
        )


def test_one_option_of_the_objective_leaves_the_others(tmp_path: Path) -> None:
    options = {"projection_size": 7, "temperature": 0.2}
    config = SslEcgConfig(encoder_options=ENCODER, objective_options=options)
    SslEcgForSimCLR(config).save_pretrained(tmp_path)
    model = load_model(SslEcgForSimCLR, tmp_path, objective_options={"temperature": 0.5})
    assert model.config.objective_options == {"projection_size": 7, "temperature": 0.5}


def test_an_encoder_that_the_checkpoint_lacks_is_refused(pretrained: Path) -> None:
    weights = pretrained / "model.safetensors"
    kept = {key: value for key, value in load_file(weights).items() if "encoder.blocks.0.conv" not in key}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="are missing in checkpoint"):
        load_model(SslEcgForSequenceClassification, pretrained)


@pytest.mark.parametrize("name", ["nowhere", "/nowhere/at/all", "a/b/c", "no spaces/please"])
def test_neither_folder_nor_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="is no folder, and no repository of the Hub"):
        load_config(name)


def test_a_mistyped_folder_is_not_looked_for_on_the_hub(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    pretrained.rename(tmp_path / "runs" / "simclr")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"runs/simclt does not exist; checkpoints in runs: \['simclr'\]"):
        load_config("runs/simclt")


def test_a_repository_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise OSError("no connection,\ntry later.")

    monkeypatch.setattr(SslEcgConfig, "get_config_dict", unreachable)
    monkeypatch.chdir(tmp_path)
    expected = r"checkpoint runs/simclr is no folder here, .* from the Hub: no connection, try later$"
    with pytest.raises(ValueError, match=expected):
        load_config("runs/simclr")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "incomplete or damaged: it has no config.json; expected a folder written by"),
        ("{bad", "incomplete or damaged: .*not a valid JSON"),
        (json.dumps({"model_type": "bert"}), "is a model of type 'bert'; expected 'ssl_ecg'"),
        (json.dumps({"model_type": "ssl_ecg", "num_samples": "x"}), "configuration of .*'num_samples'"),
    ],
)
def test_folders_without_a_configuration_of_ours(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as refusal:
        load_model(SslEcgForSimCLR, tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("damage", ["remove", "truncate"])
def test_damaged_weights(damage: str, pretrained: Path) -> None:
    weights = pretrained / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    if damage == "truncate":
        weights.write_bytes(content[:1000])
    with pytest.raises(
        ValueError, match=r"pretrained is incomplete or damaged: .*; expected a folder written"
    ):
        load_model(SslEcgForSimCLR, pretrained)


def test_only_a_classifier_classifies(pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no classifier \(SslEcgForSimCLR\).*ssl-ecg finetune --model"):
        load_classifier(pretrained)
    SslEcgForSequenceClassification(SslEcgConfig(encoder_options=ENCODER)).save_pretrained(tmp_path / "c")
    assert isinstance(load_classifier(tmp_path / "c"), SslEcgForSequenceClassification)


def test_the_feature_extractor_of_a_checkpoint(pretrained: Path) -> None:
    with pytest.raises(ValueError, match="pretrained is incomplete or damaged"):
        load_feature_extractor(pretrained)
    SslEcgFeatureExtractor(sampling_rate=250.0).save_pretrained(pretrained)
    assert load_feature_extractor(pretrained).sampling_rate == 250.0
