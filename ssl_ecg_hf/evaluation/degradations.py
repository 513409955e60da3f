"""The ways in which recordings are bad: noise, hum, lost signal, missing leads, other rates, wrong wiring.

Everything is done to one recording at a time, with randomness that depends on the seed and on the recording's
number alone. So every model of the same input sees the same bad recordings, whatever the batch size and the
device; one of fewer leads meets the same noise at the electrodes that it has.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ssl_ecg_hf.data.record import STANDARD_LEADS
from ssl_ecg_hf.modeling.limb_leads_ssl_ecg import LIMB_LEADS
from ssl_ecg_hf.modeling.resampling_ssl_ecg import resample

WANDER_BAND = (0.05, 0.5)  # Hz
MUSCLE_BAND = (15.0, 150.0)  # Hz
MAINS = 49.5  # Hz

Signal = NDArray[np.float64]
Mask = NDArray[np.bool_]


class NotApplicableError(ValueError):
    """A condition makes no sense for recordings of these leads or this rate; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a condition acts on.

    Args:
        signal: (leads, samples) in mV.
        leads: names of the rows, in standard spelling.
        sampling_rate: in Hz.
        rng: the recording's own source of randomness.
    """

    signal: Signal
    leads: tuple[str, ...]
    sampling_rate: float
    rng: np.random.Generator


@lru_cache(maxsize=8)
def electrode_matrix(leads: tuple[str, ...]) -> Signal:
    """Return what a potential at each electrode causes in each lead.

    Args:
        leads: names in standard spelling. Other names get an electrode each: nothing is known of them.

    Returns:
        (leads, electrodes): RA, LA, LL, the six chest electrodes, then those of other leads.

    Example:
        >>> electrode_matrix(("I", "III"))[:, :4].tolist()  # RA, LA, LL and the first chest electrode
        [[-1.0, 1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0]]
    """
    chest = STANDARD_LEADS[6:]
    single = [*chest, *(name for name in leads if name not in STANDARD_LEADS)]
    matrix = np.zeros((len(leads), 3 + len(single)))
    for row, name in zip(matrix, leads, strict=True):
        if name in LIMB_LEADS:
            of_lead_i, of_lead_ii = LIMB_LEADS[name]  # I = LA - RA, II = LL - RA
            row[:3] = 0.0 - of_lead_i - of_lead_ii, of_lead_i, of_lead_ii
        else:
            row[3 + single.index(name)] = 1.0
            row[:3] = -1 / 3 if name in chest else 0.0  # Wilson's terminal
    return matrix


def _white(channels: int, recording: Recording) -> Signal:
    return recording.rng.standard_normal((channels, recording.signal.shape[1]))


def _wander(channels: int, recording: Recording) -> Signal:
    """Three slow sinusoids, of another weight at each electrode."""
    low, high = WANDER_BAND
    time = np.arange(recording.signal.shape[1]) / recording.sampling_rate
    frequency = np.exp(recording.rng.uniform(math.log(low), math.log(high), (3, 1)))
    phase = recording.rng.uniform(0.0, 2 * math.pi, (3, 1))
    weights = recording.rng.standard_normal((channels, 3))
    return weights @ np.sin(2 * math.pi * frequency * time + phase)


def _muscle(channels: int, recording: Recording) -> Signal:
    """Noise of equal density within the muscle band, as far as it lies below half the sampling rate."""
    if recording.sampling_rate <= 2 * MUSCLE_BAND[0]:
        raise NotApplicableError(f"muscle noise lies above half of {recording.sampling_rate:g} Hz")
    samples = recording.signal.shape[1]
    frequency = np.fft.rfftfreq(samples, 1 / recording.sampling_rate)
    inside = (frequency >= MUSCLE_BAND[0]) & (frequency <= MUSCLE_BAND[1])
    return np.fft.irfft(np.fft.rfft(_white(channels, recording)) * inside, n=samples)


NOISES: dict[str, Callable[[int, Recording], Signal]] = {
    "white noise": _white,
    "baseline wander": _wander,
    "muscle noise": _muscle,
}
"""Potentials (electrodes, samples) of any size at the electrodes: (electrodes, recording) -> potentials."""


def power(signal: Signal) -> float:
    """Return the mean square (mV²) over all leads of a signal (leads, samples), each lead around its mean."""
    return float(np.var(signal, axis=1).mean())


@dataclass(frozen=True, kw_only=True)
class Condition(ABC):
    """One way in which a recording can be bad.

    Args:
        group: what it has in common with others, for reports.
        label: what it differs from them by.
    """

    group: str
    label: str

    @property
    def name(self) -> str:
        """Group and label."""
        return f"{self.group}, {self.label}"

    @abstractmethod
    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """Return the bad recording, drawing from ``recording.rng`` alone.

        Returns:
            (leads, samples) in mV, and which leads are there, (leads,), or None where all are.

        Raises:
            NotApplicableError: if the condition makes no sense for such recordings.
        """


@dataclass(frozen=True, kw_only=True)
class Clean(Condition):
    """The recording as it is."""

    group: str = "clean"
    label: str = "as recorded"

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        return recording.signal, None


@dataclass(frozen=True, kw_only=True)
class Noise(Condition):
    """Noise that arises at the electrodes: III = II - I holds, and all chest leads share that of the limbs.

    Args:
        kinds: names in ``NOISES``; several have equal power.
        snr_db: power of the recording over that of the noise in dB, see :func:`power`. It counts all leads
            together, so that a small lead suffers more than a large one.
    """

    kinds: tuple[str, ...]
    snr_db: float

    def __post_init__(self) -> None:
        if not self.kinds or set(self.kinds) - set(NOISES):
            raise ValueError(f"kinds={self.kinds!r}: expected at least one of {list(NOISES)}")

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        matrix = electrode_matrix(recording.leads)
        noise = np.zeros_like(recording.signal)
        for kind in self.kinds:
            part = matrix @ NOISES[kind](matrix.shape[1], recording)
            part -= part.mean(axis=1, keepdims=True)
            noise += part / math.sqrt(power(part))
        wanted = power(recording.signal) / 10 ** (self.snr_db / 10)
        return recording.signal + noise * math.sqrt(wanted / power(noise)), None


@dataclass(frozen=True, kw_only=True)
class MainsHum(Condition):
    """Hum of the mains at the electrodes, of another strength but one phase at each.

    Hum of exactly 50 Hz, sampled at exactly 100 Hz, alternates between two values whose size depends on the
    phase of the first sample alone: anything from nothing to the amplitude. No network and no clock are that
    exact. So this is hum of 49.5 Hz, the lower end of what EN 50160 asks of networks. Sampled at 100 Hz it
    alternates and swells once a second, over whole seconds with the same power at any phase. A recorder with
    a good filter would let little of it pass at that rate; at rates of 99 Hz and less none does, and there is
    nothing to measure. Hum of 60 Hz would appear at 40 Hz in a recorder of 100 Hz without any filter; it is
    left out.

    Args:
        amplitude: in mV, of a sinusoid with the mean power of the hum over all leads.
    """

    amplitude: float

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        if recording.sampling_rate <= 2 * MAINS:
            raise NotApplicableError(f"{MAINS:g} Hz is not below half of {recording.sampling_rate:g} Hz")
        matrix = electrode_matrix(recording.leads)
        weights = matrix @ recording.rng.standard_normal((matrix.shape[1], 1))
        weights *= self.amplitude / math.sqrt((weights**2).mean())
        phase = recording.rng.uniform(0.0, 2 * math.pi)
        time = np.arange(recording.signal.shape[1]) / recording.sampling_rate
        return recording.signal + weights * np.sin(2 * math.pi * MAINS * time + phase), None


@dataclass(frozen=True, kw_only=True)
class MaskedTime(Condition):
    """One stretch at a random place without signal, zero in all leads: a loose plug.

    Args:
        share: of the recording, in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share={self.share!r}: expected a number in [0, 1]; a quarter is 0.25")

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        samples = recording.signal.shape[1]
        length = round(self.share * samples)
        start = int(recording.rng.random() * (samples - length + 1))
        signal = recording.signal.copy()
        signal[:, start : start + length] = 0.0
        return signal, None


