"""Temporal dropout: short stretches are lost and bridged by straight lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations.base import Augmentation, check_count, check_range
from ssl_ecg_hf.training.augmentations.draws import uniform
from ssl_ecg_hf.training.augmentations.stretch import within_stretch


def bridge(signal: Tensor, dropped: Tensor) -> Tensor:
    """Return ``signal`` with straight lines where it is dropped.

    Args:
        signal: shape (batch, leads, samples) in mV.
        dropped: boolean, shape (batch, samples); the first and last sample must not be dropped.

    Returns:
        Tensor of shape (batch, leads, samples) in mV.

    Example:
        >>> bridge(torch.tensor([[[1.0, 9.0, 9.0, 4.0]]]), torch.tensor([[False, True, True, False]]))
        tensor([[[1., 2., 3., 4.]]])
    """
    time = torch.arange(signal.shape[-1], device=signal.device).expand_as(dropped)
    last = signal.shape[-1] - 1
    left = torch.where(dropped, 0, time).cummax(dim=-1).values
    right = torch.where(dropped, last, time).flip(-1).cummin(dim=-1).values.flip(-1)
    fraction = (time - left) / (right - left).clamp(min=1)
    before = signal.gather(-1, left[:, None, :].expand_as(signal))
    after = signal.gather(-1, right[:, None, :].expand_as(signal))
    return before.lerp_(after, fraction[:, None, :])


@dataclass(frozen=True, kw_only=True)
class TemporalDropout(Augmentation):
    """Drop short stretches of all leads and join their edges by straight lines.

    Simulates lost packets of a wireless recorder. The lines are drawn in all leads alike: keeps III = II -
    I. The first and last sample stay.

    Args:
        p: probability that a recording is changed.
        stretches: number of stretches; they may overlap.
        duration: range of their duration in s, uniform. A stretch is at least one sample and at most all but
            the first and last sample.

    Raises:
        ValueError: if a parameter lies outside its range.

    Reference:
        SSRL-ECG, temporal dropout, https://github.com/Tumo505/SSL-for-ECG-classification

    Example:
        >>> augment = TemporalDropout(stretches=1, duration=(0.1, 0.1))
        >>> square = torch.linspace(-1, 1, 100).square().expand(1, 12, 100)
        >>> bridged = augment(square, sampling_rate=100, generator=torch.Generator())
        >>> int((bridged != square)[0, 0].sum())
        10
    """

    keeps_einthoven: ClassVar[bool] = True

    stretches: int = 3
    duration: tuple[float, float] = (0.02, 0.2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("stretches", self.stretches)
        check_range("duration", self.duration, low=0)

    def apply(self, signal: Tensor, *, sampling_rate: float, generator: torch.Generator) -> Tensor:
        """See ``Augmentation.apply``."""
        batch, _, samples = signal.shape
        shape = (batch, self.stretches, 1)
        length = (sampling_rate * uniform(shape, *self.duration, like=signal, generator=generator)).round()
        length = length.clamp(min=1).clamp(max=samples - 2)
        start = 1 + (samples - 1 - length) * torch.rand(shape, device=signal.device, generator=generator)
        return bridge(signal, within_stretch(start.floor(), length, samples=samples).any(dim=1))
