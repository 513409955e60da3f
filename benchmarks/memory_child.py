"""The process whose memory is watched: ``python -m benchmarks.memory_child ARROW RECORDS BATCH STEPS``."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from pathlib import Path

from datasets import Dataset

from benchmarks.timing import CPU
from benchmarks.trainer_run import trainer_for

INTERVAL = 0.005  # s
STATUS = Path("/proc/self/status")


def memory_status() -> dict[str, int]:
    """Return the ``Rss...`` and ``Vm...`` lines of this process's status (Linux) in bytes."""
    lines = [line.split() for line in STATUS.read_text().splitlines() if line.startswith(("Rss", "Vm"))]
    return {name.rstrip(":"): 1024 * int(kibibytes) for name, kibibytes, _ in lines}


class AnonymousPeak:
    """Context that samples the anonymous resident memory of this process from a thread.

    Anonymous memory is what the program itself holds; pages of memory-mapped files, which the system can
    drop at any time, do not count.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.bytes = max(self.bytes, memory_status()["RssAnon"])

    def __enter__(self) -> AnonymousPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.bytes = max(self.bytes, memory_status()["RssAnon"])


def pretrain(arrow: Path, *, records: int, batch_size: int, steps: int) -> dict[str, int]:
    """Pretrain on the CPU for a few steps and watch the memory.

    Args:
        arrow: file of a cache.
        records: recordings of it that are used.
        batch_size: recordings per step.
        steps: optimizer steps.

    Returns:
        ``anonymous``: peak anonymous resident memory in bytes; ``resident``: peak resident memory, pages of
        the memory-mapped cache and of shared libraries included.
    """
    with tempfile.TemporaryDirectory() as folder, AnonymousPeak() as peak:
        dataset = Dataset.from_file(str(arrow)).select(range(records))
        trainer_for(dataset, Path(folder), batch_size=batch_size, max_steps=steps, device=CPU).train()
    # The kernel's own peak of this process; getrusage would count the parent's memory before exec, too.
    return {"anonymous": peak.bytes, "resident": memory_status()["VmHWM"]}


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    report = pretrain(Path(sys.argv[1]), records=numbers[0], batch_size=numbers[1], steps=numbers[2])
    print(json.dumps(report))