@dataclass(frozen=True, kw_only=True)
class MissingLeads(Condition):
    """Some leads are missing: zero, and the lead mask says so, as it does for flat leads.

    A limb lead that is not in the file at all would be computed from two others by the feature extractor.
    Here it stays missing, which is harder.

    Args:
        leads: their names, in standard spelling.
    """

    leads: tuple[str, ...]

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        if unknown := [name for name in self.leads if name not in recording.leads]:
            raise NotApplicableError(f"the model has no lead {', '.join(unknown)}")
        present = np.array([name not in self.leads for name in recording.leads])
        if not present.any():
            raise NotApplicableError("the model has no other lead")
        return recording.signal * present[:, None], present


@dataclass(frozen=True, kw_only=True)
class Resampled(Condition):
    """Brought to another sampling rate and back by the feature extractor's resampling.

    Args:
        rate: in Hz.
    """

    rate: float

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate={self.rate!r}: expected a positive number of Hz")

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        own = recording.sampling_rate
        if own == self.rate:
            raise NotApplicableError(f"the recordings are sampled at {own:g} Hz")
        other = resample(recording.signal, source_rate=own, target_rate=self.rate)
        samples = recording.signal.shape[1]
        return resample(other, source_rate=self.rate, target_rate=own, stop=samples), None


