"""Gaussian noise: white noise with a level of its own in each lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations.base import Augmentation, check_number
from ssl_ecg_hf.training.augmentations.draws import normal_noise, uniform
from ssl_ecg_hf.training.augmentations.electrodes import leads_from_electrodes, number_of_electrodes


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Augmentation):
    """Add white noise whose standard deviation is drawn for each lead of each recording.

    Simulates muscle activity and amplifier noise. Does not keep III = II - I, unless ``limb_consistent``.

    Args:
        p: probability that a recording is changed.
        max_std: the standard deviation in mV is uniform in [0, max_std].
        limb_consistent: draw the noise at the electrodes of the standard 12 leads, and derive the leads, so
            that III = II - I holds and the limb leads share noise as they do in reality; ``max_std`` is then
            that of a single electrode. Recordings of other than 12 leads get one electrode a lead.

    Raises:
        ValueError: if ``max_std`` is negative.

    Reference:
        SSRL-ECG, per-channel noise, https://github.com/Tumo505/SSL-for-ECG-classification

    Example:
        >>> augment = GaussianNoise(max_std=0.1)
        >>> noise = augment(torch.zeros(64, 12, 1000), sampling_rate=100, generator=torch.Generator())
        >>> bool(noise.std(dim=-1).max() < 0.11)
        True
    """

    keeps_einthoven: ClassVar[bool] = False
    simulates: ClassVar[str] = "muscle activity, amplifier noise"

    max_std: float = 0.1
    limb_consistent: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("max_std", self.max_std, low=0)

    @property
    def needs_lead_order(self) -> bool:
        """See ``Augmentation.needs_lead_order``."""
        return self.limb_consistent

    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """See ``Augmentation.apply``."""
        batch, leads, samples = signal.shape
        channels = number_of_electrodes(leads) if self.limb_consistent else leads
        # A random sign costs nothing here and leaves recordings that share values uncorrelated on average.
        std = uniform((batch, channels, 1), -self.max_std, self.max_std, like=signal, generator=generator)
        std.mul_(gate)
        noise = normal_noise((batch, channels, samples), like=signal, generator=generator)
        if self.limb_consistent:
            return signal.add_(leads_from_electrodes(noise.mul_(std), leads=leads))
        return signal.addcmul_(noise, std)
