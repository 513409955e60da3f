"""Classifying recordings: throughput in batches and latency of one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks import compiled
from benchmarks.context import Context
from benchmarks.models import classifier
from benchmarks.onnx_runtime import OnnxClassifier
from benchmarks.plain_process import PlainProcess
from benchmarks.results import comparison, result
from benchmarks.timing import CPU, interleave, seconds_per_call
from ssl_ecg_hf.hub_export.onnx import NEEDED

PLAIN = "float32 conv1d, plain"
FLOAT32 = "float32 conv1d"
BFLOAT16 = "bfloat16 (autocast), channels-last"
COMPILED_FLOAT32 = "float32, compiled"
COMPILED_BFLOAT16 = "bfloat16 (autocast), compiled"
ONNX = "float32, onnxruntime"

METHOD = (
    "The classifier of five superclasses in evaluation mode without gradients, on signals already on the "
    f"device. *{FLOAT32}* is what the package does on a CPU by default; *{BFLOAT16}* what it does under "
    "`torch.autocast`. *Plain* is the same model in a process of its own with PyTorch and the C library as "
    f"they come. *{ONNX}*: the file that `export_onnx` writes, with as many threads as PyTorch has. "
    f"{compiled.METHOD}"
)


def no_onnx() -> str | None:
    """Return why onnxruntime is not measured, or None if it is."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return f"onnxruntime: needs {', '.join(missing)}; pip install 'ssl_ecg_hf[onnx]'"
    return None


def _forward(model: Any, signal: Tensor, *, bfloat16: bool = False) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad(), torch.autocast(signal.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            model(signal)

    return run


def seconds_of_float32(
    context: Context, device: torch.device, recordings: int, calls: int
) -> Callable[[], float]:
    """Return what measures the time (s) of a call of the float32 conv1d classifier on so many recordings."""
    run = _forward(classifier(device, conv1d=True), context.signals(recordings, device))
    return lambda: seconds_per_call(run, calls=calls, device=device)


class _Comparison:
    """Seconds of a call on a number of recordings, for all variants on one device."""

    def __init__(self, context: Context, device: torch.device, *, recordings: int, calls: int) -> None:
        self.context, self.device, self.recordings, self.calls = context, device, recordings, calls

    def _functions(self, signal: Tensor) -> dict[str, Callable[[], object]]:
        functions = {
            FLOAT32: _forward(classifier(self.device, conv1d=True), signal),
            BFLOAT16: _forward(classifier(self.device), signal, bfloat16=True),
        }
        if compiled.cannot_compile(self.context) is None:
            for name, bfloat16 in ((COMPILED_FLOAT32, False), (COMPILED_BFLOAT16, True)):
                model = compiled.compile_model(classifier(self.device))
                functions[name] = _forward(model, signal, bfloat16=bfloat16)
        if self.device == CPU and no_onnx() is None:
            functions[ONNX] = OnnxClassifier(signal, self.context.work / "classifier.onnx")
        return functions

    def measure(self) -> tuple[dict[str, list[float]], dict[str, float]]:
        """Return the seconds of a call and the warm-ups (s) of the compiled variants."""
        functions = self._functions(self.context.signals(self.recordings, self.device))
        warm_ups = {
            name: compiled.warm_up(functions[name], self.context, self.device)
            for name in (COMPILED_FLOAT32, COMPILED_BFLOAT16)
            if name in functions
        }

        def seconds(function: Callable[[], object]) -> Callable[[], float]:
            return lambda: seconds_per_call(function, calls=self.calls, device=self.device)

        arguments = (self.context, self.device, self.recordings, self.calls)
        with PlainProcess(seconds_of_float32, *arguments) as plain:
            variants = {PLAIN: plain.measure, **{name: seconds(run) for name, run in functions.items()}}
            return interleave(variants, repetitions=self.context.repetitions), warm_ups


def _compare(context: Context, device: torch.device) -> list[dict[str, Any]]:
    sizes = context.sizes
    size = sizes.classifier_batch
    batch, batch_warm_ups = _Comparison(
        context, device, recordings=size, calls=sizes.classifier_batches
    ).measure()
    single, single_warm_ups = _Comparison(context, device, recordings=1, calls=sizes.single_calls).measure()

    def converted(
        values: Mapping[str, list[float]], convert: Callable[[float], float]
    ) -> dict[str, list[float]]:
        return {name: [convert(seconds) for seconds in numbers] for name, numbers in values.items()}

    comparisons = [
        comparison(
            f"Classification, batches of {size} recordings",
            converted(batch, lambda seconds: size / seconds),
            device=device.type,
            unit="recordings/s",
            kind="rate",
            baseline=PLAIN,
        ),
        comparison(
            "Classification, one recording at a time",
            converted(single, lambda seconds: 1000 * seconds),
            device=device.type,
            unit="ms",
            kind="time",
            baseline=PLAIN,
        ),
    ]
    warm_ups = {
        **{f"{name}, batch": seconds for name, seconds in batch_warm_ups.items()},
        **{f"{name}, one recording": seconds for name, seconds in single_warm_ups.items()},
    }
    if warm_ups:
        normal = {f"one batch, {FLOAT32}": batch[FLOAT32]}
        comparisons.append(compiled.warm_up_table("classification", normal, warm_ups, device=device))
    return comparisons


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second and milliseconds per recording on every device."""
    comparisons = [compared for device in context.devices for compared in _compare(context, device)]
    reasons = (compiled.cannot_compile(context), no_onnx())
    left_out = [reason for reason in reasons if reason is not None]
    return result("Classification", METHOD, comparisons, not_measured=[*context.not_measured, *left_out])
