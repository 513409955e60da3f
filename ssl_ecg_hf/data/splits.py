"""Splits and label subsets that keep patients whole and every class at its prevalence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from .signals import numeric_column

SHARES: tuple[float, ...] = (0.8, 0.1, 0.1)
"""Of train, validation and test, where nothing else is said."""

HAS_LABELS = "has_labels"
"""Column of a dataset: whether labels that are all 0 say that the recording has no finding."""

_WINDOW = 64


def labelled(dataset: Dataset) -> Dataset:
    """Return the recordings whose labels are known, for supervision.

    Args:
        dataset: has a multi-hot column ``labels``. A column ``has_labels`` tells where they are known;
            without it they count as known where one of them is 1.

    Raises:
        ValueError: if there is no column ``labels``.
    """
    known = dataset_labels(dataset).any(axis=1)
    if HAS_LABELS in dataset.column_names:
        known = np.asarray(dataset[HAS_LABELS], dtype=bool)
    return dataset.select(np.flatnonzero(known))


def dataset_labels(dataset: Dataset) -> NDArray[np.int8]:
    """Return the ``labels`` of a dataset, int8 of shape (recordings, classes).

    Raises:
        ValueError: if there is no such column, or it holds anything but 0 and 1.
    """
    labels = numeric_column(dataset, "labels")
    if len(other := np.setdiff1d(labels, (0, 1))):
        raise ValueError(
            f"column 'labels' holds {other[:5].tolist()}; expected 0 and 1 in one column per class: turn "
            "class indices into such columns"
        )
    return labels.astype(np.int8)


def patient_groups(patients: Sequence[int | float | str | None] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the patients from 0; every recording of an unknown patient (None, NaN) gets its own number.

    Args:
        patients: one id per recording, e.g. the column ``patient_id``.

    Returns:
        int64 array of shape (recordings,).

    Example:
        >>> patient_groups([7, None, 7, None, 3]).tolist()
        [0, 1, 0, 2, 3]
    """
    numbers: dict[object, int] = {}
    groups = np.empty(len(patients), dtype=np.int64)
    for row, patient in enumerate(patients):
        unknown = patient is None or (isinstance(patient, float) and math.isnan(patient))
        groups[row] = numbers.setdefault((row,) if unknown else patient, len(numbers))
    return groups


