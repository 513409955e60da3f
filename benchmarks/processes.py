"""Pretraining in several processes of one thread against one process of several threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.context import Context
from benchmarks.results import comparison, result
from benchmarks.timing import interleave

METHOD = (
    "`SslEcgTrainer.train()` with SimCLR on the CPU, launched by `torch.distributed.run` (gloo), the same "
    "cores and the same whole batch of {batch} recordings divided among the processes; NT-Xent sees the "
    "whole batch either way. Timed between the ends of two steps, {steps} steps; {few} launches each."
)


def seconds_in(number: int, threads: int, arrow: Path, *, records: int, batch_size: int, steps: int) -> float:
    """Return the time of a step (s) in a number of processes with a number of threads each.

    Raises:
        RuntimeError: if a process fails.
    """
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(number)]
    words = ["-m", "benchmarks.processes_child", str(arrow), str(records), str(batch_size), str(steps)]
    finished = subprocess.run(
        [sys.executable, *launch, *words],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"distributed pretraining failed:\n{finished.stderr[-2000:]}")
    line = next(line for line in finished.stdout.splitlines() if line.startswith('{"seconds"'))
    return float(json.loads(line)["seconds"])


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second of one process with two threads and of two processes with one."""
    sizes = context.sizes
    arrow = Path(context.all_train.cache_files[0]["filename"])
    records = min(sizes.part, len(context.all_train))

    def run(processes: int, threads: int) -> Callable[[], float]:
        return lambda: (
            sizes.batch
            / seconds_in(
                processes, threads, arrow, records=records, batch_size=sizes.batch, steps=sizes.steps
            )
        )

    variants = {"1 process, 2 threads": run(1, 2), "2 processes, 1 thread each": run(2, 1)}
    values = interleave(variants, repetitions=context.few, warm_up=False)
    compared = comparison(
        f"One and two processes, batches of {sizes.batch} recordings",
        values,
        device="cpu",
        unit="recordings/s",
        kind="rate",
        baseline="1 process, 2 threads",
    )
    return result(
        "Processes", METHOD.format(batch=sizes.batch, steps=sizes.steps, few=context.few), [compared]
    )
