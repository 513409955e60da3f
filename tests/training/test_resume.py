"""A run that is killed and started again by the same command gives what an uninterrupted run gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.modeling import SslEcgForBYOL

KILLED_AT_STEP_6 = """
import os, signal, sys
from ssl_ecg_hf.cli import main
from ssl_ecg_hf.training.trainer import SslEcgTrainer

training_step = SslEcgTrainer.training_step

def killing_step(self, *args, **kwargs):
    if self.state.global_step == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return training_step(self, *args, **kwargs)

SslEcgTrainer.training_step = killing_step
sys.exit(main(sys.argv[1:]))
"""


def command(data: Path, folder: Path, config: str, **more: Any) -> list[str]:
    options: dict[str, Any] = {
        "objective": "byol",
        "data": data,
        "config": config,
        "output_dir": folder,
        "augmentations": "default",
        "max_steps": 9,
        "save_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 3,
        "logging_steps": 1,
        "per_device_train_batch_size": 16,
        "learning_rate": 1.23456789e-3,
        "warmup_steps": 2,
        "use_cpu": "true",
        "disable_tqdm": "true",
        **more,
    }
    words = ["pretrain", "--class_names", *SUPERCLASSES]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def log(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]


def history(folder: Path) -> list[dict[str, float]]:
    """What was logged, but for the clock."""
    return [
        {key: value for key, value in entry.items() if not key.endswith(("runtime", "_per_second", "_time"))}
        for entry in log(folder)
        if "train_runtime" not in entry
    ]


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    data_folder: Path, config_text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    finished = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP_6, *command(data_folder, killed, config_text)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert not (killed / "config.json").exists()
    # What a kill in the middle of writing a checkpoint leaves behind:
    (killed / "checkpoint-6" / "trainer_state.json").write_text('{"global_step": 6', encoding="utf-8")
    (killed / "checkpoint-6" / "model.safetensors").write_bytes(b"half")
    (killed / "checkpoint-8").mkdir()

    assert main(command(data_folder, killed, config_text, seed=1)) == 1
    assert "unfinished run with other arguments (different: ['seed'])" in capsys.readouterr().err

    assert main(command(data_folder, killed, config_text)) == 0
    assert main(command(data_folder, whole, config_text)) == 0
    expected, found = history(whole), history(killed)
    times = [entry["elapsed_time"] for entry in log(killed)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1]
    assert [entry["step"] for entry in found if "loss" in entry] == list(range(1, 10))
    assert all("grad_norm" in entry for entry in found if "loss" in entry)
    assert found == expected
    assert sum("eval_knn_auroc" in entry for entry in found) == 1
    for name, value in SslEcgForBYOL.from_pretrained(whole).state_dict().items():
        assert torch.equal(SslEcgForBYOL.from_pretrained(killed).state_dict()[name], value), name

    assert main(command(data_folder, killed, config_text)) == 1
    assert "holds a finished run" in capsys.readouterr().err
