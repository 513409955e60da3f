"""From the waves of one beat to a simulated recording: rhythm, breathing, projection to leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .simulator_heart import P1, P2, ST, T1, T2, Patients, Waves

_SHORTEST_BEAT = 0.4  # s
_LONG_AFTER_R, _LONG_BEFORE_R = [ST, T1, T2], [P1, P2]


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What differs between recordings of one patient; every field has one row per recording."""

    r_times: NDArray[np.float64]  # (recordings, beats) s; one beat or more before the start and after the end
    beat_gains: NDArray[np.float64]  # (recordings, beats)
    electrode_gains: NDArray[np.float64]  # (recordings, 8): electrodes are never placed twice in the same way
    breathing: NDArray[np.float64]  # (recordings, 3): frequency in Hz, phase and tilt of the heart in radians

    def mean_rr(self) -> NDArray[np.float64]:
        """Return the mean RR interval of each recording in s."""
        return np.diff(self.r_times, axis=1).mean(axis=1)


def draw_recordings(heart_rate: NDArray[np.float64], duration: float, rng: np.random.Generator) -> Recordings:
    """Draw rhythms that vary, with breathing and at 0.1 Hz, about ``heart_rate`` (recordings,) in 1/min."""
    count, beats = len(heart_rate), int(np.ceil(duration / _SHORTEST_BEAT)) + 4
    mean = 60.0 / np.clip(heart_rate * np.exp(rng.normal(0.0, 0.05, count)), 48.0, 115.0)
    breathing = rng.uniform([0.18, 0.0, 0.0], [0.35, 2 * np.pi, 0.09], (count, 3))
    roughly = mean[:, None] * np.arange(beats)
    respiratory = rng.uniform(0.0, 0.04, (count, 1)) * np.sin(
        2 * np.pi * breathing[:, :1] * roughly + breathing[:, 1:2]
    )
    slow = rng.uniform(0.0, 0.03, (count, 1)) * np.sin(
        0.2 * np.pi * roughly + rng.uniform(0, 6.3, (count, 1))
    )
    jitter = np.clip(rng.normal(0.0, 0.008, (count, beats)), -0.02, 0.02)
    intervals = mean[:, None] * (1.0 + respiratory + slow + jitter)
    first = -mean * rng.uniform(1.1, 2.0, count)
    return Recordings(
        r_times=first[:, None] + np.cumsum(intervals, axis=1) - intervals[:, :1],
        beat_gains=rng.normal(1.0, 0.03, (count, beats)),
        electrode_gains=rng.normal(1.0, 0.05, (count, 8)),
        breathing=breathing,
    )


def render(
    rows: slice,
    patients: Patients,
    waves: Waves,
    recordings: Recordings,
    *,
    num_samples: int,
    sampling_rate: float,
) -> NDArray[np.float32]:
    """Return noiseless I, II, V1..V6 of the recordings ``rows``: float32 (rows, 8, num_samples) in mV."""
    time = np.arange(num_samples) / sampling_rate
    r_times = recordings.r_times[rows]
    beat = _last_beat(r_times, num_samples, sampling_rate)

    # Intervals shorten with the heart rate: QT by Bazett's square root, PR less, QRS not at all.
    rr = recordings.mean_rr()[rows, None]
    centres, widths = waves.centres[rows].copy(), waves.widths[rows].copy()
    centres[:, _LONG_AFTER_R] *= np.sqrt(rr)
    widths[:, _LONG_AFTER_R] *= np.sqrt(rr)
    centres[:, _LONG_BEFORE_R] *= rr**0.25

    # A sample sees the beat before it and the beat after it; what is farther away has died down.
    shape = (len(r_times), centres.shape[1], num_samples)
    activity = np.zeros(shape, dtype=np.float32)
    for neighbour, unseen in ((beat, _LONG_BEFORE_R), (beat + 1, [T1, T2])):
        since = time - np.take_along_axis(r_times, neighbour, axis=1)
        gain = np.take_along_axis(recordings.beat_gains[rows], neighbour, axis=1).astype(np.float32)
        seen = [wave for wave in range(shape[1]) if wave not in unseen]
        activity[:, seen] += gain[:, None] * _gaussians(since, centres[:, seen], widths[:, seen])
    vectors = waves.vectors[rows].transpose(0, 2, 1).astype(np.float32)
    heart = vectors @ activity  # (rows, 3, samples)

    frequency, phase, tilt = recordings.breathing[rows].T[:, :, None]
    angle = (tilt * np.sin(2 * np.pi * frequency * time + phase)).astype(np.float32)
    x, y, z = heart.transpose(1, 0, 2)
    breathing_heart = np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], 1
    )
    lead_field = patients.lead_field[rows] * recordings.electrode_gains[rows, :, None]
    return lead_field.astype(np.float32) @ breathing_heart


def _last_beat(r_times: NDArray[np.float64], num_samples: int, sampling_rate: float) -> NDArray[np.int64]:
    """Return the index of the last beat at or before each sample, (recordings, samples)."""
    # The first sample at or after each R wave; later ones than the last sample fall into a bin of their own.
    first_sample = np.clip(np.ceil(r_times * sampling_rate), 0, num_samples).astype(np.int64)
    bins = num_samples + 1
    flat = first_sample + bins * np.arange(len(r_times))[:, None]
    starts = np.bincount(flat.ravel(), minlength=bins * len(r_times)).reshape(-1, bins)
    return np.cumsum(starts[:, :num_samples], axis=1) - 1


def _gaussians(
    since: NDArray[np.float64], centres: NDArray[np.float64], widths: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return exp(-z**2 / 2) of every wave, (recordings, waves, samples), ``since`` in s after the R wave."""
    z = since.astype(np.float32)[:, None] - centres.astype(np.float32)[:, :, None]
    z /= widths.astype(np.float32)[:, :, None]
    z *= z
    z *= np.float32(-0.5)
    return np.exp(z, out=z)
