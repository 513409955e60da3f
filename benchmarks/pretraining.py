"""Recordings per second in SimCLR pretraining: the plain way, the Trainer, and the bare step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks import compiled
from benchmarks.context import Context
from benchmarks.models import BareStep
from benchmarks.plain_process import PlainProcess
from benchmarks.reference import ReferencePretraining
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call
from benchmarks.trainer_run import seconds_per_step
from ssl_ecg_hf.training import PRESETS, build_augmentation
from ssl_ecg_hf.training.views import make_views, seeded_generator

REFERENCE = "reference"
TRAINER = "SslEcgTrainer, bfloat16"
PLAIN_FLOAT32 = "model step only, float32 conv1d, plain"
FLOAT32 = "model step only, float32 conv1d"
BFLOAT16 = "model step only, bfloat16"
COMPILED = "model step only, bfloat16, compiled"

METHOD = (
    f"SimCLR with the six-block CNN (538,624 parameters) and the preset `default`. *{REFERENCE}* "
    "(`benchmarks/reference.py`): one `wfdb.rdsamp` per recording and epoch with the files in the page "
    f"cache, the same transforms recording by recording, float32 conv1d, plain AdamW. *{TRAINER}*: a real "
    "`SslEcgTrainer.train()` on the memory-mapped cache, `bf16=True`, no loader processes, timed between the "
    "ends of two of its steps. *Model step only*: forward, backward and optimizer on views that are already "
    f"there. *{REFERENCE}* and *plain* ran each in a process of its own with PyTorch and the C library as "
    f"they come. No variant computes in more processes than one. {compiled.METHOD}"
)


def _views(context: Context, device: torch.device) -> Tensor:
    return make_views(
        context.signals(context.sizes.batch, device),
        build_augmentation(PRESETS["default"]),
        num_views=2,
        sampling_rate=context.sampling_rate,
        generator=seeded_generator(device, 0),
    )


def _rate(step: Callable[[], object], context: Context, device: torch.device) -> Callable[[], float]:
    sizes = context.sizes
    return lambda: sizes.batch / seconds_per_call(step, calls=sizes.steps, device=device)


def reference_rate(context: Context, device: torch.device) -> Callable[[], float]:
    """Return what measures recordings per second of :class:`~benchmarks.reference.ReferencePretraining`."""
    reference = ReferencePretraining(
        context.stems,
        build_augmentation(PRESETS["default"]),
        batch_size=context.sizes.batch,
        sampling_rate=context.sampling_rate,
        device=device,
    )
    return _rate(reference.step, context, device)


def float32_rate(context: Context, device: torch.device) -> Callable[[], float]:
    """Return what measures recordings per second of the bare step in float32 with conv1d."""
    return _rate(BareStep(_views(context, device), bfloat16=False), context, device)


def _compare(context: Context, device: torch.device, *, with_compiled: bool) -> list[dict[str, Any]]:
    sizes = context.sizes
    views = _views(context, device)

    def train() -> float:
        return sizes.batch / seconds_per_step(
            context.train, context.work / "trainer", batch_size=sizes.batch, steps=sizes.steps, device=device
        )

    variants = {
        FLOAT32: float32_rate(context, device),
        BFLOAT16: _rate(BareStep(views, bfloat16=True), context, device),
    }
    warm_ups = {}
    if with_compiled:
        step = BareStep(views, bfloat16=True, compiled=True)
        warm_ups[COMPILED] = compiled.warm_up(step, context, device)
        variants[COMPILED] = _rate(step, context, device)
    with (
        PlainProcess(reference_rate, context, device) as reference,
        PlainProcess(float32_rate, context, device) as float32,
    ):
        values = interleave(
            {REFERENCE: reference.measure, TRAINER: train, PLAIN_FLOAT32: float32.measure, **variants},
            repetitions=context.repetitions,
        )
    comparisons = [
        comparison(
            f"Pretraining, batches of {sizes.batch} recordings",
            values,
            device=device.type,
            unit="recordings/s",
            kind="rate",
            baseline=REFERENCE,
        )
    ]
    if warm_ups:
        normal = {f"one {BFLOAT16}": [sizes.batch / rate for rate in values[BFLOAT16]]}
        comparisons.append(compiled.warm_up_table("pretraining", normal, warm_ups, device=device))
    return comparisons


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second on every device."""
    reason = compiled.cannot_compile(context)
    comparisons = [
        compared
        for device in context.devices
        for compared in _compare(context, device, with_compiled=reason is None)
    ]
    left_out = () if reason is None else (reason,)
    return result("Pretraining", METHOD, comparisons, not_measured=[*context.not_measured, *left_out])
