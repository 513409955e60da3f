"""Reading signals at fractional positions."""

from __future__ import annotations

from torch import Tensor


def resample_at(signal: Tensor, positions: Tensor) -> Tensor:
    """Return the linearly interpolated values of all leads at ``positions``.

    Args:
        signal: shape (batch, leads, samples), any unit.
        positions: fractional sample indices within [0, samples - 1], shape (batch, new samples).

    Returns:
        Tensor of shape (batch, leads, new samples) in the unit of ``signal``.

    Example:
        >>> import torch
        >>> resample_at(torch.tensor([[[0.0, 2.0, 4.0]]]), torch.tensor([[0.25, 1.0, 2.0]]))
        tensor([[[0.5000, 2.0000, 4.0000]]])
    """
    batch, leads, samples = signal.shape
    left = positions.long().clamp_(0, samples - 2)
    index = left[:, None, :].expand(batch, leads, -1)
    fraction = (positions - left)[:, None, :]
    return signal.gather(-1, index).lerp_(signal[..., 1:].gather(-1, index), fraction)
