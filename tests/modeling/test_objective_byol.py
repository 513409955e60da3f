from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Trainer, TrainingArguments

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForBYOL, SslEcgForSimCLR, SslEcgModel, byol_loss
from ssl_ecg_hf.modeling.objective_byol import BYOLOptions, ema_decay

MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}


@pytest.fixture
def model(tiny_config: MakeConfig) -> SslEcgForBYOL:
    torch.manual_seed(0)
    return SslEcgForBYOL(tiny_config(objective_options={"ema_decay": 0.9, **HEAD}))


def pairs(model: SslEcgForBYOL) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Every tensor of the target beside that of the online network."""
    state = model.state_dict()
    return {
        name: (value, state[name.removeprefix("target_")])
        for name, value in state.items()
        if name.startswith("target_")
    }


def assert_target_is_online(model: SslEcgForBYOL) -> None:
    found = pairs(model)
    assert len(found) == 2 * 6 + 1 + 5 + 2  # two blocks, then Linear, BatchNorm, Linear with bias
    for name, (target, online) in found.items():
        assert torch.equal(target, online), name


def assert_target_is_frozen(model: SslEcgForBYOL) -> None:
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != name.startswith("target_"), name


def step(model: SslEcgForBYOL, *, progress: float = 0.0, lr: float = 0.1) -> None:
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)
    model(torch.randn(4, 2, 12, 200)).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    model.after_optimizer_step(progress)


@settings(max_examples=30, deadline=None)
@given(batch=st.integers(1, 4), views=st.integers(2, 4), size=st.integers(1, 6), seed=st.integers(0, 10_000))
def test_loss_equals_the_slow_loop(batch: int, views: int, size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    predictions, targets = torch.randn(2, batch, views, size, generator=generator)
    terms = []
    for record in range(batch):
        for i in range(views):
            for j in range(views):
                if i != j:
                    online = predictions[record, i] / predictions[record, i].norm()
                    target = targets[record, j] / targets[record, j].norm()
                    terms.append(float((online - target).square().sum()))
    assert float(byol_loss(predictions, targets)) == pytest.approx(sum(terms) / len(terms), abs=1e-5)


def test_loss_of_opposite_and_orthogonal_vectors() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    same, crossed = torch.stack([a, a])[None], torch.stack([b, b])[None]
    assert float(byol_loss(same, 3 * same)) == 0.0
    assert float(byol_loss(same, crossed)) == 2.0
    assert float(byol_loss(same, -same)) == 4.0
    # A view is never compared with the target's projection of the same view.
    assert float(byol_loss(torch.stack([a, b])[None], torch.stack([b, a])[None])) == 0.0


def test_loss_is_float32_under_autocast_and_leaves_targets_alone() -> None:
    predictions = torch.randn(8, 2, 16).bfloat16().requires_grad_()
    targets = torch.randn(8, 2, 16).bfloat16().requires_grad_()
    expected = byol_loss(predictions.float(), targets.float())
    with torch.autocast("cpu", torch.bfloat16):
        loss = byol_loss(predictions, targets)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)
    loss.backward()
    assert targets.grad is None
    assert predictions.grad is not None


@pytest.mark.parametrize(
    ("base", "progress", "expected"),
    [
        (0.99, 0.0, 0.99),
        (0.99, 0.25, 0.9914644661),
        (0.99, 0.5, 0.995),
        (0.99, 1.0, 1.0),
        (0.0, 0.0, 0.0),
        (1.0, 0.3, 1.0),
    ],
)
def test_decay_follows_half_a_cosine(base: float, progress: float, expected: float) -> None:
    assert ema_decay(base, progress) == pytest.approx(expected, abs=1e-10)


def test_options_are_checked(tiny_config: MakeConfig) -> None:
    with pytest.raises(ValueError, match=r"ema_decay must lie in \[0, 1\]; got 1\.1"):
        BYOLOptions(ema_decay=1.1)
    with pytest.raises(ValueError, match=r"must be positive; got \{.projection_size.: 0\}"):
        BYOLOptions(projection_size=0)
    with pytest.raises(ValueError, match=r"no option \['temperature'\] for BYOLOptions"):
        SslEcgForBYOL(tiny_config(objective_options={"temperature": 0.1}))


def test_a_fresh_target_is_the_online_network(model: SslEcgForBYOL) -> None:
    assert_target_is_online(model)
    assert_target_is_frozen(model)
    assert int(model.num_target_updates) == 0


def test_encoders_and_heads_are_not_one_object(model: SslEcgForBYOL) -> None:
    addresses = [parameter.data_ptr() for parameter in model.parameters()]
    assert len(set(addresses)) == len(addresses)


def test_a_round_trip_keeps_the_target_and_its_counter(model: SslEcgForBYOL, tmp_path: Path) -> None:
    for _ in range(3):
        step(model)
    assert any(not torch.equal(*pair) for pair in pairs(model).values())
    model.save_pretrained(tmp_path)
    loaded, info = SslEcgForBYOL.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert int(loaded.num_target_updates) == 3
    assert_target_is_frozen(loaded)
    assert_target_is_frozen(loaded.train())


@pytest.mark.parametrize("source", [SslEcgModel, SslEcgForSimCLR])
def test_from_a_checkpoint_without_target_the_target_is_the_online_network(
    source: type[SslEcgModel] | type[SslEcgForSimCLR], tiny_config: MakeConfig, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = source(tiny_config(objective_options=HEAD))
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.0)  # statistics of BatchNorm too
    other.save_pretrained(tmp_path)
    loaded = SslEcgForBYOL.from_pretrained(tmp_path)
    for name, value in other.encoder.state_dict().items():
        assert torch.equal(loaded.encoder.state_dict()[name], value), name
    assert_target_is_online(loaded)
    assert_target_is_frozen(loaded)


def test_the_target_moves_by_the_decay_in_parameters_and_statistics(model: SslEcgForBYOL) -> None:
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.fill_(1.0 if name.startswith("target_") else 3.0)
            elif name.endswith("num_batches_tracked"):
                value.fill_(2 if name.startswith("target_") else 7)
    model.after_optimizer_step(0.0)  # decay 0.9
    for name, (target, online) in pairs(model).items():
        if target.is_floating_point():
            torch.testing.assert_close(target, torch.full_like(target, 0.9 * 1 + 0.1 * 3), msg=name)
            assert (online == 3).all()
        else:
            assert int(target) == 7
    model.after_optimizer_step(0.5)  # decay 0.95
    weight = model.target_encoder.blocks[0].conv.weight
    torch.testing.assert_close(weight, torch.full_like(weight, 0.95 * 1.2 + 0.05 * 3))
    model.after_optimizer_step(1.0)  # decay 1: the target stands still
    torch.testing.assert_close(weight, torch.full_like(weight, 1.29))
    assert int(model.num_target_updates) == 3


def test_a_forward_pass_leaves_the_statistics_of_the_target_alone(model: SslEcgForBYOL) -> None:
    before = copy.deepcopy(model.state_dict())
    model.train()(torch.randn(4, 2, 12, 200))
    for name, (target, online) in pairs(model).items():
        if name.endswith(("running_mean", "running_var")):
            assert torch.equal(target, before[name]), name
            assert not torch.equal(online, before[name]), name


def test_the_target_gets_no_gradient(model: SslEcgForBYOL) -> None:
    model.train()(torch.randn(4, 2, 12, 200)).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("target_"), name


def test_the_target_normalises_by_the_batch_while_training(model: SslEcgForBYOL) -> None:
    views = torch.randn(4, 2, 12, 200)
    training = model.train().project_target(views)
    assert not torch.allclose(training, model.eval().project_target(views), atol=1e-3)
    assert training.requires_grad is False


def test_forward_predicts_the_target(model: SslEcgForBYOL) -> None:
    views = torch.randn(3, 2, 12, 200)
    for _ in range(2):
        step(model)
    model.eval()
    with torch.no_grad():
        output = model(views)
        predictions = model.predictor(output.projections.flatten(0, 1)).unflatten(0, (3, 2))
        targets = [
            model.target_projector(model.target_encoder(views[:, view]).mean(dim=2)) for view in range(2)
        ]
    torch.testing.assert_close(output.loss, byol_loss(predictions, torch.stack(targets, dim=1)))
    assert output.projections.shape == (3, 2, 12)
    assert output.pooler_output.shape == (3, 2, 16)
    assert model(views, return_loss=False).loss is None


def test_separate_views_pass_through_all_networks_alone(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForBYOL(tiny_config(objective_options={**HEAD, "separate_views": True})).train()
    views = torch.randn(6, 2, 12, 200) * torch.tensor([0.1, 4.0]).view(1, 2, 1, 1)
    found = model(views)
    predicted, wanted = [], []
    for view in (views[:, :1], views[:, 1:]):
        online = model.projector(model.encoder(model.prepare(view[:, 0])).mean(dim=-1))
        predicted.append(model.predictor(online))
        wanted.append(model.project_target(view)[:, 0])
    expected = byol_loss(torch.stack(predicted, dim=1), torch.stack(wanted, dim=1))
    torch.testing.assert_close(found.loss, expected)


def rows(count: int) -> list[dict[str, torch.Tensor]]:
    views = torch.randn(count, 2, 12, 40, generator=torch.Generator().manual_seed(3))
    return [{"views": one} for one in views]


def plain_trainer(model: SslEcgForBYOL, folder: Path, *, steps: int, **given: Any) -> Trainer:
    args = TrainingArguments(
        str(folder),
        max_steps=steps,
        per_device_train_batch_size=2,
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        gradient_accumulation_steps=given.pop("gradient_accumulation_steps", 1),
    )
    return Trainer(model, args, train_dataset=rows(8), **given)


def test_the_plain_trainer_moves_the_target_with_the_models_callbacks(
    model: SslEcgForBYOL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssl_ecg_hf.modeling.objective_byol.UNMOVED", 2)
    before = copy.deepcopy(model.target_encoder.state_dict())
    plain_trainer(model, tmp_path, steps=4, callbacks=model.trainer_callbacks()).train()
    assert int(model.num_target_updates) == 4
    weight = "blocks.0.conv.weight"
    assert not torch.equal(before[weight], model.target_encoder.state_dict()[weight])


def test_a_target_that_nobody_moves_is_told_once(
    model: SslEcgForBYOL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssl_ecg_hf.modeling.objective_byol.UNMOVED", 3)
    with pytest.warns(
        UserWarning, match=r"in 6 passes the target has not moved: .*trainer_callbacks"
    ) as told:
        plain_trainer(model, tmp_path, steps=13).train()
    assert len(told) == 1
    assert int(model.num_target_updates) == 0


def test_passes_without_a_step_of_the_optimizer_do_not_count(
    model: SslEcgForBYOL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssl_ecg_hf.modeling.objective_byol.UNMOVED", 3)
    model.train()
    for _ in range(20):
        model(torch.randn(2, 2, 12, 40))
    callbacks = model.trainer_callbacks()
    plain_trainer(model, tmp_path, steps=2, gradient_accumulation_steps=10, callbacks=callbacks).train()
    assert int(model.num_target_updates) == 2
