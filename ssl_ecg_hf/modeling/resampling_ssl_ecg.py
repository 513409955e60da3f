"""Change of sampling rate by any real ratio: windowed-sinc interpolation in NumPy, without SciPy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LOBES = 24  # zero crossings of the sinc on either side of its centre
KAISER_BETA = 6.5  # about 65 dB of stop-band attenuation
AT_ONCE = 1_000_000  # weights; a kernel of more is divided, so that a high rate does not decide about memory
CUTOFF = 0.91  # of the lower Nyquist frequency, so that the stop band begins at that frequency


def resampled_length(num_samples: int, source_rate: float, target_rate: float) -> int:
    """Return the length at ``target_rate`` Hz of a signal of ``num_samples`` samples at ``source_rate`` Hz.

    Example:
        >>> resampled_length(5000, 500.0, 100.0)
        1000
    """
    return max(1, round(num_samples * target_rate / source_rate))


def _extent(source_rate: float, target_rate: float) -> tuple[float, float, int]:
    """Bandwidth (1: Nyquist frequency of the source); half the width of the sinc in samples, also whole."""
    bandwidth = CUTOFF * min(1.0, target_rate / source_rate)
    half_width = LOBES / bandwidth
    return bandwidth, half_width, int(np.ceil(half_width))


@lru_cache(maxsize=4)  # recordings of one device share their kernel
def _kernel(
    source_rate: float, target_rate: float, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Source samples that make up each output sample, and their weights: both (output samples, taps)."""
    bandwidth, half_width, reach = _extent(source_rate, target_rate)
    positions = np.arange(start, stop) * (source_rate / target_rate)
    taps = np.floor(positions).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    distance = positions[:, None] - taps
    inside = np.clip(1.0 - (distance / half_width) ** 2, 0.0, None)
    window = np.where(inside > 0.0, np.i0(KAISER_BETA * np.sqrt(inside)), 0.0)
    weights = np.sinc(bandwidth * distance) * window
    return taps, weights / weights.sum(axis=1, keepdims=True)


def resample(
    signal: NDArray[np.float64],
    *,
    source_rate: float,
    target_rate: float,
    start: int = 0,
    stop: int | None = None,
) -> NDArray[np.float64]:
    """Resample a signal; sample ``k`` of the result lies at time ``k / target_rate`` s.

    Frequencies up to 0.82 of the lower Nyquist frequency pass unchanged, those above it are removed
    before they can alias. A constant stays constant: the weights of every output sample sum to one, and
    the signal is continued beyond its ends by its first and last value.

    Args:
        signal: array of shape (leads, samples), any unit.
        source_rate: sampling rate of ``signal`` in Hz.
        target_rate: sampling rate of the result in Hz.
        start: first sample of the result to compute, counted at ``target_rate``.
        stop: one past the last sample to compute; default the whole signal, :func:`resampled_length`.

    Returns:
        Array of shape (leads, stop - start) in the unit of ``signal``.

    Example:
        >>> resample(np.ones((1, 500)), source_rate=500.0, target_rate=100.0).shape
        (1, 100)
    """
    num_samples = signal.shape[1]
    stop = resampled_length(num_samples, source_rate, target_rate) if stop is None else stop
    if source_rate == target_rate:
        return signal[:, start:stop]
    _, _, reach = _extent(source_rate, target_rate)
    at_once = max(1, AT_ONCE // (2 * reach + 2))
    resampled = np.empty((len(signal), stop - start))
    for first in range(start, stop, at_once):
        last = min(stop, first + at_once)
        taps, weights = _kernel(source_rate, target_rate, first, last)
        neighbours = np.clip(taps, 0, num_samples - 1)
        for row, lead in zip(resampled, signal, strict=True):
            row[first - start : last - start] = np.einsum("ot,ot->o", lead[neighbours], weights)
    return resampled


__all__ = ["resample", "resampled_length"]
