"""A short run of the real Trainer, timed between the ends of two steps."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from benchmarks.models import simclr
from benchmarks.timing import synchronize
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments

WARM_UP_STEPS = 2


class StepClock(TrainerCallback):
    """Notes when the warm-up and the whole run have ended."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.stamps = device, list[float]()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the clock at the end of the last warm-up step and of the last step."""
        del args, control, kwargs
        if state.global_step in (WARM_UP_STEPS, state.max_steps):
            synchronize(self.device)
            self.stamps.append(perf_counter())


def trainer_for(
    dataset: Dataset, folder: Path, *, batch_size: int, max_steps: int, device: torch.device
) -> SslEcgTrainer:
    """Return a Trainer of SimCLR in bfloat16 with the default augmentation, which writes no checkpoints."""
    args = SslEcgTrainingArguments(
        str(folder),
        max_steps=max_steps,
        per_device_train_batch_size=batch_size,
        learning_rate=1e-3,
        bf16=True,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type != "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SslEcgTrainer(model=simclr(device), args=args, train_dataset=dataset)
    trainer.remove_callback(PrinterCallback)
    return trainer


def seconds_per_step(
    dataset: Dataset, folder: Path, *, batch_size: int, steps: int, device: torch.device
) -> float:
    """Train for a few steps.

    Args:
        dataset: recordings.
        folder: the Trainer's output folder.
        batch_size: recordings per step.
        steps: steps that are timed, after ``WARM_UP_STEPS`` others.
        device: CPU or accelerator.

    Returns:
        Mean time of a step in s, from reading the batch to the optimizer.
    """
    clock = StepClock(device)
    trainer = trainer_for(
        dataset, folder, batch_size=batch_size, max_steps=WARM_UP_STEPS + steps, device=device
    )
    trainer.add_callback(clock)
    trainer.train()
    start, end = clock.stamps
    return (end - start) / steps
