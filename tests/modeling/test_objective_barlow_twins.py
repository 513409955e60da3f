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
    SslEcgForBarlowTwins,
    barlow_twins_loss,
)
from ssl_ecg_hf.modeling.objective_barlow_twins import BarlowTwinsOptions, dealt_leads

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}
# Two features without correlation, of variance 1.
CORNERS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def slow_pair(one: Tensor, other: Tensor, weight: float) -> Tensor:
    """Equations 1 and 2 of the paper, term by term, with a small number in the variances."""
    recordings, size = one.shape
    one, other = (branch - sum(branch) / recordings for branch in (one, other))
    total = torch.zeros((), dtype=one.dtype)
    for i in range(size):
        for j in range(size):
            covariance = sum(one[b, i] * other[b, j] for b in range(recordings)) / recordings
            of_one = sum(one[b, i] ** 2 for b in range(recordings)) / recordings + 1e-5
            of_other = sum(other[b, j] ** 2 for b in range(recordings)) / recordings + 1e-5
            correlation = covariance / (of_one.sqrt() * of_other.sqrt())
            total = total + ((1 - correlation) ** 2 if i == j else weight * correlation**2)
    return total


def slow_barlow_twins(projections: Tensor, weight: float) -> Tensor:
    views = projections.shape[1]
    terms = [
        slow_pair(projections[:, i], projections[:, j], weight)
        for i in range(views)
        for j in range(views)
        if i != j
    ]
    return sum(terms) / len(terms)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(2, 6),
    views=st.integers(2, 3),
    size=st.integers(1, 4),
    weight=st.sampled_from([5e-3, 0.1, 2.0]),
    seed=st.integers(0, 10_000),
)
def test_loss_and_gradient_equal_the_slow_loop(
    batch: int, views: int, size: int, weight: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Well apart, so that no variance is so small that float32 cannot tell it.
    spread = torch.arange(batch).view(-1, 1, 1) * torch.tensor(1.0)
    fast = (spread + torch.randn(batch, views, size, generator=generator)).requires_grad_()
    slow = fast.detach().double().requires_grad_()
    fast_loss = barlow_twins_loss(fast, redundancy_weight=weight)
    slow_loss = slow_barlow_twins(slow, weight)
    assert fast_loss.item() == pytest.approx(slow_loss.item(), rel=1e-3, abs=1e-4)
    fast_loss.backward()
    slow_loss.backward()
    assert (fast.grad.double() - slow.grad).abs().max() <= 1e-3 * (1 + slow.grad.abs().max())


def test_literal_values() -> None:
    same = torch.stack([CORNERS, CORNERS], dim=1)
    assert barlow_twins_loss(same).item() == pytest.approx(0, abs=1e-6)
    opposite = torch.stack([CORNERS, -CORNERS], dim=1)  # two features, (1 + 1) ** 2 each
    assert barlow_twins_loss(opposite).item() == pytest.approx(8, rel=1e-4)
    swapped = torch.stack([CORNERS, CORNERS.flip(1)], dim=1)  # agreement 0, two correlations 1 with others
    assert barlow_twins_loss(swapped, redundancy_weight=0.25).item() == pytest.approx(2.5, rel=1e-4)
    three = torch.stack([CORNERS, CORNERS, -CORNERS], dim=1)  # one pair of three agrees
    assert barlow_twins_loss(three).item() == pytest.approx(2 / 3 * 8, rel=1e-4)


def test_scale_and_shift_of_a_feature_do_not_matter() -> None:
    projections = torch.randn(20, 2, 4, generator=torch.Generator().manual_seed(0))
    changed = projections * torch.tensor([3.0, 1.0, 10.0, 1.0]) + torch.tensor([0.0, 5.0, -2.0, 1.0])
    torch.testing.assert_close(
        barlow_twins_loss(changed), barlow_twins_loss(projections), rtol=1e-4, atol=1e-4
    )


def test_collapse_is_penalised() -> None:
    varied = torch.randn(256, 2, 8, generator=torch.Generator().manual_seed(0))
    varied[:, 1] = varied[:, 0]
    assert barlow_twins_loss(varied).item() < 0.01
    assert barlow_twins_loss(torch.ones(256, 2, 8)).item() == 8
    repeated = varied[:, :, :1].repeat(1, 1, 8)  # 56 correlations that are 1
    assert barlow_twins_loss(repeated).item() == pytest.approx(56 * 5e-3, rel=1e-3)


def test_a_collapsed_batch_has_a_finite_gradient() -> None:
    projections = torch.ones(4, 2, 3, requires_grad=True)
    barlow_twins_loss(projections).backward()
    assert projections.grad.isfinite().all()


def test_loss_is_float32_under_autocast() -> None:
    projections = torch.randn(8, 2, 16).bfloat16()
    expected = barlow_twins_loss(projections.float())
    with torch.autocast("cpu", torch.bfloat16):
        loss = barlow_twins_loss(projections)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_one_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="got one recording; give at least two"):
        barlow_twins_loss(torch.randn(1, 2, 4))


# ---- leads ----


@settings(max_examples=30, deadline=None)
@given(leads=st.integers(1, 15), views=st.integers(1, 15), seed=st.integers(0, 10_000))
def test_each_lead_is_dealt_to_one_view(leads: int, views: int, seed: int) -> None:
    draws = torch.rand(7, leads, generator=torch.Generator().manual_seed(seed))
    dealt = dealt_leads(draws, views)
    assert dealt.shape == (7, views, leads)
    assert (dealt.sum(dim=1) == 1).all()
    counts = dealt.sum(dim=2)
    assert (counts.amax(dim=1) - counts.amin(dim=1) <= 1).all()


