"""Recordings divided into train, validation and test by patient, once or again with every seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets
from numpy.typing import NDArray

from .splits import SHARES, dataset_labels, patient_split


def knows_patients(recordings: Dataset) -> bool:
    """Tell whether any recording names its patient."""
    if "patient_id" not in recordings.column_names:
        return False
    column = recordings.data.column("patient_id")
    return bool(column.null_count < len(column))


def _known_patients(recordings: Dataset) -> set[int | float | str]:
    """Return the patients that are named; a NaN is none, and not equal to itself."""
    return {patient for patient in recordings["patient_id"] if patient is not None and patient == patient}


def check_apart(splits: DatasetDict) -> None:
    """Refuse splits that share patients: a model would be measured on whom it was trained on.

    Args:
        splits: with or without ``patient_id``; recordings of unknown patients are not looked at.

    Raises:
        ValueError: if a patient is in two splits.
    """
    if not all("patient_id" in split.column_names for split in splits.values()):
        return
    known = {name: _known_patients(split) for name, split in splits.items()}
    for first, second in combinations(known, 2):
        if shared := sorted(known[first] & known[second], key=str):
            shown = ", ".join(map(str, shared[:5])) + (" ..." if len(shared) > 5 else "")
            raise ValueError(
                f"{len(shared)} patients are in {first} and in {second} (patient_id {shown}); divide the "
                "recordings by patient, e.g. with --split_seed 0, or correct the ids"
            )


def held_out(splits: DatasetDict) -> dict[str, str]:
    """Return a digest of the recordings in validation and test, by file or ``ecg_id``; empty without these.

    Two divisions whose digests agree hold out the same recordings.
    """
    name = next((name for name in ("file", "ecg_id") if name in splits["train"].column_names), None)
    if name is None:
        return {}
    return {
        split: hashlib.sha256(repr(sorted(splits[split][name])).encode()).hexdigest()
        for split in ("validation", "test")
    }


def divide(
    recordings: Dataset,
    *,
    shares: Sequence[float] = SHARES,
    seed: int,
    strata: NDArray[np.int8] | None = None,
) -> DatasetDict:
    """Divide recordings into train, validation and test by patient, see :func:`patient_split`.

    Args:
        recordings: with or without ``patient_id``; without, each recording is a patient of its own.
        shares: of train, validation and test.
        seed: another seed gives another division.
        strata: labels whose prevalence the splits share, (recordings, any); default: ``labels``, if there.

    Returns:
        The splits; signals are not copied.

    Raises:
        ValueError: if there are not three positive shares that sum to 1, or too few patients.
    """
    if len(shares) != 3:
        raise ValueError(f"shares={tuple(shares)}; expected those of train, validation and test")
    if strata is None:
        known = "labels" in recordings.column_names
        strata = dataset_labels(recordings) if known else np.zeros((len(recordings), 0), dtype=np.int8)
    has_patients = "patient_id" in recordings.column_names
    patients = list(recordings["patient_id"]) if has_patients else [None] * len(recordings)
    parts = patient_split(strata, patients, shares=shares, seed=seed)
    return DatasetDict(
        {
            name: recordings.select(part)
            for name, part in zip(("train", "validation", "test"), parts, strict=True)
        }
    )


def divide_anew(
    splits: DatasetDict,
    *,
    shares: Sequence[float] = SHARES,
    seed: int,
    strata: DatasetDict | None = None,
) -> DatasetDict:
    """Pool splits and divide their recordings anew by patient: one step of repeated random sub-sampling.

    Args:
        splits: train, validation and test.
        shares: of the new ones.
        seed: another seed gives another division.
        strata: the same recordings with the labels whose prevalence the new splits share, so that one seed
            divides alike whatever the labels are; default: those of ``splits``.

    Returns:
        The new splits; signals are not copied.

    Raises:
        ValueError: as :func:`divide`.
    """
    pool = concatenate_datasets(list(splits.values()))
    labels = None
    if strata is not None:
        labels = np.concatenate([dataset_labels(split) for split in strata.values()])
    return divide(pool, shares=shares, seed=seed, strata=labels)
