from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

RunPython = Callable[..., str]


@pytest.fixture(scope="session")
def run_python() -> RunPython:
    """Run Python with some words, in one process or in several by torchrun; its output, if it succeeds."""

    def run(*words: object, processes: int = 1) -> str:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        finished = subprocess.run(
            [sys.executable, *(launch if processes > 1 else []), *map(str, words)],
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run
