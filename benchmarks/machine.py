"""The machine that was measured, without host name and paths."""

from __future__ import annotations

import mmap
import os
import platform
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

TOUCHED_PAGES = 2**12
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}


def _processor() -> str:
    """Name of the processor, as Linux states it or as Python knows it."""
    file = Path("/proc/cpuinfo")
    if file.is_file():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _accelerator() -> str | None:
    device = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        return None
    return torch.cuda.get_device_name() if device.type == "cuda" else device.type


def _microseconds_of_first_touch() -> float:
    with mmap.mmap(-1, TOUCHED_PAGES * mmap.PAGESIZE, **_PRIVATE) as memory:
        pages = np.frombuffer(memory, dtype=np.uint8)[:: mmap.PAGESIZE]
        seconds = []
        for _ in range(2):
            start = perf_counter()
            pages[...] = 1
            seconds.append(perf_counter() - start)
        del pages  # the mapping cannot be closed while there are arrays of it
    return 1e6 * (seconds[0] - seconds[1]) / TOUCHED_PAGES


def microseconds_of_first_touch() -> float:
    """Return the time that writing to a new page of memory takes beyond writing to one that is there.

    The shortest of several: anything else on the machine makes it longer.
    """
    return min(_microseconds_of_first_touch() for _ in range(5))


def describe_machine() -> dict[str, Any]:
    """Return processor, threads, instruction set, memory, accelerator, load average, cost of a new page."""
    has_sysconf = os.name == "posix"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
        if has_sysconf
        else None,
        "accelerator": _accelerator(),
        "page_kib": mmap.PAGESIZE // 1024,
        "first_touch_us": round(microseconds_of_first_touch(), 2),
        "load_average": round(os.getloadavg()[0], 2) if has_sysconf else None,
    }
