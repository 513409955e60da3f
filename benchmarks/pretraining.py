"""Recordings per second in SimCLR pretraining: the plain way, the Trainer, and the bare step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.context import Context
from benchmarks.models import BareStep
from benchmarks.reference import ReferencePretraining
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call
from benchmarks.trainer_run import seconds_per_step
from ssl_ecg_hf.training import PRESETS, build_augmentation
from ssl_ecg_hf.training.views import make_views, seeded_generator

REFERENCE = "reference"
TRAINER = "SslEcgTrainer, bfloat16"

METHOD = (
    f"SimCLR with the six-block CNN (538,624 parameters) and the preset `default`. *{REFERENCE}* "
    "(`benchmarks/reference.py`): one `wfdb.rdsamp` per recording and epoch with the files in the page "
    f"cache, the same transforms recording by recording, float32 conv1d, plain AdamW. *{TRAINER}*: a real "
    "`SslEcgTrainer.train()` on the memory-mapped cache, `bf16=True`, no loader processes, timed between the "
    "ends of two of its steps. *Model step only*: forward, backward and optimizer on views that are already "
    "there. No variant has more processes than one."
)


def _variants(context: Context, device: torch.device) -> dict[str, Callable[[], float]]:
    sizes = context.sizes
    augmentation = build_augmentation(PRESETS["default"])
    rate = context.sampling_rate
    reference = ReferencePretraining(
        context.stems, augmentation, batch_size=sizes.batch, sampling_rate=rate, device=device
    )
    views = make_views(
        context.signals(sizes.batch, device),
        augmentation,
        num_views=2,
        sampling_rate=rate,
        generator=seeded_generator(device, 0),
    )
    bfloat16, float32 = BareStep(views, bfloat16=True), BareStep(views, bfloat16=False)

    def train() -> float:
        return sizes.batch / seconds_per_step(
            context.train, context.work / "trainer", batch_size=sizes.batch, steps=sizes.steps, device=device
        )

    def repeat(step: Callable[[], object]) -> Callable[[], float]:
        return lambda: sizes.batch / seconds_per_call(step, calls=sizes.steps, device=device)

    return {
        REFERENCE: repeat(reference.step),
        TRAINER: train,
        "model step only, float32 conv1d": repeat(float32),
        "model step only, bfloat16": repeat(bfloat16),
    }


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second on every device."""
    comparisons = [
        comparison(
            f"Pretraining, batches of {context.sizes.batch} recordings",
            interleave(_variants(context, device), repetitions=context.repetitions),
            device=device.type,
            unit="recordings/s",
            kind="rate",
            baseline=REFERENCE,
        )
        for device in context.devices
    ]
    return result("Pretraining", METHOD, comparisons, not_measured=context.not_measured)
