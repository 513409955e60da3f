"""Memory of pretraining on few and on many recordings, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.context import Context
from benchmarks.memory_child import STATUS
from benchmarks.results import comparison, result
from benchmarks.timing import interleave

MEBIBYTE = 2**20

METHOD = (
    "Peak of a fresh process that runs `SslEcgTrainer.train()` for {steps} steps of {batch} recordings on "
    "the CPU. *Anonymous* memory is what the process itself holds, sampled every 5 ms; *resident* adds pages "
    "of libraries and of the memory-mapped cache that the system can drop at any time. PyTorch and the "
    "step's activations are most of it. {few} processes each."
)


def run_child(arrow: Path, *, records: int, batch_size: int, steps: int) -> dict[str, int]:
    """Run :mod:`benchmarks.memory_child` and return what it reports, in bytes.

    Raises:
        RuntimeError: if the process fails.
    """
    arguments = [str(arrow), str(records), str(batch_size), str(steps)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory_child", *arguments],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"the process whose memory is measured failed:\n{finished.stderr[-2000:]}")
    return {name: int(value) for name, value in json.loads(finished.stdout.splitlines()[-1]).items()}


def _label(records: int) -> str:
    return f"{records:,} recordings"


def measure(context: Context) -> dict[str, Any]:
    """Measure peak memory in MiB for a part of the recordings and for all of folds 1-8."""
    sizes = context.sizes
    method = METHOD.format(steps=sizes.memory_steps, batch=sizes.batch, few=context.few)
    if not STATUS.exists():
        return result("Memory", method, [], not_measured=["memory: needs Linux's /proc"])
    arrow = Path(context.all_train.cache_files[0]["filename"])
    counts = sorted({min(sizes.part, len(context.all_train)), len(context.all_train)})
    resident: dict[str, list[float]] = {_label(records): [] for records in counts}

    def watch(records: int) -> Callable[[], float]:
        def run() -> float:
            report = run_child(arrow, records=records, batch_size=sizes.batch, steps=sizes.memory_steps)
            resident[_label(records)].append(report["resident"] / MEBIBYTE)
            return report["anonymous"] / MEBIBYTE

        return run

    anonymous = interleave(
        {_label(records): watch(records) for records in counts},
        repetitions=context.few,
        warm_up=False,
    )
    comparisons = [
        comparison(title, values, device="cpu", unit="MiB", kind="growth", baseline=_label(counts[0]))
        for title, values in (
            ("Peak anonymous memory of pretraining", anonymous),
            ("Peak resident memory of pretraining", resident),
        )
    ]
    return result("Memory", method, comparisons)
