from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_ecg_hf.modeling import (
    OBJECTIVES,
    SslEcgConfig,
    SslEcgForVICReg,
    vicreg_loss,
)
from ssl_ecg_hf.modeling.objective_vicreg import VICRegOptions

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}
# Two features without correlation, of standard deviation 2 sqrt(4 / 3) > 1.
CORNERS = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])


def slow_pair(one: Tensor, other: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Equation 6 of the paper, term by term, with equation 5 divided by the number of features."""
    recordings, size = one.shape
    distance = sum((a - b).square().sum() for a, b in zip(one, other, strict=True)) / recordings / size
    total = invariance * distance
    for branch in (one, other):
        mean = sum(branch) / recordings
        matrix = sum(torch.outer(row - mean, row - mean) for row in branch) / (recordings - 1)
        hinges = [torch.clamp(1 - (matrix[j, j] + 1e-4).sqrt(), min=0) for j in range(size)]
        squares = [matrix[i, j] ** 2 for i in range(size) for j in range(size) if i != j]
        total = total + variance * sum(hinges) / size + covariance * sum(squares) / size
    return total


def slow_vicreg(projections: Tensor, *weights: float) -> Tensor:
    views = projections.shape[1]
    terms = [
        slow_pair(projections[:, i], projections[:, j], *weights)
        for i in range(views)
        for j in range(views)
        if i != j
    ]
    return sum(terms) / len(terms)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(2, 6),
    views=st.integers(2, 4),
    size=st.integers(1, 5),
    weights=st.sampled_from([(25.0, 25.0, 1.0), (1.0, 2.0, 0.5), (3.0, 0.1, 7.0)]),
    scale=st.sampled_from([0.1, 0.7, 3.0]),
    seed=st.integers(0, 10_000),
)
def test_loss_and_gradient_equal_the_slow_loop(
    batch: int, views: int, size: int, weights: tuple[float, float, float], scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    fast = (scale * torch.randn(batch, views, size, generator=generator)).requires_grad_()
    slow = fast.detach().double().requires_grad_()
    names = ("invariance_weight", "variance_weight", "covariance_weight")
    fast_loss = vicreg_loss(fast, **dict(zip(names, weights, strict=True)))
    slow_loss = slow_vicreg(slow, *weights)
    assert fast_loss.item() == pytest.approx(slow_loss.item(), rel=1e-4, abs=1e-4)
    fast_loss.backward()
    slow_loss.backward()
    torch.testing.assert_close(fast.grad.double(), slow.grad, rtol=1e-3, atol=1e-3)


def only(name: str, projections: Tensor) -> float:
    """One of the three terms, with the weight 1."""
    weights = dict.fromkeys(("invariance_weight", "variance_weight", "covariance_weight"), 0.0)
    return vicreg_loss(projections, **{**weights, f"{name}_weight": 1.0}).item()


def test_literal_values_of_the_three_terms() -> None:
    same = torch.stack([CORNERS, CORNERS], dim=1)
    assert [only(name, same) for name in ("invariance", "variance", "covariance")] == [0, 0, 0]
    shifted = torch.stack([CORNERS, CORNERS + 3], dim=1)
    assert [only(name, shifted) for name in ("invariance", "variance", "covariance")] == [9, 0, 0]
    # Standard deviation 0.6 sqrt(4 / 3) in both views.
    short = 0.3 * same
    assert only("variance", short) == pytest.approx(2 * (1 - (0.36 * 4 / 3 + 1e-4) ** 0.5), rel=1e-6)
    # Two features that are one: covariance 16 / 3, two such pairs over two features, in both views.
    repeated = same[:, :, :1].repeat(1, 1, 2)
    assert only("covariance", repeated) == pytest.approx(2 * (16 / 3) ** 2, rel=1e-6)


def test_collapse_is_penalised() -> None:
    varied = torch.randn(256, 2, 8, generator=torch.Generator().manual_seed(0))
    varied[:, 1] = varied[:, 0]
    collapsed = torch.ones(256, 2, 8)
    assert vicreg_loss(collapsed).item() == pytest.approx(25 * 2 * (1 - 0.01), rel=1e-6)
    assert vicreg_loss(varied).item() < 0.1 * vicreg_loss(collapsed).item()
    repeated = varied[:, :, :1].repeat(1, 1, 8)  # varied, but all features are one
    assert vicreg_loss(repeated).item() > 5 * vicreg_loss(varied).item()


def test_a_collapsed_batch_has_a_finite_gradient() -> None:
    projections = torch.ones(4, 2, 3, requires_grad=True)
    vicreg_loss(projections).backward()
    assert projections.grad.isfinite().all()


def test_order_of_views_and_recordings_does_not_matter() -> None:
    projections = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
    expected = vicreg_loss(projections)
    torch.testing.assert_close(vicreg_loss(projections[:, [2, 0, 1]]), expected)
    torch.testing.assert_close(vicreg_loss(projections[[3, 5, 0, 1, 4, 2]]), expected)


def test_loss_is_float32_under_autocast() -> None:
    projections = torch.randn(8, 2, 16).bfloat16()
    expected = vicreg_loss(projections.float())
    with torch.autocast("cpu", torch.bfloat16):
        loss = vicreg_loss(projections)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_one_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="got one recording; give at least two"):
        vicreg_loss(torch.randn(1, 2, 4))


@pytest.mark.parametrize(
    "option",
    ["invariance_weight", "variance_weight", "covariance_weight", "projection_layers", "hidden_size"],
)
def test_options_must_be_positive(option: str) -> None:
    with pytest.raises(ValueError, match=rf"must be positive; got \{{'{option}': 0\}}"):
        VICRegOptions(**{option: 0})


def test_defaults_are_those_of_the_paper_but_for_the_width() -> None:
    options = VICRegOptions()
    assert (options.invariance_weight, options.variance_weight, options.covariance_weight) == (25, 25, 1)
    assert (options.projection_layers, options.hidden_size, options.projection_size) == (3, 2048, 2048)
    assert OBJECTIVES["vicreg"] is SslEcgForVICReg


def test_forward_is_encoder_head_and_loss(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    weights = {"invariance_weight": 2.0, "variance_weight": 3.0, "covariance_weight": 0.5}
    model = SslEcgForVICReg(tiny_config(objective_options={**HEAD, **weights})).eval()
    views = torch.randn(5, 3, 12, 200)
    with torch.no_grad():
        output = model(views)
        for view in range(3):
            embedding = model.encoder(views[:, view]).mean(dim=2)
            torch.testing.assert_close(output.pooler_output[:, view], embedding)
            torch.testing.assert_close(output.projections[:, view], model.projector(embedding))
    assert output.projections.shape == (5, 3, 12)
    torch.testing.assert_close(output.loss, vicreg_loss(output.projections, **weights))
    assert model(views[:1], return_loss=False).loss is None


def test_identical_views_still_pay_for_what_does_not_vary(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForVICReg(tiny_config(objective_options=HEAD)).eval()
    views = torch.randn(5, 1, 12, 200).repeat(1, 2, 1, 1)
    projections = model(views).projections
    assert torch.equal(projections[:, 0], projections[:, 1])
    assert only("invariance", projections) == 0
    assert model(views).loss > 0


@pytest.mark.parametrize("shape", [(4, 12, 200), (4, 1, 12, 200)])
def test_fewer_than_two_views_are_refused(tiny_config: MakeConfig, shape: tuple[int, ...]) -> None:
    model = SslEcgForVICReg(tiny_config(objective_options=HEAD))
    with pytest.raises(ValueError, match="num_views >= 2"):
        model(torch.zeros(shape))


def test_training_lowers_the_loss_and_keeps_recordings_apart(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForVICReg(tiny_config(objective_options=HEAD)).train()
    records = torch.randn(16, 1, 12, 200)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        output = model(records + 0.1 * torch.randn(16, 2, 12, 200))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert output.projections[:, 0].std(dim=0).mean() > 0.5
