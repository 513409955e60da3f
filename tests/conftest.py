from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.data import STANDARD_LEADS

RunPython = Callable[..., str]

# Few channels and layers; every architecture keeps its parts.
TINY_CNN: dict[str, Any] = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]}
TINY_ENCODERS: dict[str, dict[str, Any]] = {
    "cnn": TINY_CNN,
    "cnn_attention_lstm": {**TINY_CNN, "lstm_hidden_size": 6, "lstm_layers": 1, "num_heads": 2},
    "cnn_lstm": {**TINY_CNN, "lstm_hidden_size": 6},
    "cnn_transformer": {**TINY_CNN, "num_layers": 2, "num_heads": 2, "feedforward_size": 24},
    "dilated_cnn": {"hidden_size": 8, "output_size": 16, "depth": 3, "stride": 2},
    "resnet1d": {"hidden_sizes": [8, 16], "layers": [2, 1], "kernel_size": 5, "stem_kernel_size": 7},
    # Branches that start at zero would hide whether the weights within them learn.
    "xresnet1d": {
        "hidden_sizes": [4, 4],
        "layers": [1, 2],
        "stem_sizes": [4, 4, 8],
        "zero_init_residual": False,
    },
}


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


@pytest.fixture(scope="session")
def tiny_encoders() -> dict[str, dict[str, Any]]:
    """`encoder_options` of a small encoder of each type."""
    return TINY_ENCODERS


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    """Write a recording that states everything; noise of half a millivolt with a beat a second."""

    def write(
        *, leads: Sequence[str] = STANDARD_LEADS, rate: int = 100, seconds: float = 10, name: str = "ecg.csv"
    ) -> Path:
        rng = np.random.default_rng(0)
        times = np.arange(round(seconds * rate)) / rate
        signal = rng.normal(0, 0.05, (len(leads), len(times))) + (np.abs(times % 1 - 0.5) < 0.03)
        header = ",".join(["time_s", *(f"{lead}_mV" for lead in leads)])
        path = tmp_path / name
        np.savetxt(path, np.vstack([times, signal]).T, delimiter=",", header=header, comments="", fmt="%.4f")
        return path

    return write