def stratified_patient_order(
    labels: NDArray[np.int8], patients: Sequence[int | float | str | None] | NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """Order the patients so that every prefix of the order has nearly the class prevalences of the whole.

    First comes, rarest class first, one patient for each class that none of the chosen carries yet. The
    others stand in a random queue in which patients with equal labels are evenly spread: of the 64 at its
    head, that one goes next that brings the prefix closest to the prevalences of all classes, and of no
    class, each weighted by 1 / prevalence. So at most 64 patients stand elsewhere than by chance, and
    combinations of classes stay as frequent as they are.

    Args:
        labels: multi-hot, shape (recordings, classes).
        patients: one id per recording, see :func:`patient_groups`.
        seed: another seed gives another order.

    Returns:
        int64 array of shape (recordings,): the place of each recording's patient in the order.

    Raises:
        ValueError: if the shapes do not fit.

    Reference:
        Sechidis, Tsoumakas and Vlahavas 2011, On the stratification of multi-label data, ECML PKDD: the
        greedy choice by the most wanted label, here for one order of whole patients in place of k folds.
    """
    labels = np.asarray(labels)
    groups = patient_groups(patients)
    if labels.ndim != 2 or len(labels) != len(groups):
        raise ValueError(
            f"labels of shape {labels.shape} do not fit {len(groups)} patient ids; expected "
            "(recordings, classes) and one id per recording"
        )
    rng = np.random.default_rng(seed)
    num_patients = int(groups.max()) + 1 if len(groups) else 0
    positive = labels.astype(bool)
    classes = np.column_stack([positive, ~positive.any(axis=1)]).astype(np.float64)
    counts = np.zeros((num_patients, classes.shape[1]))
    np.add.at(counts, groups, classes)
    recordings = np.bincount(groups, minlength=num_patients)
    # Patients are counted like a class, or those with many recordings would come late.
    counts = np.column_stack([counts, np.ones(num_patients)])
    prevalence = counts.sum(axis=0) / max(1, len(groups))
    weight = 1.0 / np.sqrt(np.maximum(prevalence, 1e-12))
    # Surplus of each class that a patient adds to a prefix, over what its number of recordings calls for.
    surplus = (counts - recordings[:, None] * prevalence) * weight
    cost = (surplus**2).sum(axis=1)

    queue = _spread(counts, rng)
    order = _one_of_each_class(queue, counts[:, : labels.shape[1]])
    balance = surplus[order].sum(axis=0)
    queue = queue[~np.isin(queue, order)]
    window = queue[:_WINDOW].copy()
    for following in [*queue[_WINDOW:].tolist(), *[-1] * len(window)]:
        best = int(np.argmin(cost[window] + 2 * surplus[window] @ balance))
        chosen = int(window[best])
        order.append(chosen)
        balance += surplus[chosen]
        if following >= 0:
            window[best] = following
        else:
            window = np.delete(window, best)
    place = np.empty(num_patients, dtype=np.int64)
    place[order] = np.arange(num_patients)
    return place[groups]


def _spread(counts: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the patients at random, those with equal ``counts`` evenly spread over the order."""
    if not len(counts):
        return np.zeros(0, dtype=np.int64)
    kind = np.unique(counts, axis=0, return_inverse=True)[1].reshape(-1)
    shuffled = rng.permutation(len(counts))
    by_kind = shuffled[np.argsort(kind[shuffled], kind="stable")]
    size = np.bincount(kind)
    rank = np.arange(len(counts)) - np.repeat(np.cumsum(size) - size, size)
    position = (rank + rng.random(len(counts))) / np.repeat(size, size)
    return by_kind[np.argsort(position, kind="stable")]


def _one_of_each_class(queue: NDArray[np.int64], counts: NDArray[np.float64]) -> list[int]:
    order: list[int] = []
    for name in np.argsort(counts.sum(axis=0), kind="stable"):
        carriers = queue[counts[queue, name] > 0]
        if len(carriers) and not counts[order, name].any():
            order.append(int(carriers[0]))
    return order


def _cut(place: NDArray[np.int64], share: float) -> int:
    """Return how many patients of the order hold ``share`` of the recordings, as nearly as possible."""
    held = np.concatenate([[0], np.cumsum(np.bincount(place))])
    return int(np.abs(held - share * len(place)).argmin())


def label_fraction(
    labels: NDArray[np.int8],
    patients: Sequence[int | float | str | None] | NDArray[np.int64],
    fraction: float,
    *,
    seed: int,
) -> NDArray[np.int64]:
    """Choose a share of the recordings: whole patients, every class at its prevalence.

    Subsets of one seed are nested: 1 % lies within 5 %, which lies within 10 %, for any fractions. On PTB-XL
    (folds 1-8) the positives of each class number within 2 of prevalence x size at 1 and 5 %, and within 10
    at any fraction. Every class has a positive as soon as the subset holds as many patients as there are
    classes.

    Args:
        labels: multi-hot, shape (recordings, classes).
        patients: one id per recording; None or NaN where unknown.
        fraction: share of the recordings, above 0 and at most 1.
        seed: another seed gives another subset.

    Returns:
        Sorted int64 indices of the chosen recordings, at least one patient.

    Raises:
        ValueError: if ``fraction`` is out of range, the shapes do not fit or there are no recordings.

    Example:
        >>> labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.int8)
        >>> len(label_fraction(labels, [1, 2, 3, 4], 0.5, seed=0))
        2
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction={fraction!r} must be above 0 and at most 1; 10 % is 0.1")
    if not len(labels):
        raise ValueError("there are no recordings to choose from")
    place = stratified_patient_order(labels, patients, seed=seed)
    return np.flatnonzero(place < max(1, _cut(place, fraction)))


def patient_split(
    labels: NDArray[np.int8],
    patients: Sequence[int | float | str | None] | NDArray[np.int64],
    *,
    shares: Sequence[float] = SHARES,
    seed: int,
) -> tuple[NDArray[np.int64], ...]:
    """Split own data into parts that share no patient, every class at its prevalence in each.

    Args:
        labels: multi-hot, shape (recordings, classes); ``np.zeros((n, 0))`` where there are none.
        patients: one id per recording; None or NaN where unknown.
        shares: positive shares of the recordings that sum to 1, e.g. train, validation, test.
        seed: another seed gives another split.

    Returns:
        One sorted int64 array of indices per share; together they hold every recording once.

    Raises:
        ValueError: if the shares are not positive or do not sum to 1, or there are too few patients for
            every part to have one.
    """
    if min(shares, default=0) <= 0 or not math.isclose(math.fsum(shares), 1, abs_tol=1e-6):
        raise ValueError(f"shares={tuple(shares)} must be positive and sum to 1")
    place = stratified_patient_order(labels, patients, seed=seed)
    num_patients = int(place.max()) + 1 if len(place) else 0
    if num_patients < len(shares):
        raise ValueError(f"{num_patients} patients cannot fill {len(shares)} parts; each needs at least one")
    cuts = [0]
    for part in range(1, len(shares)):
        wanted = _cut(place, math.fsum(shares[:part]))
        cuts.append(min(max(wanted, cuts[-1] + 1), num_patients - (len(shares) - part)))
    cuts.append(num_patients)
    part_of = np.searchsorted(cuts, place, side="right") - 1
    return tuple(np.flatnonzero(part_of == part) for part in range(len(shares)))
