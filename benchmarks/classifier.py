"""Classifying recordings: throughput in batches and latency of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.context import Context
from benchmarks.models import classifier
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call

FLOAT32 = "float32, conv1d"
BFLOAT16 = "bfloat16 (autocast), channels-last"

METHOD = (
    "The classifier of five superclasses in evaluation mode without gradients, on signals already on the "
    f"device. *{FLOAT32}* is what the package does on a CPU by default; *{BFLOAT16}* what it does under "
    "`torch.autocast`."
)


def _forwards(signal: Tensor) -> dict[str, Callable[[], object]]:
    plain, ours = classifier(signal.device, conv1d=True), classifier(signal.device)

    def float32() -> None:
        with torch.no_grad():
            plain(signal)

    def bfloat16() -> None:
        with torch.no_grad(), torch.autocast(signal.device.type, dtype=torch.bfloat16):
            ours(signal)

    return {FLOAT32: float32, BFLOAT16: bfloat16}


def _compare(context: Context, device: torch.device) -> list[dict[str, Any]]:
    sizes = context.sizes
    batch = _forwards(context.signals(sizes.classifier_batch, device))
    single = _forwards(context.signals(1, device))

    def rate(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: (
            sizes.classifier_batch / seconds_per_call(function, calls=sizes.classifier_batches, device=device)
        )

    def latency(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: 1000 * seconds_per_call(function, calls=sizes.single_calls, device=device)

    rates = interleave(
        {name: rate(function) for name, function in batch.items()}, repetitions=context.repetitions
    )
    times = interleave(
        {name: latency(function) for name, function in single.items()}, repetitions=context.repetitions
    )
    return [
        comparison(
            f"Classification, batches of {sizes.classifier_batch} recordings",
            rates,
            device=device.type,
            unit="recordings/s",
            kind="rate",
            baseline=FLOAT32,
        ),
        comparison(
            "Classification, one recording at a time",
            times,
            device=device.type,
            unit="ms",
            kind="time",
            baseline=FLOAT32,
        ),
    ]


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second and milliseconds per recording on every device."""
    comparisons = [compared for device in context.devices for compared in _compare(context, device)]
    return result("Classification", METHOD, comparisons, not_measured=context.not_measured)