def test_every_lead_comes_to_every_view_equally_often() -> None:
    dealt = dealt_leads(torch.rand(6000, 12, generator=torch.Generator().manual_seed(0)), 2)
    torch.testing.assert_close(dealt.float().mean(dim=0), torch.full((2, 12), 0.5), rtol=0, atol=0.03)


def made(model: SslEcgForBarlowTwins, views: Tensor, seed: int = 0) -> Tensor:
    inputs = model.make_inputs(views, generator=torch.Generator().manual_seed(seed))
    assert list(inputs) == ["views"]
    return inputs["views"]


@pytest.mark.parametrize(
    ("num_views", "leads_of_a_view"), [(2, [6, 6]), (3, [4, 4, 4]), (5, [3, 3, 2, 2, 2])]
)
def test_lead_wise_views_have_no_lead_in_common(
    tiny_config: MakeConfig, num_views: int, leads_of_a_view: list[int]
) -> None:
    model = SslEcgForBarlowTwins(tiny_config(objective_options={**HEAD, "lead_wise": 1.0}))
    views = torch.randn(8, num_views, 12, 200)
    before = views.clone()
    found = made(model, views)
    assert torch.equal(views, before)
    present = found.any(dim=-1)
    assert (present.sum(dim=1) == 1).all()
    assert present.sum(dim=2).tolist() == [leads_of_a_view] * 8
    assert torch.equal(found, views * present.unsqueeze(-1))
    assert len({tuple(row) for row in present[:, 0].tolist()}) > 1  # recordings differ
    assert torch.equal(made(model, views), found)
    assert not torch.equal(made(model, views, seed=1), found)


def test_only_a_share_of_the_recordings_is_lead_wise(tiny_config: MakeConfig) -> None:
    model = SslEcgForBarlowTwins(tiny_config(objective_options={**HEAD, "lead_wise": 0.3}))
    present = made(model, torch.ones(4000, 2, 12, 1)).any(dim=-1)
    whole = present.all(dim=2).all(dim=1)
    assert float(whole.float().mean()) == pytest.approx(0.7, abs=0.03)
    assert (present[~whole].sum(dim=2) == 6).all()


def test_without_lead_wise_views_stay_and_nothing_is_drawn(tiny_config: MakeConfig) -> None:
    model = SslEcgForBarlowTwins(tiny_config(objective_options=HEAD))
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    views = torch.randn(3, 2, 12, 200)
    assert model.make_inputs(views, generator=generator)["views"] is views
    assert torch.equal(generator.get_state(), state)


def test_more_views_than_leads_cannot_be_lead_wise(tiny_config: MakeConfig) -> None:
    config = tiny_config(leads=["I", "II"], objective_options={**HEAD, "lead_wise": 0.5})
    with pytest.raises(ValueError, match="2 leads cannot be dealt out to 3 views: give no more views"):
        made(SslEcgForBarlowTwins(config), torch.ones(4, 3, 2, 200))


# ---- options and model ----


@pytest.mark.parametrize("option", ["redundancy_weight", "projection_layers", "projection_size"])
def test_options_must_be_positive(option: str) -> None:
    with pytest.raises(ValueError, match=rf"must be positive; got \{{'{option}': 0\}}"):
        BarlowTwinsOptions(**{option: 0})


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_the_share_of_lead_wise_recordings_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match=rf"lead_wise must lie in \[0, 1\]; got {share}"):
        BarlowTwinsOptions(lead_wise=share)


def test_defaults() -> None:
    options = BarlowTwinsOptions()
    assert (options.redundancy_weight, options.lead_wise) == (5e-3, 0)
    assert (options.projection_layers, options.hidden_size, options.projection_size) == (3, 2048, 2048)
    assert OBJECTIVES["barlow_twins"] is SslEcgForBarlowTwins


def test_forward_is_encoder_head_and_loss(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForBarlowTwins(tiny_config(objective_options={"redundancy_weight": 0.1, **HEAD})).eval()
    views = torch.randn(5, 3, 12, 200)
    with torch.no_grad():
        output = model(views)
        for view in range(3):
            embedding = model.encoder(views[:, view]).mean(dim=2)
            torch.testing.assert_close(output.pooler_output[:, view], embedding)
            torch.testing.assert_close(output.projections[:, view], model.projector(embedding))
    assert output.projections.shape == (5, 3, 12)
    torch.testing.assert_close(output.loss, barlow_twins_loss(output.projections, redundancy_weight=0.1))
    assert model(views[:1], return_loss=False).loss is None


def test_identical_views_agree_and_pay_for_redundancy_alone(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForBarlowTwins(tiny_config(objective_options={**HEAD, "redundancy_weight": 1e-9})).train()
    views = torch.randn(6, 1, 12, 200)
    assert model(views.repeat(1, 2, 1, 1)).loss < 1e-3
    assert model(torch.cat([views, torch.randn(6, 1, 12, 200)], dim=1)).loss > 1


@pytest.mark.parametrize("lead_wise", [0.0, 1.0])
def test_training_lowers_the_loss(tiny_config: MakeConfig, lead_wise: float) -> None:
    torch.manual_seed(0)
    options = {**HEAD, "lead_wise": lead_wise}
    model = SslEcgForBarlowTwins(tiny_config(objective_options=options)).train()
    # The leads of a recording share its rhythm, as those of a heart do.
    rhythm = torch.randn(16, 1, 1, 200) * torch.rand(1, 1, 12, 1).add(0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(40):
        views = rhythm + 0.1 * torch.randn(16, 2, 12, 200)
        loss = model(**model.make_inputs(views, generator=generator)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
