"""Baseline wander: slow drift of the electrode potentials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations.base import Augmentation, check_count, check_number, check_range
from ssl_ecg_hf.training.augmentations.draws import log_uniform, uniform
from ssl_ecg_hf.training.augmentations.electrodes import add_electrode_signals, number_of_electrodes


def sinusoids(frequency: Tensor, phase: Tensor, *, samples: int, sampling_rate: float) -> Tensor:
    """Return unit sinusoids ``sin(2 pi frequency t + phase)``.

    Args:
        frequency: in Hz, shape (batch, courses, 1).
        phase: in radians, shape (batch, courses, 1).
        samples: number of samples.
        sampling_rate: in Hz.

    Returns:
        Tensor of shape (batch, courses, samples), without unit.

    Example:
        >>> one_hz = sinusoids(torch.ones(1, 1, 1), torch.zeros(1, 1, 1), samples=4, sampling_rate=4)
        >>> one_hz.round(decimals=4).abs()
        tensor([[[0., 1., 0., 1.]]])
    """
    time = torch.arange(samples, device=frequency.device) / sampling_rate
    return torch.sin(2 * math.pi * frequency * time + phase)


@dataclass(frozen=True, kw_only=True)
class BaselineWander(Augmentation):
    """Add a sum of slow sinusoids, with a strength of its own in each lead.

    Simulates breathing and the drift of the skin-electrode contact. The sinusoids act at the electrodes of
    the standard 12 leads, the leads follow, so III = II - I is kept. Recordings of other than 12 leads get
    one electrode a lead.

    Args:
        p: probability that a recording is changed.
        max_amplitude: in mV. Each recording draws its amplitude uniformly in [0, max_amplitude]; that is the
            expected root mean square of the wander in leads I, II and III (somewhat less in the others).
        frequency: range in Hz from which the frequencies are drawn, log-uniformly.
        components: number of sinusoids.

    Raises:
        ValueError: if a parameter lies outside its range.

    Reference:
        SSRL-ECG, baseline wander, https://github.com/Tumo505/SSL-for-ECG-classification

    Example:
        >>> augment = BaselineWander(max_amplitude=0.1)
        >>> wander = augment(torch.zeros(1, 12, 1000), sampling_rate=100, generator=torch.Generator())[0]
        >>> bool(torch.allclose(wander[2], wander[1] - wander[0], atol=1e-6))
        True
    """

    keeps_einthoven: ClassVar[bool] = True
    simulates: ClassVar[str] = "breathing, drifting electrodes"

    max_amplitude: float = 0.1
    frequency: tuple[float, float] = (0.05, 0.5)
    components: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("max_amplitude", self.max_amplitude, low=0)
        check_range("frequency", self.frequency, low=1e-3)
        check_count("components", self.components)

    @property
    def needs_lead_order(self) -> bool:
        """See ``Augmentation.needs_lead_order``."""
        return True

    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """See ``Augmentation.apply``."""
        batch, leads, samples = signal.shape
        shape = (batch, self.components, 1)
        frequency = log_uniform(shape, *self.frequency, like=signal, generator=generator)
        phase = uniform(shape, 0, 2 * math.pi, like=signal, generator=generator)
        basis = sinusoids(frequency, phase, samples=samples, sampling_rate=sampling_rate)
        electrodes = number_of_electrodes(leads)
        amplitude = uniform((batch, 1, 1), 0, self.max_amplitude, like=signal, generator=generator)
        share = torch.randn(batch, electrodes, self.components, device=signal.device, generator=generator)
        # A sinusoid has mean square 1/2, and a limb lead is the difference of two independent electrodes.
        independent = 2 if electrodes == leads else 1
        weights = gate * amplitude * share * math.sqrt(independent / self.components)
        return add_electrode_signals(signal, weights, basis)
