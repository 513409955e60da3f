from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ssl_ecg_hf.modeling import (
    OBJECTIVES,
    SslEcgConfig,
    SslEcgForSequenceClassification,
    barlow_twins_loss,
    byol_loss,
    clocs_loss,
    nt_xent_loss,
    vicreg_loss,
)

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}
# Each with something that is not the default.
OPTIONS: dict[str, dict[str, Any]] = {
    "barlow_twins": {**HEAD, "lead_wise": 0.5},
    "byol": {**HEAD, "ema_decay": 0.9},
    "clocs": {**HEAD, "variant": "cmsmlc"},
    "masked_reconstruction": {"block_seconds": 0.1},
    "simclr": {**HEAD, "temperature": 0.3},
    "vicreg": {**HEAD, "covariance_weight": 4.0},
}
# A shift that is the same for all recordings and views changes neither variance nor correlation, and the
# BatchNorm of a predictor takes it out again.
IDLE = {
    "barlow_twins": {"projector.6.bias"},
    "byol": {"projector.3.bias"},
    "vicreg": {"projector.6.bias"},
}


def make_inputs(model: Any) -> dict[str, Tensor]:
    views = torch.randn(6, 2, 12, 200, generator=torch.Generator().manual_seed(1))
    inputs = model.make_inputs(views, generator=torch.Generator().manual_seed(2))
    return inputs | {name: torch.tensor([5, 5, 7, 8, 9, -1]) for name in model.wanted_columns}


def test_each_objective_is_tested_here() -> None:
    assert set(OPTIONS) == set(OBJECTIVES)


@pytest.mark.parametrize("changes", [{}, {"pooling": "attention"}, {"encoder_options": {}}])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_reaches_every_parameter(
    name: str, tiny_config: MakeConfig, changes: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    model = OBJECTIVES[name](tiny_config(objective_options=OPTIONS[name], **changes)).train()
    with torch.no_grad():
        for parameter in model.parameters():  # attention starts at zero, where half of it has no gradient
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model(**make_inputs(model)).loss.backward()
    learning = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert all(parameter.grad is not None for parameter in learning.values())
    largest = max(float(parameter.grad.abs().max()) for parameter in learning.values())
    idle = {key for key, value in learning.items() if not value.grad.abs().max() > 1e-6 * largest}
    assert idle == IDLE.get(name, set())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_checkpoint_continues_where_it_stopped(name: str, tiny_config: MakeConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = OBJECTIVES[name](tiny_config(objective_options=OPTIONS[name])).train()
    inputs = make_inputs(model)
    model(**inputs).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    model.save_pretrained(tmp_path)
    loaded, info = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert loaded.options == model.options
    torch.testing.assert_close(loaded.train()(**inputs).loss, model.train()(**inputs).loss)
    _, info = SslEcgForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert {key.partition(".")[0] for key in info["missing_keys"]} == {"classifier"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_unknown_options_are_named(name: str, tiny_config: MakeConfig) -> None:
    with pytest.raises(ValueError, match=r"no option \['warmth'\] for \w+Options; it has \["):
        OBJECTIVES[name](tiny_config(objective_options={"warmth": 1}))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_that_make_their_own_views_are_not_augmented_by_default(name: str) -> None:
    expected = None if name in ("clocs", "masked_reconstruction") else "default"
    assert OBJECTIVES[name].default_augmentations == expected


@pytest.mark.parametrize("name", OBJECTIVES)
def test_weights_in_bfloat16_take_views_in_float32(name: str, tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = OBJECTIVES[name](tiny_config(objective_options=OPTIONS[name])).train()
    halved = copy.deepcopy(model).bfloat16()
    inputs = make_inputs(model)
    exact, found = model(**inputs), halved(**inputs)
    assert found.loss.dtype == found.pooler_output.dtype == torch.float32
    torch.testing.assert_close(found.loss, exact.loss, rtol=0.1, atol=0.1)
    found.loss.backward()
    assert all(value.grad.isfinite().all() for value in halved.parameters() if value.grad is not None)


@pytest.mark.parametrize("name", ["barlow_twins", "clocs", "simclr", "vicreg"])
def test_training_on_one_recording_is_refused_where_recordings_are_compared(
    name: str, tiny_config: MakeConfig
) -> None:
    model = OBJECTIVES[name](tiny_config(objective_options=OPTIONS[name])).train()
    inputs = {key: value[:1] for key, value in make_inputs(model).items()}
    with pytest.raises(ValueError, match="compares the recordings of a batch and got one recording"):
        model(**inputs)
    assert model(**inputs, return_loss=False).loss is None


@pytest.mark.parametrize("name", ["clocs", "simclr"])
def test_one_recording_is_evaluated(name: str, tiny_config: MakeConfig) -> None:
    model = OBJECTIVES[name](tiny_config(objective_options=OPTIONS[name])).eval()
    inputs = {key: value[:1] for key, value in make_inputs(model).items()}
    assert model(**inputs).loss.isfinite()


def _byol_loss(projections: Tensor) -> Tensor:
    return byol_loss(projections, projections)


@pytest.mark.parametrize("loss", [nt_xent_loss, clocs_loss, vicreg_loss, barlow_twins_loss, _byol_loss])
@pytest.mark.parametrize("shape", [(4, 1, 8), (4, 8)])
def test_losses_compare_at_least_two_views(loss: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(batch, views >= 2, size\)") as error:
        loss(torch.randn(shape))
    assert str(shape) in str(error.value)
