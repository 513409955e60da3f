"""Disturbances of simulated ECGs, made at the electrodes so that they obey Einthoven's law."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

# Columns RA, LA, LL, C1..C6 (RL is the ground); rows I, II, V1..V6 against Wilson's terminal.
_LEADS_FROM_ELECTRODES = np.zeros((8, 9), dtype=np.float32)
_LEADS_FROM_ELECTRODES[0, [0, 1]] = -1.0, 1.0
_LEADS_FROM_ELECTRODES[1, [0, 2]] = -1.0, 1.0
_LEADS_FROM_ELECTRODES[2:, :3] = -1.0 / 3.0
_LEADS_FROM_ELECTRODES[2:, 3:] = np.eye(6)
_ELECTRODES = 9

_MUSCLE_BAND = (15.0, 150.0)  # Hz


def disturbances(
    count: int, num_samples: int, *, sampling_rate: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw baseline wander, mains hum, electrode motion and muscle noise.

    Args:
        count: recordings.
        num_samples: samples per recording.
        sampling_rate: in Hz. Mains hum and muscle noise keep below half of it.
        rng: source of all randomness.

    Returns:
        float32 array of shape (count, 8, num_samples) in mV: leads I, II, V1..V6.
    """
    time = np.arange(num_samples) / sampling_rate
    shapes, amplitudes = [], []

    wander = rng.uniform([0.05, 0.12, 0.2], [0.12, 0.25, 0.4], (count, 3))  # Hz
    shapes.append(np.sin(_phase(wander, time, rng)))
    amplitudes.append(
        rng.lognormal(np.log(0.030), 0.6, (count, 1, 1)) * rng.normal(size=(count, _ELECTRODES, 3))
    )

    mains = rng.choice([50.0, 60.0], (count, 1))
    hum = rng.lognormal(np.log(0.004), 0.9, (count, 1, 1)) * rng.normal(size=(count, _ELECTRODES, 1))
    shapes.append(np.sin(_phase(mains, time, rng)))
    amplitudes.append(hum * (mains < sampling_rate / 2)[:, :, None])

    shapes.append(_motion(time, rng.uniform(0.0, time[-1], (count, 1)), rng.uniform(0.15, 0.6, (count, 1))))
    moved = rng.integers(_ELECTRODES, size=(count, 1)) == np.arange(_ELECTRODES)
    jolt = rng.normal(0.0, 0.6, (count, 1)) * (rng.random((count, 1)) < 0.12)
    amplitudes.append((moved * jolt)[:, :, None])

    noise = np.concatenate(amplitudes, axis=2).astype(np.float32) @ np.concatenate(shapes, axis=1)
    noise += _muscle(count, num_samples, sampling_rate, rng)
    return _LEADS_FROM_ELECTRODES @ noise


def _phase(
    frequency: NDArray[np.float64], time: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return phases in radians, (count, waves, samples), of frequencies (count, waves) in Hz."""
    start = rng.uniform(0.0, 2 * np.pi, frequency.shape)
    return ((2 * np.pi * frequency[..., None] * time + start[..., None]) % (2 * np.pi)).astype(np.float32)


def _motion(
    time: NDArray[np.float64], onset: NDArray[np.float64], decay: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the potential (count, 1, samples) of an electrode that is pulled at ``onset`` and recovers."""
    since = np.maximum(time - onset[..., None], 0.0)
    return (np.exp(-since / decay[..., None]) - np.exp(-since / 0.05)).astype(np.float32)


def _muscle(
    count: int, num_samples: int, sampling_rate: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return flat noise (count, 9, samples) in mV within the muscle band, of equal density at every rate."""
    density = rng.lognormal(np.log(0.0016), 0.6, (count, 1, 1)).astype(np.float32)  # mV per square root of Hz
    length = fft.next_fast_len(num_samples, real=True)
    frequency = np.arange(length // 2 + 1) * sampling_rate / length
    inside = (frequency >= _MUSCLE_BAND[0]) & (frequency <= min(_MUSCLE_BAND[1], sampling_rate / 2))
    spectrum = np.zeros((count, _ELECTRODES, len(frequency)), dtype=np.complex64)
    draws = rng.standard_normal((count, _ELECTRODES, int(inside.sum()), 2), dtype=np.float32)
    spectrum[..., inside] = draws.view(np.complex64)[..., 0] * np.float32(np.sqrt(sampling_rate * length) / 2)
    return fft.irfft(spectrum, n=length)[..., :num_samples] * density
