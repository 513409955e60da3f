from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ssl_ecg_hf import allocator
from ssl_ecg_hf.allocator import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"

COUNT_FAULTS = """
import resource, sys, torch
from ssl_ecg_hf.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(16):
    if step == 12:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(12_000_000) for _ in range(2)]
    del tensors
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    command = [sys.executable, "-c", COUNT_FAULTS, mode]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert keep_freed_memory() is False


@pytest.mark.skipif(not GLIBC, reason="glibc's allocator alone is told")
def test_the_memory_of_freed_tensors_is_used_again() -> None:
    # Eight tensors of 46 MiB are written: a hundred thousand small pages, or two hundred large ones.
    assert page_faults("keep") < 20 < page_faults("default")
