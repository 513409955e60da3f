"""Power-line noise: hum of 50 or 60 Hz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations.base import Augmentation, check_number
from ssl_ecg_hf.training.augmentations.draws import uniform
from ssl_ecg_hf.training.augmentations.electrodes import add_electrode_signals, number_of_electrodes

MAINS = (50.0, 60.0)
"""Frequencies of the networks of the world in Hz."""


def check_mains(frequencies: tuple[float, ...]) -> None:
    """Raise ``ValueError`` unless there is at least one frequency, all in Hz."""
    if not isinstance(frequencies, tuple) or not frequencies:
        raise ValueError(f"frequencies={frequencies!r}: expected at least one frequency in Hz")
    for frequency in frequencies:
        check_number("frequencies", frequency, low=1)


def hum(
    signal: Tensor,
    frequencies: tuple[float, ...],
    *,
    sampling_rate: float,
    generator: torch.Generator,
    name: str,
) -> Tensor:
    """Return sine and cosine of a mains frequency that is drawn for each recording.

    Args:
        signal: shape (batch, leads, samples).
        frequencies: in Hz; one of those below half the sampling rate is drawn.
        sampling_rate: in Hz.
        generator: source of randomness.
        name: of the transform, for the message.

    Returns:
        Tensor of shape (batch, 2, samples), without unit.

    Raises:
        ValueError: if no frequency lies below half the sampling rate.
    """
    present = [frequency for frequency in frequencies if frequency < sampling_rate / 2]
    if not present:
        raise ValueError(
            f"power-line frequencies {frequencies} Hz are not below {sampling_rate / 2:g} Hz, half "
            f"the sampling rate; remove {name} from the recipe for {sampling_rate:g} Hz"
        )
    batch, _, samples = signal.shape
    choice = torch.randint(len(present), (batch, 1), device=signal.device, generator=generator)
    # Filling on the device instead of copying a list to it: a copy would wait for the accelerator.
    options = torch.cat([torch.full((1,), frequency, device=signal.device) for frequency in present])
    angle = 2 * math.pi * options[choice] * torch.arange(samples, device=signal.device) / sampling_rate
    return torch.stack([angle.sin(), angle.cos()], dim=1)


@dataclass(frozen=True, kw_only=True)
class PowerlineNoise(Augmentation):
    """Add a sinusoid of the mains frequency, with an amplitude and phase of its own at each electrode.

    Simulates hum picked up by the cables. It acts at the electrodes of the standard 12 leads, so III = II -
    I is kept; recordings of other than 12 leads get one electrode a lead. Only frequencies below the Nyquist
    frequency are used: a recorder removes the others before sampling, so an alias of them would not be
    realistic.

    Args:
        p: probability that a recording is changed.
        max_amplitude: amplitude at an electrode in mV, uniform in [0, max_amplitude].
        frequencies: mains frequencies in Hz, one of which is drawn for each recording.

    Raises:
        ValueError: if a parameter lies outside its range, or if the sampling rate is too low for all of
            ``frequencies``: at 100 Hz there is no hum to simulate.

    Reference:
        Levkov et al., "Removal of power-line interference from the ECG: a review of the subtraction
        procedure", BioMedical Engineering OnLine 4, 2005.

    Example:
        >>> augment = PowerlineNoise(frequencies=(50.0,))
        >>> hum = augment(torch.zeros(1, 12, 500), sampling_rate=500, generator=torch.Generator())
        >>> int(torch.fft.rfft(hum[0, 0]).abs().argmax())  # one bin per Hz
        50
    """

    keeps_einthoven: ClassVar[bool] = True
    simulates: ClassVar[str] = "hum picked up by the cables"

    max_amplitude: float = 0.05
    frequencies: tuple[float, ...] = MAINS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("max_amplitude", self.max_amplitude, low=0)
        check_mains(self.frequencies)

    @property
    def needs_lead_order(self) -> bool:
        """See ``Augmentation.needs_lead_order``."""
        return True

    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """See ``Augmentation.apply``."""
        basis = hum(
            signal,
            self.frequencies,
            sampling_rate=sampling_rate,
            generator=generator,
            name="powerline_noise",
        )
        shape = (len(signal), number_of_electrodes(signal.shape[1]), 1)
        amplitude = uniform(shape, 0, self.max_amplitude, like=signal, generator=generator)
        phase = uniform(shape, 0, 2 * math.pi, like=signal, generator=generator)
        weights = gate * amplitude * torch.cat([phase.cos(), phase.sin()], dim=-1)
        return add_electrode_signals(signal, weights, basis)
