from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import Trainer, TrainingArguments

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForBYOL, SslEcgForSimCLR, nt_xent_loss, objective_simclr
from ssl_ecg_hf.modeling.objective_simclr import SimCLROptions

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}


def slow_nt_xent(projections: Tensor, temperature: float, patients: list[int] | None = None) -> Tensor:
    """Equation 1 of the paper, term by term; with more than two views every other view is a positive.

    Other recordings of a known patient do not count.
    """
    batch, views, _ = projections.shape
    patients = [-1] * batch if patients is None else patients

    def counts(anchor: int, other: int) -> bool:
        return anchor == other or patients[anchor] < 0 or patients[anchor] != patients[other]

    everyone = [(record, view) for record in range(batch) for view in range(views)]
    unit = {key: projections[key] / projections[key].norm() for key in everyone}
    terms = []
    for anchor in everyone:
        total = sum(
            torch.exp(unit[anchor] @ unit[key] / temperature)
            for key in everyone
            if key != anchor and counts(anchor[0], key[0])
        )
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


@settings(max_examples=40, deadline=None)
@given(
    patients=st.lists(st.integers(-2, 3), min_size=1, max_size=6),
    views=st.integers(2, 4),
    temperature=st.sampled_from([0.1, 0.5, 3.0]),
    chunk=st.sampled_from([1, 3, 10_000]),
    seed=st.integers(0, 10_000),
)
def test_patient_aware_loss_and_gradient_equal_the_slow_loop(
    patients: list[int], views: int, temperature: float, chunk: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    fast = torch.randn(len(patients), views, 5, generator=generator).requires_grad_()
    slow = fast.detach().double().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_simclr, "CHUNK_SIMILARITIES", chunk * len(patients) * views)
        fast_loss = nt_xent_loss(fast, temperature=temperature, patient_ids=torch.tensor(patients))
        fast_loss.backward()
    slow_loss = slow_nt_xent(slow, temperature, patients)
    slow_loss.backward()
    assert fast_loss.item() == pytest.approx(slow_loss.item(), rel=2e-5, abs=2e-5)
    torch.testing.assert_close(fast.grad.double(), slow.grad, rtol=1e-3, atol=5e-5)


@settings(max_examples=20, deadline=None)
@given(
    ids=st.one_of(
        st.permutations(range(6)),
        st.lists(st.integers(-3, -1), min_size=6, max_size=6),
        st.just([2**62, 2**62 + 1, 0, -1, -1, 5]),
    )
)
def test_patients_with_one_recording_each_change_nothing(ids: list[int]) -> None:
    projections = torch.randn(6, 3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nt_xent_loss(projections, patient_ids=torch.tensor(ids)), nt_xent_loss(projections))


def test_collapse_costs_the_logarithm_of_the_candidates_of_other_patients() -> None:
    # Patient 7 has three recordings of two views: 1 positive and the 4 views of others; patient 8 and the
    # unknown one see all 9 other views.
    loss = nt_xent_loss(torch.ones(5, 2, 3), patient_ids=torch.tensor([7, 8, 7, -1, 7]))
    assert float(loss) == pytest.approx((3 * math.log(5) + 2 * math.log(9)) / 5, rel=1e-6)


def test_recordings_of_one_patient_alone_cost_nothing() -> None:
    projections = torch.randn(4, 2, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = nt_xent_loss(projections, patient_ids=torch.full((4,), 3))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert projections.grad.abs().max() < 1e-6


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            torch.tensor([1, 2]),
            r"torch.int64 of shape \(2,\); expected one integer a recording, shape \(3,\)",
        ),
        (torch.tensor([[1], [2], [3]]), r"of shape \(3, 1\); expected"),
        (torch.tensor([1.0, 2.0, 3.0]), "patient_ids is torch.float32"),
    ],
)
def test_other_patient_ids_are_refused(ids: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nt_xent_loss(torch.randn(3, 2, 4), patient_ids=ids)


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


@pytest.mark.parametrize("option", ["temperature", "hidden_size", "projection_size", "projection_layers"])
def test_options_must_be_positive(option: str) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        SimCLROptions(**{option: 0})


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


# ---- options of the head and of the loss ----


@pytest.mark.parametrize(
    ("layers", "shapes"),
    [
        (1, {"0": (12, 16)}),
        (2, {"0": (24, 16), "3": (12, 24)}),
        (3, {"0": (24, 16), "3": (24, 24), "6": (12, 24)}),
    ],
)
def test_layers_of_the_projection_head(
    tiny_config: MakeConfig, layers: int, shapes: dict[str, tuple[int, int]]
) -> None:
    model = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "projection_layers": layers}))
    linear = {
        name: tuple(module.weight.shape)
        for name, module in model.projector.named_children()
        if isinstance(module, torch.nn.Linear)
    }
    assert linear == shapes
    assert model(torch.randn(3, 2, 12, 200)).projections.shape == (3, 2, 12)


def test_names_of_the_default_head_are_those_of_earlier_checkpoints(tiny_config: MakeConfig) -> None:
    names = SslEcgForSimCLR(tiny_config(objective_options=HEAD)).projector.state_dict()
    statistics = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(names) == ["0.weight", *[f"1.{name}" for name in statistics], "3.weight", "3.bias"]


def test_a_patient_aware_model_compares_patients(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "patient_aware": True})).eval()
    plain = SslEcgForSimCLR(tiny_config(objective_options=HEAD)).eval()
    plain.load_state_dict(model.state_dict())
    views, ids = torch.randn(4, 2, 12, 200), torch.tensor([5, -1, 5, -1])
    assert model.wanted_columns == {"patient_ids": "patient_id"}
    assert plain.wanted_columns == SslEcgForBYOL(tiny_config(objective_options=HEAD)).wanted_columns == {}
    found = model(views, patient_ids=ids)
    torch.testing.assert_close(found.loss, nt_xent_loss(found.projections, patient_ids=ids))
    assert found.loss < plain(views).loss
    assert torch.equal(plain(views, patient_ids=ids).loss, plain(views).loss)
    assert torch.equal(model(views, return_loss=False).projections, found.projections)
    with pytest.raises(ValueError, match="patient_aware=True, but forward got no patient_ids: give a tensor"):
        model(views)


@pytest.mark.parametrize("aware", [False, True])
def test_the_plain_trainer_trains_and_evaluates(tiny_config: MakeConfig, tmp_path: Path, aware: bool) -> None:
    torch.manual_seed(0)
    model = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "patient_aware": aware}))
    rows = [{"views": views, **({"patient_ids": 3} if aware else {})} for views in torch.randn(8, 2, 12, 64)]
    args = TrainingArguments(
        str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        per_device_eval_batch_size=4,
        label_names=[],
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model, args, train_dataset=rows, eval_dataset=rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    losses.append(trainer.evaluate()["eval_loss"])
    assert len(losses) == 3
    if aware:  # all recordings are of one patient: nothing is a negative
        assert losses == pytest.approx([0, 0, 0], abs=1e-5)
    else:
        assert min(losses) > 0.1
