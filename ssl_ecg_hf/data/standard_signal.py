"""A recording of any leads, rate and length as the standard twelve leads at one rate and of one length."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from .record import STANDARD_LEADS, EcgFormatError, EcgRecord
from .units import MICROVOLTS_PER_UNIT

Floats = NDArray[np.float64]

# Einthoven's and Goldberger's equations: the limb leads as sums of lead I and lead II.
_LIMB: dict[str, tuple[float, float]] = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
# What `SslEcgFeatureExtractor` refuses is no recording to train on either; a test holds the numbers together.
MIN_SECONDS = 1.0  # a shorter recording may hold no whole beat
MIN_RATE = 25.0  # Hz; below, a QRS complex is a sample or two
MAX_RATE = 100_000.0  # Hz
MIN_AMPLITUDE, MAX_AMPLITUDE = 0.02, 20.0  # mV; in PTB-XL between 0.17 and 2.6
MAX_MISFIT = 0.1  # share of the length that a recording may be too short or too long without a note
# The filter of `SslEcgFeatureExtractor`, so that what a model is trained on and given later are made alike.
_LOBES, _BETA, _CUTOFF = 24, 6.5, 0.91
MASKED, PADDED, CROPPED = (
    "leads that are flat, or missing and no sum of two limb leads, are zero",
    "shorter than the length of all: padded with zeros at the end",
    "longer than the length of all: only the middle is used",
)


@lru_cache(maxsize=8)
def _low_pass(up: int, down: int) -> Floats:
    """Return a windowed sinc at ``up`` times the rate of the source; its weights sum to one."""
    bandwidth = _CUTOFF * min(1.0, up / down)
    half_width = _LOBES / bandwidth  # in samples of the source
    distance = np.arange(-int(half_width * up), int(half_width * up) + 1) / up
    window = np.i0(_BETA * np.sqrt(np.clip(1.0 - (distance / half_width) ** 2, 0.0, None)))
    weights = np.sinc(bandwidth * distance) * window
    return np.asarray(weights / weights.sum())


def resample_to(signal: Floats, source_rate: float, target_rate: float) -> Floats:
    """Resample a signal; sample ``k`` of the result lies at time ``k / target_rate`` s.

    Args:
        signal: (leads, samples), continued beyond its ends by its first and last value.
        source_rate: in Hz.
        target_rate: in Hz.

    Returns:
        (leads, round(samples * target_rate / source_rate)).

    Example:
        >>> resample_to(np.ones((1, 500)), 500.0, 100.0).shape
        (1, 100)
    """
    if source_rate == target_rate:
        return signal
    finest = max(1000, round(source_rate / target_rate))  # the ratio may not become zero
    ratio = (Fraction(target_rate) / Fraction(source_rate)).limit_denominator(finest)
    up, down = ratio.numerator, ratio.denominator
    found = resample_poly(signal, up, down, axis=1, window=_low_pass(up, down), padtype="edge")
    return np.asarray(found[:, : max(1, round(signal.shape[1] * target_rate / source_rate))])


def _check_amplitude(leads: Collection[Floats], unit: str) -> None:
    """Refuse leads, in mV by the unit that was stated, whose size says that the unit is another one.

    The size is the 99th percentile of a lead's distance from its median, and of the leads the median one.
    """
    middles = [float(np.median(lead)) for lead in leads]
    size = float(
        np.median(
            [np.percentile(np.abs(lead - middle), 99.0) for lead, middle in zip(leads, middles, strict=True)]
        )
    )
    if not MIN_AMPLITUDE <= size <= MAX_AMPLITUDE:
        sizes = {
            other: size * MICROVOLTS_PER_UNIT[other] / MICROVOLTS_PER_UNIT[unit]
            for other in ("uV", "mV", "V")
            if unit in MICROVOLTS_PER_UNIT  # not where leads differ in theirs
        }
        fitting = [other for other, real in sizes.items() if MIN_AMPLITUDE <= real <= MAX_AMPLITUDE]
        advice = f"it looks like {' or '.join(fitting)}" if fitting else "no usual unit fits"
        raise EcgFormatError(
            f"an amplitude of {size:.4g} mV by its unit ({unit}); an ECG lies between {MIN_AMPLITUDE:g} and "
            f"{MAX_AMPLITUDE:g} mV: {advice}. State the unit of the numbers"
        )
    if (offset := float(np.median(np.abs(middles)))) > MAX_AMPLITUDE:
        raise EcgFormatError(
            f"the leads lie {offset:.4g} mV away from zero (median over the leads), an electrode offset or "
            "an ADC baseline; subtract it"
        )


def _twelve_leads(record: EcgRecord) -> tuple[Floats, bool]:
    """Return the standard leads, (12, samples) in mV, and whether some of them are not known and zero."""
    rows = {
        name: lead.astype(np.float64)
        for name, lead in zip(record.leads, record.signal, strict=True)
        if name in STANDARD_LEADS
    }
    if invalid := sum(int(np.isnan(lead).sum()) for lead in rows.values()):
        raise EcgFormatError(f"{invalid} samples are invalid (NaN); repair the recording")
    measured = {name: lead for name, lead in rows.items() if np.ptp(lead) > 0}
    if not measured:
        raise EcgFormatError(f"none of its leads {list(record.leads)} is a standard lead that is not flat")
    _check_amplitude(measured.values(), record.source.unit)
    known = dict(measured)
    sources = [name for name in _LIMB if name in measured][:2]
    if len(sources) == 2:
        inverse = np.linalg.inv(np.array([_LIMB[name] for name in sources]))
        first_two = inverse @ np.stack([measured[name] for name in sources])
        # A flat lead is a loose electrode: what it would have shown is not ours to make up.
        known |= {name: np.array(_LIMB[name]) @ first_two for name in _LIMB if name not in rows}
    absent = np.zeros(record.signal.shape[1])
    return np.stack([known.get(name, absent) for name in STANDARD_LEADS]), len(known) < len(STANDARD_LEADS)


def standard_signal(
    record: EcgRecord, *, sampling_rate: float, num_samples: int
) -> tuple[NDArray[np.int16], list[str]]:
    """Bring a recording into the form of a dataset, as the feature extractor does for a model.

    Leads are matched by name, limb leads computed from two others where they are missing, other leads and
    those without a signal zero; it is resampled, then cropped around its middle or padded with zeros.

    Args:
        record: any recording.
        sampling_rate: wanted, in Hz.
        num_samples: wanted.

    Returns:
        int16 (12, num_samples) in microvolts, leads in the standard order, and notes of what was done to it
        that a reader should know.

    Raises:
        EcgFormatError: if its rate is below 25 Hz or above 100 kHz, it is shorter than 1 s, has invalid
            samples or no standard lead, its amplitude (99th percentile of the distance from the baseline,
            median over the leads) is not between 0.02 and 20 mV, or it does not fit into 16-bit microvolts.
    """
    if record.sampling_rate > max(MAX_RATE, sampling_rate):
        raise EcgFormatError(
            f"{record.sampling_rate:g} Hz is too high for an ECG; expected at most {MAX_RATE:g} Hz: state "
            "samples per second"
        )
    if record.duration < MIN_SECONDS:
        raise EcgFormatError(f"{record.duration:.3g} s at {record.sampling_rate:g} Hz; expected at least 1 s")
    if record.sampling_rate < min(MIN_RATE, sampling_rate):
        raise EcgFormatError(f"{record.sampling_rate:g} Hz is too low for an ECG; is the rate right?")
    signal, masked = _twelve_leads(record)
    signal = resample_to(signal, record.sampling_rate, sampling_rate)
    length = signal.shape[1]
    notes = [MASKED] if masked else []
    if abs(length - num_samples) > MAX_MISFIT * num_samples:
        notes.append(PADDED if length < num_samples else CROPPED)
    start = max(0, (length - num_samples) // 2)
    signal = signal[:, start : start + num_samples]
    microvolts = np.rint(1000.0 * np.pad(signal, ((0, 0), (0, num_samples - signal.shape[1]))))
    if (largest := float(np.abs(microvolts).max())) > np.iinfo(np.int16).max:
        raise EcgFormatError(
            f"a sample of {largest / 1000:.1f} mV does not fit into 16-bit microvolts; is the unit right? "
            "Subtract an electrode offset"
        )
    return microvolts.astype(np.int16), notes
