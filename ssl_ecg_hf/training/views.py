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


def random_windows(signal: Tensor, length: int, *, copies: int = 1, generator: torch.Generator) -> Tensor:
    """Cut random windows out of recordings, each place as likely as any other.

    Where recordings are no longer than a window, nothing is drawn and they are given back whole.

    Args:
        signal: (batch, leads, samples) in mV.
        length: of a window in samples.
        copies: windows per recording.
        generator: on the device of `signal`.

    Returns:
        (copies * batch, leads, length) in mV, the windows of one recording `batch` apart; samples in place of
        length where that is shorter.

    Example:
        >>> ramp = torch.arange(100.0).view(1, 1, 100)
        >>> window = random_windows(ramp, 4, generator=torch.Generator().manual_seed(0))
        >>> (window - window[..., :1]).tolist()
        [[[0.0, 1.0, 2.0, 3.0]]]
    """
    batch, _, samples = signal.shape
    if samples <= length:
        return signal if copies == 1 else signal.repeat(copies, 1, 1)
    places = samples - length + 1
    starts = torch.randint(places, (copies * batch,), device=signal.device, generator=generator)
    rows = torch.arange(batch, device=signal.device).repeat(copies)
    # A view of every window there is, (batch, places, leads, length); only those asked for are copied.
    return signal.unfold(2, length, 1).transpose(1, 2)[rows, starts]


def make_views(
    signal: Tensor,
    augmentation: Compose,
    *,
    num_views: int,
    sampling_rate: float,
    generator: torch.Generator,
    num_samples: int | None = None,
) -> Tensor:
    """Augment each recording several times; of a long one, each view is a random window.

    Args:
        signal: (batch, leads, samples) in mV.
        augmentation: applied to every view with parameters of its own.
        num_views: views per recording.
        sampling_rate: Hz.
        generator: on the device of `signal`.
        num_samples: length of the model's window in samples; shorter recordings are taken whole. Default:
            all are.

    Returns:
        (batch, num_views, leads, samples) in mV, no more than num_samples samples.
    """
    # Views of one recording are `batch` apart, so that mixing transforms meet every recording once per view.
    length = signal.shape[-1] if num_samples is None else num_samples
    views = random_windows(signal, length, copies=num_views, generator=generator)
    views = augmentation(views, sampling_rate=sampling_rate, generator=generator)
    return views.unflatten(0, (num_views, len(signal))).transpose(0, 1)
