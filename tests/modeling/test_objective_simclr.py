from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSimCLR, nt_xent_loss
from ssl_ecg_hf.modeling.objective_simclr import SimCLROptions

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}


def slow_nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Equation 1 of the paper, term by term; with more than two views every other view is a positive."""
    batch, views, _ = projections.shape
    everyone = [(record, view) for record in range(batch) for view in range(views)]
    unit = {key: projections[key] / projections[key].norm() for key in everyone}
    terms = []
    for anchor in everyone:
        total = sum(torch.exp(unit[anchor] @ unit[key] / temperature) for key in everyone if key != anchor)
        terms += [
            total.log() - unit[anchor] @ unit[key] / temperature
            for key in everyone
            if key[0] == anchor[0] and key != anchor
        ]
    return torch.stack(terms).mean()


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 4),
    views=st.integers(2, 4),
    size=st.integers(2, 6),
    temperature=st.sampled_from([0.05, 0.1, 0.5, 1.0, 3.0]),
    seed=st.integers(0, 10_000),
)
def test_loss_and_gradient_equal_the_slow_loop(
    batch: int, views: int, size: int, temperature: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    fast = torch.randn(batch, views, size, generator=generator).requires_grad_()
    slow = fast.detach().double().requires_grad_()
    fast_loss, slow_loss = nt_xent_loss(fast, temperature=temperature), slow_nt_xent(slow, temperature)
    assert fast_loss.item() == pytest.approx(slow_loss.item(), rel=2e-5, abs=2e-5)
    fast_loss.backward()
    slow_loss.backward()
    torch.testing.assert_close(fast.grad.double(), slow.grad, rtol=1e-3, atol=5e-5)


@pytest.mark.parametrize("batch", [2, 4, 7])
def test_identical_views_of_different_records_cost_almost_nothing(batch: int) -> None:
    identical = torch.eye(batch).unsqueeze(1).repeat(1, 2, 1)
    expected = math.log1p((2 * batch - 2) * math.exp(-10))
    assert float(nt_xent_loss(identical, temperature=0.1)) == pytest.approx(expected, abs=1e-6)
    assert float(nt_xent_loss(identical, temperature=0.02)) == pytest.approx(0, abs=1e-6)


def test_a_view_paired_with_another_record_costs_much() -> None:
    # The known slip of one in the index of the positive turns the former case into this one.
    slipped = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0)], dim=1)
    assert float(nt_xent_loss(slipped, temperature=0.1)) == pytest.approx(
        math.log(math.exp(10) + 6), rel=1e-6
    )


def test_collapsed_projections_cost_the_logarithm_of_the_candidates() -> None:
    assert float(nt_xent_loss(torch.ones(5, 2, 3))) == pytest.approx(math.log(9), rel=1e-6)


def test_length_of_projections_does_not_matter() -> None:
    projections = torch.randn(3, 2, 8)
    scaled = projections * torch.tensor([0.1, 1.0, 50.0]).view(3, 1, 1)
    torch.testing.assert_close(nt_xent_loss(scaled), nt_xent_loss(projections))


def test_loss_is_float32_under_autocast() -> None:
    projections = torch.randn(8, 2, 16).bfloat16()
    expected = nt_xent_loss(projections.float())
    with torch.autocast("cpu", torch.bfloat16):
        loss = nt_xent_loss(projections)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("option", ["temperature", "hidden_size", "projection_size"])
def test_options_must_be_positive(option: str) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        SimCLROptions(**{option: 0})


def test_unknown_options_are_named(tiny_config: MakeConfig) -> None:
    with pytest.raises(ValueError, match=r"no option \['tau'\] for SimCLROptions; it has \['temperature'"):
        SslEcgForSimCLR(tiny_config(objective_options={"tau": 0.1}))


def test_forward_is_encoder_head_and_loss(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForSimCLR(tiny_config(objective_options={"temperature": 0.3, **HEAD})).eval()
    views = torch.randn(5, 3, 12, 200)
    with torch.no_grad():
        output = model(views)
        for view in range(3):  # in evaluation mode a view does not see the others
            embedding = model.encoder(views[:, view]).mean(dim=2)
            torch.testing.assert_close(output.pooler_output[:, view], embedding)
            torch.testing.assert_close(output.projections[:, view], model.projector(embedding))
    assert output.projections.shape == (5, 3, 12)
    torch.testing.assert_close(output.loss, nt_xent_loss(output.projections, temperature=0.3))
    assert model(views, return_loss=False).loss is None


@pytest.mark.parametrize("shape", [(4, 12, 200), (4, 1, 12, 200)])
def test_fewer_than_two_views_are_refused(tiny_config: MakeConfig, shape: tuple[int, ...]) -> None:
    model = SslEcgForSimCLR(tiny_config(objective_options=HEAD))
    with pytest.raises(ValueError, match="num_views >= 2"):
        model(torch.zeros(shape))


def test_training_separates_records(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForSimCLR(tiny_config(objective_options=HEAD)).train()
    records = torch.randn(8, 1, 12, 200)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = model(records + 0.1 * torch.randn(8, 2, 12, 200)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("views", [2, 3])
def test_chunks_change_neither_loss_nor_gradient(monkeypatch: pytest.MonkeyPatch, views: int) -> None:
    from ssl_ecg_hf.modeling import objective_simclr

    projections = torch.randn(20, views, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    whole = nt_xent_loss(projections, temperature=0.2)
    (whole_gradient,) = torch.autograd.grad(whole, projections)
    monkeypatch.setattr(objective_simclr, "CHUNK_SIMILARITIES", 7 * 20 * views)  # 7 anchors at a time
    chunked = nt_xent_loss(projections, temperature=0.2)
    (chunked_gradient,) = torch.autograd.grad(chunked, projections)
    torch.testing.assert_close(chunked, whole)
    torch.testing.assert_close(chunked_gradient, whole_gradient)


def test_separate_views_have_batch_statistics_of_their_own(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    together = SslEcgForSimCLR(tiny_config(objective_options=HEAD)).train()
    apart = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "separate_views": True})).train()
    apart.load_state_dict(together.state_dict())
    views = torch.randn(6, 3, 12, 200) * torch.tensor([0.1, 1.0, 4.0]).view(1, 3, 1, 1)
    found = apart(views)
    expected = []
    for view in range(3):
        embedding = apart.encoder(apart.prepare(views[:, view])).mean(dim=-1)
        expected.append(apart.projector(embedding))
    torch.testing.assert_close(found.projections, torch.stack(expected, dim=1))
    assert found.pooler_output.shape == (6, 3, apart.encoder.output_size)
    assert not torch.allclose(found.projections, together(views).projections, atol=1e-2)


def test_without_batch_statistics_separate_views_change_nothing(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    together = SslEcgForSimCLR(tiny_config(objective_options=HEAD)).eval()
    apart = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "separate_views": True})).eval()
    apart.load_state_dict(together.state_dict())
    views = torch.randn(4, 2, 12, 200)
    torch.testing.assert_close(apart(views).loss, together(views).loss)
