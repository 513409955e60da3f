"""Simulated 12-lead ECGs, for demonstrations and tests where no real recordings are at hand.

This is not medicine. The signals look like textbook examples of five diagnostic superclasses; numbers
obtained on them say whether code works, and nothing about how well it reads the ECGs of people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from datasets import Dataset, DatasetDict
from numpy.typing import NDArray

from .labels import SUPERCLASSES
from .schema import ecg_features
from .simulator_beats import draw_recordings, render
from .simulator_heart import Patients, beat_waves, draw_patients
from .simulator_noise import disturbances

_Number = TypeVar("_Number", np.float32, np.int16)

_CHUNK = 64  # recordings rendered at a time: keeps the arrays in the processor's cache
_MAX_UV = 16_000  # III = II - I must fit into int16

# How often labels occur together, in percent: about as in PTB-XL, with NORM always alone.
_LABEL_SETS: dict[tuple[str, ...], float] = {
    ("NORM",): 44.0,
    ("MI",): 11.8,
    ("STTC",): 11.2,
    ("CD",): 8.8,
    ("MI", "CD"): 6.0,
    ("STTC", "HYP"): 3.7,
    ("MI", "STTC"): 2.8,
    ("HYP",): 2.5,
    ("STTC", "CD"): 2.3,
    ("MI", "STTC", "HYP"): 1.7,
    ("HYP", "CD"): 1.4,
    ("MI", "STTC", "CD"): 1.1,
    ("STTC", "HYP", "CD"): 1.0,
    ("MI", "HYP"): 0.9,
    ("MI", "STTC", "HYP", "CD"): 0.8,
}
# First and last fold.
_SPLITS: dict[str, tuple[int, int]] = {"train": (1, 8), "validation": (9, 9), "test": (10, 10)}


def _render(
    patients: Patients,
    labels: NDArray[np.int8],
    *,
    num_samples: int,
    sampling_rate: float,
    duration: float,
    noise: float,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.float32]]:
    """Yield I, II, V1..V6 of successive recordings, float32 (chunk, 8, num_samples) in mV."""
    waves = beat_waves(patients, labels)
    recordings = draw_recordings(patients.heart_rate, duration, rng)
    for start in range(0, len(labels), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(labels)))
        leads = render(
            rows, patients, waves, recordings, num_samples=num_samples, sampling_rate=sampling_rate
        )
        if noise > 0:
            count = rows.stop - rows.start
            leads += np.float32(noise) * disturbances(
                count, num_samples, sampling_rate=sampling_rate, rng=rng
            )
        yield leads


def _twelve_leads(leads: NDArray[_Number]) -> NDArray[_Number]:
    """Complete I, II, V1..V6 (records, 8, samples) by III, aVR, aVL and aVF (Einthoven, Goldberger)."""
    i, ii = leads[:, 0], leads[:, 1]
    half = np.floor_divide if np.issubdtype(leads.dtype, np.integer) else np.divide
    limb = [i, ii, ii - i, -half(i + ii, 2), i - half(ii, 2), ii - half(i, 2)]
    return np.concatenate([np.stack(limb, axis=1), leads[:, 2:]], axis=1)


def _microvolts(leads: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round mV to int16 microvolts."""
    return np.clip(np.rint(leads * 1000.0), -_MAX_UV, _MAX_UV).astype(np.int16)


