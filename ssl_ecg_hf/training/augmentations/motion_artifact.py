"""Motion artefact: an electrode is jolted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations.base import Augmentation, check_count, check_number, check_range
from ssl_ecg_hf.training.augmentations.draws import log_uniform, uniform
from ssl_ecg_hf.training.augmentations.electrodes import add_electrode_signals, number_of_electrodes

LONGEST = 80.0
"""Exponent at which a decay ends: beyond, float32 underflows, which costs a CPU fifteen times as long."""


def decaying_steps(elapsed: Tensor, duration: Tensor) -> Tensor:
    """Return a jump to 1 at 0 s that decays exponentially.

    Args:
        elapsed: time since the event in s, shape (..., samples).
        duration: time constant of the decay in s, shape (..., 1).

    Returns:
        Tensor of the shape of ``elapsed``, without unit.

    Example:
        >>> decaying_steps(torch.tensor([-0.1, 0.0, 0.5]), torch.tensor([0.5])).round(decimals=4)
        tensor([0.0000, 1.0000, 0.3679])
    """
    return (elapsed / -duration).clamp_(-LONGEST, 0).exp_().mul_(elapsed >= 0)


def swells(elapsed: Tensor, duration: Tensor) -> Tensor:
    """Return a Gaussian window around 0 s.

    Args:
        elapsed: time since the middle of the event in s, shape (..., samples).
        duration: standard deviation of the window in s, shape (..., 1).

    Returns:
        Tensor of the shape of ``elapsed``, without unit.

    Example:
        >>> swells(torch.tensor([-0.5, 0.0, 0.5]), torch.tensor([0.5])).round(decimals=4)
        tensor([0.6065, 1.0000, 0.6065])
    """
    return (elapsed / duration).square_().mul_(-0.5).clamp_(min=-LONGEST).exp_()


def bursts(elapsed: Tensor, duration: Tensor, frequency: Tensor) -> Tensor:
    """Return an oscillation that swells and fades around 0 s (a cosine in a Gaussian window).

    Args:
        elapsed: time since the middle of the event in s, shape (..., samples).
        duration: standard deviation of the window in s, shape (..., 1).
        frequency: in Hz, shape (..., 1).

    Returns:
        Tensor of the shape of ``elapsed``, without unit.

    Example:
        >>> bursts(torch.tensor([-0.5, 0.0, 0.5]), torch.tensor([0.5]), torch.tensor([1.0])).round(decimals=4)
        tensor([-0.6065,  1.0000, -0.6065])
    """
    return swells(elapsed, duration).mul_(torch.cos(2 * math.pi * frequency * elapsed))


@dataclass(frozen=True, kw_only=True)
class MotionArtifact(Augmentation):
    """Add a few sudden events, each a decaying step or a burst, each at one random electrode.

    Simulates movement of the patient. An event at a limb electrode appears in several leads, as it does in
    reality, so III = II - I is kept; one at a chest electrode in its own lead only. Recordings of other than
    12 leads get one electrode a lead.

    Args:
        p: probability that a recording is changed.
        max_amplitude: height of an event at the electrode in mV, uniform in [-max_amplitude, max_amplitude].
        events: number of events in a recording.
        duration: range in s of the time constant of a step and the standard deviation of a burst's window,
            log-uniform.
        frequency: range of a burst's frequency in Hz, log-uniform.

    Raises:
        ValueError: if a parameter lies outside its range.

    Reference:
        Moody, Muldrow and Mark, "A noise stress test for arrhythmia detectors", Computers in Cardiology 11,
        1984 (electrode motion); SSRL-ECG, https://github.com/Tumo505/SSL-for-ECG-classification

    Example:
        >>> augment = MotionArtifact(max_amplitude=0.5)
        >>> artefact = augment(torch.zeros(1, 12, 1000), sampling_rate=100, generator=torch.Generator())[0]
        >>> bool(torch.allclose(artefact[2], artefact[1] - artefact[0], atol=1e-6))
        True
    """

    keeps_einthoven: ClassVar[bool] = True
    simulates: ClassVar[str] = "movement of the patient"

    max_amplitude: float = 0.5
    events: int = 2
    duration: tuple[float, float] = (0.1, 0.5)
    frequency: tuple[float, float] = (1.0, 10.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("max_amplitude", self.max_amplitude, low=0)
        check_count("events", self.events)
        check_range("duration", self.duration, low=1e-3)
        check_range("frequency", self.frequency, low=1e-3)

    @property
    def needs_lead_order(self) -> bool:
        """See ``Augmentation.needs_lead_order``."""
        return True

    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """See ``Augmentation.apply``."""
        batch, leads, samples = signal.shape
        shape = (batch, self.events, 1)
        onset = uniform(shape, 0, samples, like=signal, generator=generator)
        duration = log_uniform(shape, *self.duration, like=signal, generator=generator)
        frequency = log_uniform(shape, *self.frequency, like=signal, generator=generator)
        is_step = torch.rand(shape, device=signal.device, generator=generator) < 0.5
        elapsed = (torch.arange(samples, device=signal.device) - onset) / sampling_rate
        courses = bursts(elapsed, duration, frequency).lerp_(
            decaying_steps(elapsed, duration), is_step.float()
        )

        electrodes = number_of_electrodes(leads)
        hit = torch.randint(electrodes, (batch, 1, self.events), device=signal.device, generator=generator)
        height = uniform(
            (batch, 1, self.events), -self.max_amplitude, self.max_amplitude, like=signal, generator=generator
        )
        weights = gate * height * (hit == torch.arange(electrodes, device=signal.device)[:, None])
        return add_electrode_signals(signal, weights, courses)
