"""Time and memory of the NT-Xent loss as the batch grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.context import Context
from benchmarks.live_memory import peak_tensor_bytes
from benchmarks.memory import MEBIBYTE
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call
from ssl_ecg_hf.modeling import nt_xent_loss

PROJECTION_SIZE = 128

METHOD = (
    f"Forward and backward pass of the loss in float32, 2N views of N recordings, {PROJECTION_SIZE} numbers "
    "each. *Memory*: most bytes that tensors made by the loss take at one time, gradients included; "
    "scratch memory inside a single operation is not seen. {few} repetitions."
)


def _passes(views: int, device: torch.device) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(views // 2, 2, PROJECTION_SIZE, generator=generator).to(device)

    def run() -> None:
        nt_xent_loss(start.detach().requires_grad_()).backward()

    return run


def _compare(context: Context, device: torch.device) -> list[dict[str, Any]]:
    calls = context.sizes.nt_xent_calls
    passes = {f"2N = {views:,}": _passes(views, device) for views in context.sizes.nt_xent}

    def milliseconds(run: Callable[[], None]) -> Callable[[], float]:
        return lambda: 1000 * seconds_per_call(run, calls=calls, device=device)

    def mebibytes(run: Callable[[], None]) -> Callable[[], float]:
        return lambda: peak_tensor_bytes(run) / MEBIBYTE

    times = interleave({name: milliseconds(run) for name, run in passes.items()}, repetitions=context.few)
    # A count, not a measurement: the same on every repetition.
    sizes = interleave({name: mebibytes(run) for name, run in passes.items()}, repetitions=1, warm_up=False)
    baseline = next(iter(passes))
    return [
        comparison(title, values, device=device.type, unit=unit, kind="growth", baseline=baseline)
        for title, values, unit in (
            ("NT-Xent, time of forward and backward", times, "ms"),
            ("NT-Xent, peak memory of its tensors", sizes, "MiB"),
        )
    ]


def measure(context: Context) -> dict[str, Any]:
    """Measure milliseconds and MiB for each number of views on every device."""
    comparisons = [compared for device in context.devices for compared in _compare(context, device)]
    return result("NT-Xent", METHOD.format(few=context.few), comparisons, not_measured=context.not_measured)
