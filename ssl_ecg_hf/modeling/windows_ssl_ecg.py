"""Recordings of another length than a model's window: padding, windows, and the average over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

OVERLAP = 0.5  # of a window with the next one
AT_ONCE = 64  # windows per forward pass, so that the length of a recording does not decide about memory


def pad_to_window(signal: Tensor, length: int) -> Tensor:
    """Pad recordings that are shorter than a window with zeros on the right; others are left as they are.

    Training, evaluation and the feature extractor share this rule, so that a model meets a short recording in
    one form.

    Args:
        signal: (..., samples) in mV.
        length: of a window in samples.

    Returns:
        (..., length) in mV, samples in place of length where that is longer.

    Example:
        >>> pad_to_window(torch.ones(1, 1, 3), 5).tolist()
        [[[1.0, 1.0, 1.0, 0.0, 0.0]]]
    """
    missing = length - signal.shape[-1]
    return F.pad(signal, (0, missing)) if missing > 0 else signal


def window_starts(samples: int, length: int, *, overlap: float = OVERLAP) -> list[int]:
    """Return where the windows of a recording begin.

    They are spread evenly, the first one begins with the recording and the last one ends with it, and there
    are no more of them than the overlap needs. A recording that is not longer than a window is one.

    Args:
        samples: of the recording.
        length: of a window in samples.
        overlap: least share of a window, to the nearest sample, that the next one repeats, in [0, 1).

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> window_starts(2500, 1000)
        [0, 500, 1000, 1500]
    """
    if samples < 1 or length < 1 or not 0 <= overlap < 1:
        raise ValueError(
            f"samples={samples}, length={length}, overlap={overlap}: expected positive numbers of samples "
            "and an overlap in [0, 1)"
        )
    rest = max(0, samples - length)
    step = max(1, length - round(overlap * length))
    gaps = -(-rest // step)
    return [rest * index // max(1, gaps) for index in range(gaps + 1)]


def split_windows(signal: Tensor, length: int, *, overlap: float = OVERLAP) -> Tensor:
    """Divide recordings into windows; every sample lies in at least one.

    Args:
        signal: (batch, leads, samples) in mV.
        length: of a window in samples.
        overlap: least share of a window that the next one repeats, see [`window_starts`].

    Returns:
        (batch, count, leads, length) in mV; a recording that is not longer than a window is one, padded with
        zeros on the right.

    Example:
        >>> split_windows(torch.zeros(2, 12, 2500), 1000).shape
        torch.Size([2, 4, 12, 1000])
    """
    signal = pad_to_window(signal, length)
    starts = window_starts(signal.shape[-1], length, overlap=overlap)
    return torch.stack([signal[..., start : start + length] for start in starts], dim=1)


def apply_to_windows(
    function: Callable[[Tensor, Tensor | None], Tensor],
    recordings: Sequence[Tensor],
    lead_mask: Tensor | None = None,
    *,
    batch_size: int = AT_ONCE,
) -> list[Tensor]:
    """Apply a function to every window of recordings.

    Args:
        function: maps (windows, leads, length) in mV and a mask (windows, leads) or None to (windows, size).
        recordings: the windows of each recording, (count, leads, length) in mV; the counts may differ.
        lead_mask: (recordings, leads), true where a lead is present.
        batch_size: windows that the function is given at once.

    Returns:
        (count, size) for each recording.
    """
    counts = [len(windows) for windows in recordings]
    parts = torch.cat(list(recordings)).split(batch_size)
    if lead_mask is None:
        values = [function(part, None) for part in parts]
    else:
        repeats = torch.tensor(counts, device=lead_mask.device)
        masks = lead_mask.repeat_interleave(repeats, dim=0).split(batch_size)
        values = [function(part, mask) for part, mask in zip(parts, masks, strict=True)]
    return list(torch.cat(values).split(counts))


def average_over_windows(
    function: Callable[[Tensor, Tensor | None], Tensor],
    recordings: Sequence[Tensor],
    lead_mask: Tensor | None = None,
    *,
    batch_size: int = AT_ONCE,
) -> Tensor:
    """Apply a function to the windows of recordings and average what it gives for each recording.

    Average logits, not probabilities. Where the head is linear, the mean of the logits is the logit of the
    mean embedding, so that a classifier and a probe on embeddings agree with each other; with a head of more
    layers (`"mlp"`, `"fcn"`) it is the mean of what the windows say.

    Args:
        function: see [`apply_to_windows`].
        recordings: see [`apply_to_windows`].
        lead_mask: see [`apply_to_windows`].
        batch_size: see [`apply_to_windows`].

    Returns:
        (recordings, size).

    Example:
        >>> windows = [torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[[5.0]]])]
        >>> average_over_windows(lambda signal, mask: signal[:, 0], windows).tolist()
        [[2.0], [5.0]]
    """
    values = apply_to_windows(function, recordings, lead_mask, batch_size=batch_size)
    return torch.stack([of_one.mean(dim=0) for of_one in values])


__all__ = ["apply_to_windows", "average_over_windows", "pad_to_window", "split_windows", "window_starts"]
