"""The plain way to pretrain, for comparison: files read on every epoch, one recording at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import wfdb
from torch import Tensor

from benchmarks.models import simclr
from ssl_ecg_hf.training.augmentations import Compose


def read_recording(stem: Path) -> Tensor:
    """Read a WFDB record: float32 (leads, samples) in mV."""
    signal, _ = wfdb.rdsamp(str(stem))
    return torch.from_numpy(np.ascontiguousarray(signal.T, dtype=np.float32))


def two_views(
    signal: Tensor, augmentation: Compose, *, sampling_rate: float, generator: torch.Generator
) -> Tensor:
    """Augment one recording (leads, samples) in mV twice: (2, leads, samples)."""
    views = [
        augmentation(signal[None], sampling_rate=sampling_rate, generator=generator)[0] for _ in range(2)
    ]
    return torch.stack(views)


class ReferencePretraining:
    """SimCLR in float32 with one-dimensional convolutions and plain AdamW.

    Args:
        stems: path without suffix of each WFDB record.
        augmentation: called with a batch of one recording.
        batch_size: recordings per step.
        sampling_rate: Hz.
        device: of the model; augmentation runs on the CPU, as in a data loader.
    """

    def __init__(
        self,
        stems: Sequence[Path],
        augmentation: Compose,
        *,
        batch_size: int,
        sampling_rate: float,
        device: torch.device,
    ) -> None:
        self.stems, self.augmentation = stems, augmentation
        self.batch_size, self.sampling_rate, self.device = batch_size, sampling_rate, device
        self.generator = torch.Generator().manual_seed(0)
        self.order: list[int] = []
        self.model = simclr(device, conv1d=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, foreach=False, fused=False)

    def _batch(self) -> Tensor:
        if len(self.order) < self.batch_size:
            self.order = torch.randperm(len(self.stems), generator=self.generator).tolist()
        indices, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
        recordings = [read_recording(self.stems[index]) for index in indices]
        views = [
            two_views(signal, self.augmentation, sampling_rate=self.sampling_rate, generator=self.generator)
            for signal in recordings
        ]
        return torch.stack(views)

    def step(self) -> None:
        """Read, augment, learn."""
        loss = self.model(self._batch().to(self.device)).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
