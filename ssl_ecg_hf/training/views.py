"""From recordings to augmented views."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ssl_ecg_hf.training.augmentations import Compose


def seeded_generator(device: torch.device, *key: int) -> torch.Generator:
    """Return a generator on `device` that is a function of the key alone (seed, step, rank ...)."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def make_views(
    signal: Tensor,
    augmentation: Compose,
    *,
    num_views: int,
    sampling_rate: float,
    generator: torch.Generator,
) -> Tensor:
    """Augment each recording several times.

    Args:
        signal: (batch, leads, samples) in mV.
        augmentation: applied to every view with parameters of its own.
        num_views: views per recording.
        sampling_rate: Hz.
        generator: on the device of `signal`.

    Returns:
        (batch, num_views, leads, samples) in mV.
    """
    # Views of one recording are `batch` apart, so that mixing transforms meet every recording once per view.
    views = augmentation(signal.repeat(num_views, 1, 1), sampling_rate=sampling_rate, generator=generator)
    return views.unflatten(0, (num_views, len(signal))).transpose(0, 1)