def _patients_of_records(num_records: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the patient, counted from 0, of each recording; most patients have one."""
    recordings = rng.choice([1, 2, 3, 4], size=num_records, p=[0.80, 0.13, 0.05, 0.02])
    return np.repeat(np.arange(num_records), recordings)[:num_records]


def _draw_labels(count: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw multi-hot labels (count, 5) with the frequencies of ``_LABEL_SETS``."""
    sets = np.array([[name in names for name in SUPERCLASSES] for names in _LABEL_SETS], dtype=np.int8)
    frequency = np.array(list(_LABEL_SETS.values()))
    return sets[rng.choice(len(sets), size=count, p=frequency / frequency.sum())]


def _draw_age_and_sex(
    labels: NDArray[np.int8], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Draw whole years of age, higher with findings, and sex, more men with infarctions; both (patients,)."""
    normal, infarction = labels[:, 0] == 1, labels[:, 1] == 1
    age = rng.normal(np.where(normal, 52.0, 66.0), np.where(normal, 17.0, 12.0))
    male = rng.random(len(labels)) < np.where(infarction, 0.64, 0.50)
    return np.rint(np.clip(age, 18.0, 89.0)).astype(np.float32), np.where(male, "male", "female")


def _draw_folds(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int8]:
    """Deal patients to folds 1..10 so that every set of labels is spread evenly."""
    label_set = labels @ (1 << np.arange(labels.shape[1]))
    order = np.lexsort((rng.random(len(labels)), label_set))
    fold = np.empty(len(labels), dtype=np.int8)
    # Begins with 9 and 10, so that a handful of patients fills every split.
    fold[order] = (np.arange(len(labels)) + 8) % 10 + 1
    return fold


def _num_samples(sampling_rate: float, duration: float) -> int:
    """Return samples per recording; raise if ``sampling_rate`` (Hz) or ``duration`` (s) is no number > 0."""
    for name, value, unit in (("sampling_rate", sampling_rate, "Hz"), ("duration", duration, "s")):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value!r} must be a positive number ({unit})")
    if (num_samples := round(duration * sampling_rate)) < 1:
        raise ValueError(
            f"{duration} s at {sampling_rate} Hz is less than one sample; ask for a longer duration"
        )
    return num_samples


def _checked_labels(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return ``labels`` as int8 (records, 5), or raise if they are not multi-hot with NORM alone."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] != len(SUPERCLASSES):
        raise ValueError(
            f"labels have shape {labels.shape}; expected (records, 5) in the order {SUPERCLASSES}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, found {np.unique(labels)}; give multi-hot rows")
    if (mixed := np.flatnonzero((labels[:, 0] == 1) & (labels.sum(axis=1) > 1))).size:
        raise ValueError(
            f"NORM stands beside other labels in {mixed.size} row(s), first in row {mixed[0]}; "
            "NORM excludes the others, clear one or the other"
        )
    return labels.astype(np.int8)


def simulate_ecg(
    labels: NDArray[np.int8],
    *,
    sampling_rate: float = 100.0,
    duration: float = 10.0,
    noise: float = 1.0,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Simulate one recording, of one patient of its own, per row of labels.

    Hearts and rhythms are drawn before any noise and do not depend on the sampling rate: the same generator
    state gives the same hearts at every rate. Signals are sampled without an anti-aliasing filter.

    Args:
        labels: multi-hot findings of shape (records, 5) in the order of ``SUPERCLASSES``. NORM stands alone;
            a row of zeros gives a heart without a finding, like NORM.
        sampling_rate: samples per second in Hz.
        duration: length in s.
        noise: factor on all disturbances; 0 gives the bare heart.
        rng: source of all randomness.

    Returns:
        float32 array of shape (records, 12, samples) in mV, leads I, II, III, aVR, aVL, aVF, V1..V6. The limb
        leads obey Einthoven's and Goldberger's relations, noise included.

    Raises:
        ValueError: if the labels are not such rows, or a number is out of range.

    Reference:
        McSharry, Clifford, Tarassenko, Smith, A Dynamical Model for Generating Synthetic Electrocardiogram
        Signals, IEEE Trans. Biomed. Eng. 50(3), 2003. Sameni, Clifford, Jutten, Shamsollahi, Multichannel ECG
        and Noise Modeling, EURASIP J. Adv. Signal Process. 2007, 043407. Dower, Machado, Osborne, On Deriving
        the Electrocardiogram from Vectorcardiographic Leads, Clin. Cardiol. 3(2), 1980.

    Example:
        >>> labels = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 1]], dtype=np.int8)
        >>> simulate_ecg(labels, rng=np.random.default_rng(0)).shape
        (2, 12, 1000)
    """
    labels = _checked_labels(labels)
    num_samples = _num_samples(sampling_rate, duration)
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise={noise!r} must be a number of 0 or more; 1 is the usual amount")
    patients = draw_patients(len(labels), rng)
    signals = np.empty((len(labels), 12, num_samples), dtype=np.float32)
    start = 0
    chunks = _render(
        patients,
        labels,
        num_samples=num_samples,
        sampling_rate=sampling_rate,
        duration=duration,
        noise=noise,
        rng=rng,
    )
    for chunk in chunks:
        signals[start : start + len(chunk)] = _twelve_leads(chunk)
        start += len(chunk)
    return signals


def simulate_dataset(
    num_records: int = 1000, *, seed: int = 0, sampling_rate: float = 100.0, duration: float = 10.0
) -> DatasetDict:
    """Simulate a small PTB-XL: patients with one to four recordings, split 8:1:1 by patient.

    The superclasses occur, alone and together, about as often as in PTB-XL. Recordings of one patient share
    anatomy, age, sex and mostly the labels.

    Args:
        num_records: recordings in all splits together, at least 10.
        seed: the same seed gives the same bytes.
        sampling_rate: samples per second in Hz.
        duration: length of each recording in s.

    Returns:
        Splits train (folds 1-8), validation (fold 9) and test (fold 10) with the columns of
        ``ecg_features``; ``signal_uv`` is int16 of shape (12, samples) in microvolts, and III = II - I holds
        exactly.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> dataset = simulate_dataset(20, seed=1, duration=2.0)
        >>> dataset["train"].features["signal_uv"].shape
        (12, 200)
    """
    if num_records < 10:
        raise ValueError(f"num_records={num_records} must be at least 10, so that no split is empty")
    num_samples = _num_samples(sampling_rate, duration)
    rng = np.random.default_rng(seed)

    patient = _patients_of_records(num_records, rng)
    num_patients = int(patient[-1]) + 1
    usual_labels = _draw_labels(num_patients, rng)
    labels = usual_labels[patient]
    changed = rng.random(num_records) < 0.05
    labels[changed] = _draw_labels(int(changed.sum()), rng)
    age, sex = _draw_age_and_sex(usual_labels, rng)
    fold = _draw_folds(usual_labels, rng)[patient]

    patients = draw_patients(num_patients, rng).take(patient)
    chunks = _render(
        patients,
        labels,
        num_samples=num_samples,
        sampling_rate=sampling_rate,
        duration=duration,
        noise=1.0,
        rng=rng,
    )
    signal_uv = np.concatenate([_twelve_leads(_microvolts(chunk)) for chunk in chunks])
    columns = {
        "signal_uv": signal_uv,
        "labels": labels,
        "ecg_id": np.arange(1, num_records + 1),
        "patient_id": patient + 1,
        "age": age[patient],
        "sex": sex[patient],
        "fold": fold,
        "sampling_rate": np.full(num_records, sampling_rate, dtype=np.float32),
    }
    features = ecg_features(num_samples)
    splits = {}
    for name, (first, last) in _SPLITS.items():
        rows = np.flatnonzero((fold >= first) & (fold <= last))
        splits[name] = Dataset.from_dict(
            {key: values[rows] for key, values in columns.items()}, features=features
        )
    return DatasetDict(splits)
