"""Every checkpoint loads into every class, with its encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForPreTraining, AutoModelForSequenceClassification

from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgForBarlowTwins,
    SslEcgForBYOL,
    SslEcgForCLOCS,
    SslEcgForMaskedReconstruction,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
    SslEcgForVICReg,
    SslEcgModel,
)
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

HEAD = {"hidden_size": 24, "projection_size": 12, "projection_layers": 2}
CLASSES: dict[str, type[SslEcgPreTrainedModel]] = {
    "encoder": SslEcgModel,
    "simclr": SslEcgForSimCLR,
    "byol": SslEcgForBYOL,
    "vicreg": SslEcgForVICReg,
    "barlow_twins": SslEcgForBarlowTwins,
    "clocs": SslEcgForCLOCS,
    "masked_reconstruction": SslEcgForMaskedReconstruction,
    "classifier": SslEcgForSequenceClassification,
}
HEADS: dict[str, set[str]] = {
    "encoder": set(),
    "simclr": {"projector"},
    "byol": {"projector", "predictor"},
    "vicreg": {"projector"},
    "barlow_twins": {"projector"},
    "clocs": {"projector"},
    "masked_reconstruction": {"decoder"},
    "classifier": {"classifier"},
}


def options(name: str) -> dict[str, int]:
    """Options of a small head, for those objectives that have such a head."""
    return {} if name == "masked_reconstruction" else HEAD


@pytest.fixture(scope="module")
def checkpoints(tiny_config: Callable[..., SslEcgConfig], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One checkpoint of each class, with other weights each."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for seed, (name, model_class) in enumerate(CLASSES.items()):
        torch.manual_seed(seed)
        model = model_class(tiny_config(objective_options=options(name)))
        model.train()
        signal = torch.randn(4, 12, 200)
        model.encoder(signal)  # so that statistics of BatchNorm are not the defaults
        model.save_pretrained(folder / name)
    return folder


@pytest.mark.parametrize("target", CLASSES)
@pytest.mark.parametrize("source", CLASSES)
def test_only_the_heads_that_a_checkpoint_lacks_are_missing(
    source: str, target: str, checkpoints: Path
) -> None:
    model, info = CLASSES[target].from_pretrained(
        checkpoints / source, objective_options=options(target), output_loading_info=True
    )
    missing = HEADS[target] - HEADS[source]
    assert {key.partition(".")[0] for key in info["missing_keys"]} == missing
    expected = {key for key in model.state_dict() if key.partition(".")[0] in missing}
    assert set(info["missing_keys"]) == expected
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    saved = CLASSES[source].from_pretrained(checkpoints / source)
    for part in {"encoder", *(HEADS[source] & HEADS[target])}:
        for key, value in saved.get_submodule(part).state_dict().items():
            assert torch.equal(model.get_submodule(part).state_dict()[key], value), (part, key)
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize(
    ("name", "auto", "pretraining"),
    [
        ("encoder", SslEcgModel, SslEcgForSimCLR),
        ("simclr", SslEcgModel, SslEcgForSimCLR),
        ("byol", SslEcgModel, SslEcgForBYOL),
        ("vicreg", SslEcgModel, SslEcgForVICReg),
        ("barlow_twins", SslEcgModel, SslEcgForBarlowTwins),
        ("clocs", SslEcgModel, SslEcgForCLOCS),
        ("masked_reconstruction", SslEcgModel, SslEcgForMaskedReconstruction),
        ("classifier", SslEcgForSequenceClassification, SslEcgForSimCLR),
    ],
)
def test_auto_classes_follow_the_checkpoint(
    name: str, auto: type, pretraining: type, checkpoints: Path
) -> None:
    assert type(AutoConfig.from_pretrained(checkpoints / name)) is SslEcgConfig
    assert type(AutoModel.from_pretrained(checkpoints / name)) is auto
    assert type(AutoModelForPreTraining.from_pretrained(checkpoints / name)) is pretraining
    classifier = AutoModelForSequenceClassification.from_pretrained(checkpoints / name)
    assert type(classifier) is SslEcgForSequenceClassification


def test_a_missing_encoder_is_not_overlooked(checkpoints: Path, tmp_path: Path) -> None:
    model = SslEcgModel.from_pretrained(checkpoints / "encoder")
    state = {name.replace("encoder.", "backbone."): value for name, value in model.state_dict().items()}
    model.save_pretrained(tmp_path, state_dict=state)
    _, info = SslEcgModel.from_pretrained(tmp_path, output_loading_info=True)
    assert set(info["missing_keys"]) == set(model.state_dict())
    assert {key.partition(".")[0] for key in info["unexpected_keys"]} == {"backbone"}


def test_options_and_heads_of_another_objective_can_be_left_behind(
    tiny_config: Callable[..., SslEcgConfig], tmp_path: Path
) -> None:
    simclr = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "temperature": 0.2}))
    simclr.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\['temperature'\] for BYOLOptions.*objective_options={}\)"):
        SslEcgForBYOL.from_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        SslEcgForVICReg.from_pretrained(tmp_path, objective_options={})
    for model_class in (SslEcgForBYOL, SslEcgForVICReg):
        model = model_class.from_pretrained(tmp_path, objective_options={}, ignore_mismatched_sizes=True)
        for key, value in simclr.encoder.state_dict().items():
            assert torch.equal(model.encoder.state_dict()[key], value)
        assert all(value.isfinite().all() for value in model.state_dict().values())
