"""Two processes: each recording of a stream goes to one of them; the monitors see those of both."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from datasets import Dataset, load_dataset

from ssl_ecg_hf.data import simulate_dataset
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments

RECORDS, WHOLE_BATCH, SHARDS = 40, 8, 4


def numbered(count: int) -> Dataset:
    """Noise whose very first sample is the number of the recording in microvolts."""
    signal = np.random.default_rng(0).integers(-500, 500, (count, 12, 64)).astype(np.int16)
    signal[:, 0, 0] = np.arange(count)
    return Dataset.from_dict({"signal_uv": list(signal)})


class Watched(SslEcgTrainer):
    """Notes which recordings it trains on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[int] = []

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if model.training:
            self.seen += (1000 * inputs["views"][:, 0, 0, 0]).round().int().tolist()
        return super().compute_loss(model, inputs, *args, **kwargs)


def stream_and_evaluate(folder: Path) -> dict[str, Any]:
    """Run the monitors on recordings that all processes share, then make one pass over a stream."""
    files = [str(folder / f"{index}.parquet") for index in range(SHARDS)]
    torch.manual_seed(0)
    model = SslEcgForSimCLR(
        SslEcgConfig(
            encoder_options={"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]},
            objective_options={"hidden_size": 24, "projection_size": 12},
            num_samples=64,
        )
    )
    batch = WHOLE_BATCH // int(os.environ.get("WORLD_SIZE", "1"))
    args = SslEcgTrainingArguments(
        str(folder / "run"),
        max_steps=RECORDS // WHOLE_BATCH,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        augmentations="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    labelled = simulate_dataset(200, duration=0.64, seed=1)
    trainer = Watched(
        model,
        args,
        train_dataset=load_dataset("parquet", data_files=files, split="train", streaming=True),
        eval_dataset=labelled["validation"].select(range(16)),
        probe_dataset=labelled["train"],
    )
    # Measured before training: afterwards batch statistics are those of each process's own recordings.
    metrics = trainer.evaluate()
    trainer.train()
    return {"seen": trainer.seen, "metrics": metrics}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run_python: Callable[..., str]) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    data = numbered(RECORDS)
    for index in range(SHARDS):
        data.shard(SHARDS, index, contiguous=True).to_parquet(folder / f"{index}.parquet")
    for processes in (1, 2):
        run_python(__file__, folder, processes=processes)
    return folder


def found(folder: Path, rank: int, world: int) -> dict[str, Any]:
    return json.loads((folder / f"{rank}-of-{world}.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_each_recording_of_a_stream_goes_to_one_process(folder: Path) -> None:
    first, second = (found(folder, rank, 2)["seen"] for rank in range(2))
    assert len(first) == len(second) == RECORDS // 2
    assert sorted(first + second) == list(range(RECORDS))
    assert sorted(found(folder, 0, 1)["seen"]) == list(range(RECORDS))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alignment", "uniformity", "effective_rank", "knn_auroc"])
def test_monitors_are_those_of_all_recordings(folder: Path, name: str) -> None:
    one, first, second = (
        found(folder, rank, world)["metrics"][f"eval_{name}"] for rank, world in ((0, 1), (0, 2), (1, 2))
    )
    assert first == second == pytest.approx(one, rel=1e-5, abs=1e-6)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    name = f"{os.environ.get('RANK', '0')}-of-{os.environ.get('WORLD_SIZE', '1')}.json"
    (place / name).write_text(json.dumps(stream_and_evaluate(place)), encoding="utf-8")
    if dist.is_initialized():
        dist.destroy_process_group()
