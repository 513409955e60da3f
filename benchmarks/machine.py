"""The machine that was measured, without host name and paths."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch


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


def describe_machine() -> dict[str, Any]:
    """Return processor, threads, instruction set, memory, accelerator and the load average of a minute."""
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
        "load_average": round(os.getloadavg()[0], 2) if has_sysconf else None,
    }