@dataclass(frozen=True, kw_only=True)
class Inverted(Condition):
    """Every lead times -1: a cable or a converter of the wrong sign."""

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        return -recording.signal, None


@dataclass(frozen=True, kw_only=True)
class ArmsSwapped(Condition):
    """The electrodes of the arms stand for each other: I times -1, II for III, aVR for aVL."""

    def __call__(self, recording: Recording) -> tuple[Signal, Mask | None]:
        """See ``Condition``."""
        twin = {"II": "III", "III": "II", "aVR": "aVL", "aVL": "aVR"}
        sources = [twin.get(name, name) for name in recording.leads]
        if absent := [name for name in sources if name not in recording.leads]:
            raise NotApplicableError(f"the model has no lead {', '.join(absent)}")
        if not {"I", *twin} & set(recording.leads):
            raise NotApplicableError("no lead of the model changes")
        signal = recording.signal[[recording.leads.index(name) for name in sources]]
        signal[[name == "I" for name in recording.leads]] *= -1.0
        return signal, None


_BAD: tuple[Condition, ...] = (
    *(
        Noise(group=group, label=f"{snr} dB", kinds=kinds, snr_db=snr)
        for group, kinds in (
            ("white noise", ("white noise",)),
            ("wander + muscle noise", ("baseline wander", "muscle noise")),
        )
        for snr in (24, 12, 6, 0)
    ),
    *(MainsHum(group="mains hum", label=f"{size:g} mV", amplitude=size) for size in (0.1, 0.3)),
    *(
        MaskedTime(group="signal lost", label=f"{percent} % of the time", share=percent / 100)
        for percent in (10, 25, 50)
    ),
    *(MissingLeads(group="one lead missing", label=name, leads=(name,)) for name in STANDARD_LEADS),
    MissingLeads(group="few leads", label="limb leads only", leads=STANDARD_LEADS[6:]),
    MissingLeads(
        group="few leads",
        label="I, II and V2 only",
        leads=tuple(name for name in STANDARD_LEADS if name not in ("I", "II", "V2")),
    ),
    *(Resampled(group="resampled and back", label=f"{rate} Hz", rate=rate) for rate in (500, 250, 50)),
    ArmsSwapped(group="wrong polarity", label="arm electrodes swapped"),
    Inverted(group="wrong polarity", label="all leads inverted"),
)

CONDITIONS: dict[str, Condition] = {"clean": Clean()} | {condition.name: condition for condition in _BAD}
"""Every condition by its name, in the order of the report."""
