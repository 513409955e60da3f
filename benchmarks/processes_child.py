"""One process of a distributed pretraining: ``-m benchmarks.processes_child ARROW RECORDS BATCH STEPS``."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from datasets import Dataset

from benchmarks.timing import CPU
from benchmarks.trainer_run import seconds_per_step


def main(arrow: str, records: int, batch_size: int, steps: int) -> None:
    """Train a few steps with this process's share of the batch; the first one prints the time of a step."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    dataset = Dataset.from_file(arrow).select(range(records))
    share = batch_size // int(os.environ["WORLD_SIZE"])
    with tempfile.TemporaryDirectory() as folder:
        seconds = seconds_per_step(dataset, Path(folder), batch_size=share, steps=steps, device=CPU)
    if os.environ["RANK"] == "0":
        print(json.dumps({"seconds": seconds}))
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
