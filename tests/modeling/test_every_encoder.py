"""What holds for every encoder, checked over the mapping."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_ecg_hf.modeling import ENCODERS, SslEcgConfig, SslEcgForSequenceClassification, SslEcgModel
from ssl_ecg_hf.modeling.encoder_base import Encoder

EACH = pytest.mark.parametrize("name", ENCODERS)
Options = Mapping[str, Mapping[str, Any]]


def tiny(name: str, options: Options, **more: Any) -> SslEcgConfig:
    leads = [f"L{index}" for index in range(more.pop("num_leads", 3))]
    return SslEcgConfig(leads=leads, encoder_type=name, encoder_options=dict(options[name]), **more)


def signals(batch: int = 4, leads: int = 3, samples: int = 120) -> Tensor:
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(1))


def test_every_encoder_has_small_options_and_a_file_of_its_name(tiny_encoders: Options) -> None:
    assert set(tiny_encoders) == set(ENCODERS)
    for name, encoder in ENCODERS.items():
        assert encoder.__module__.rpartition(".")[2] == f"encoder_{name}"


@EACH
def test_the_docstring_states_the_number_of_parameters_and_a_source(name: str) -> None:
    text = str(ENCODERS[name].__doc__)
    (stated,) = re.findall(r"([\d,]+) parameters", text)
    count = sum(parameter.numel() for parameter in ENCODERS[name](12).parameters())
    assert count == int(stated.replace(",", ""))
    assert "Reference:" in text


@EACH
@settings(max_examples=10, deadline=None)
@given(
    leads=st.integers(1, 15), samples=st.integers(40, 400), batch=st.integers(1, 3), seed=st.integers(0, 9)
)
def test_any_length_and_number_of_leads(
    name: str, tiny_encoders: Options, leads: int, samples: int, batch: int, seed: int
) -> None:
    torch.manual_seed(seed)
    encoder = SslEcgModel(tiny(name, tiny_encoders, num_leads=leads)).eval().encoder
    with torch.no_grad():
        hidden = encoder(signals(batch, leads, samples))
    assert hidden.shape[:2] == (batch, encoder.output_size)
    assert 1 <= hidden.shape[2] <= samples
    assert hidden.isfinite().all()


@EACH
def test_recordings_of_a_batch_do_not_touch_each_other(name: str, tiny_encoders: Options) -> None:
    encoder = SslEcgModel(tiny(name, tiny_encoders)).eval().encoder
    signal = signals()
    with torch.no_grad():
        torch.testing.assert_close(encoder(signal)[1:2], encoder(signal[1:2]), rtol=1e-4, atol=1e-5)


@EACH
def test_every_weight_learns_and_a_random_start_keeps_the_scale(name: str, tiny_encoders: Options) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(tiny(name, tiny_encoders, num_labels=2))
    output = model(signals(8), labels=torch.ones(8, 2))
    assert 1e-3 < float(output.pooler_output.detach().abs().mean()) < 1e3
    output.loss.backward()
    still = [
        key for key, value in model.encoder.named_parameters() if value.grad is None or not value.grad.any()
    ]
    assert not still


@EACH
def test_bfloat16_agrees_within_its_rounding(name: str, tiny_encoders: Options) -> None:
    torch.manual_seed(0)
    model = SslEcgModel(tiny(name, tiny_encoders)).eval()
    with torch.no_grad():
        exact = model(signals()).pooler_output
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(signals()).pooler_output
    scale = float(exact.abs().max())
    torch.testing.assert_close(rounded / scale, exact / scale, rtol=0.05, atol=0.05)


@EACH
def test_saved_and_loaded(name: str, tiny_encoders: Options, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SslEcgModel(tiny(name, tiny_encoders)).eval()
    model.save_pretrained(tmp_path)
    restored, info = SslEcgModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    with torch.no_grad():
        torch.testing.assert_close(restored.eval()(signals()).pooler_output, model(signals()).pooler_output)


@EACH
def test_gradient_checkpointing_changes_nothing(name: str, tiny_encoders: Options) -> None:
    results = []
    torch.manual_seed(0)
    start = SslEcgModel(tiny(name, tiny_encoders))
    for checkpointing in (False, True):
        model = copy.deepcopy(start).train()
        if checkpointing:
            model.activation_checkpointing_enable()
            assert model.encoder.gradient_checkpointing
        torch.manual_seed(1)  # of dropout
        for _ in range(2):
            model(signals()).pooler_output.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        results.append([*gradients, *model.buffers()])
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(two, one)


@EACH
def test_gradient_checkpointing_computes_blocks_again(
    name: str, tiny_encoders: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SslEcgModel(tiny(name, tiny_encoders)).train()
    model.activation_checkpointing_enable()
    blocks: list[Any] = []
    run = Encoder.run

    def counting(self: Encoder, block: torch.nn.Module, signal: Tensor) -> Tensor:
        # Before, not after: a second pass stops as soon as it has what the backward pass needs.
        block.register_forward_pre_hook(lambda *_: blocks.append(block))
        return run(self, block, signal)

    monkeypatch.setattr(Encoder, "run", counting)
    hidden = model.encoder(signals())
    first = len(blocks)
    assert first > 0
    hidden.sum().backward()
    assert len(blocks) == 2 * first


def test_gradient_checkpointing_changes_nothing_where_the_model_is_compiled(tiny_encoders: Options) -> None:
    results = []
    torch.manual_seed(0)
    start = SslEcgModel(tiny("cnn", tiny_encoders))
    for compiled in (False, True):
        model = copy.deepcopy(start).train()
        model.activation_checkpointing_enable()
        # The whole way of a compiled training but for the generated code.
        forward = torch.compile(model, backend="aot_eager", fullgraph=True) if compiled else model
        for _ in range(2):
            forward(signals()).pooler_output.square().sum().backward()
        results.append([*[parameter.grad for parameter in model.parameters()], *model.buffers()])
    torch.compiler.reset()
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(two, one)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@EACH
def test_half_precision_takes_recordings_in_float32(
    name: str, dtype: torch.dtype, tiny_encoders: Options
) -> None:
    torch.manual_seed(0)
    model = SslEcgModel(tiny(name, tiny_encoders)).eval()
    with torch.no_grad():
        exact = model(signals()).pooler_output
        found = model.to(dtype)(signals()).pooler_output
    assert found.dtype == torch.float32
    scale = float(exact.abs().max())
    torch.testing.assert_close(found / scale, exact / scale, rtol=0.05, atol=0.05)


@EACH
def test_torch_export_takes_other_lengths(name: str, tiny_encoders: Options) -> None:
    torch.manual_seed(0)
    encoder = SslEcgModel(tiny(name, tiny_encoders)).eval().encoder
    batch, samples = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("samples", min=40, max=4000)
    program = torch.export.export(
        encoder, (signals(3, 3, 240),), dynamic_shapes=({0: batch, 2: samples},), strict=False
    )
    with torch.no_grad():
        for length in (120, 240, 333):
            signal = signals(2, 3, length)
            torch.testing.assert_close(program.module()(signal), encoder(signal), rtol=1e-4, atol=1e-5)


def test_unknown_encoder_type_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown encoder_type 'alexnet'; known are \[.*'cnn'"):
        SslEcgModel(SslEcgConfig(encoder_type="alexnet"))
