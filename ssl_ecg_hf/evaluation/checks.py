"""Checks of labels and scores that every measure of this folder shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Return multi-hot labels as an int64 array.

    Args:
        labels: (records, classes), every value 0 or 1.

    Returns:
        int64 array of shape (records, classes).

    Raises:
        ValueError: if the shape is not (records, classes), there is no record, or a value is not 0 or 1.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"labels have shape {array.shape}; expected (records, classes) with at least one of each; "
            "reshape the labels of a single class to (records, 1)"
        )
    if not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"labels hold {np.setdiff1d(array, (0, 1))[:5].tolist()}; expected multi-hot labels of 0 and 1; "
            "turn class indices into one column a class"
        )
    return array.astype(np.int64)


def check_same_shape(labels: NDArray[np.int64], values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return finite ``values`` of the shape of ``labels`` as float64.

    Raises:
        ValueError: if the shapes differ or a value is NaN or infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != labels.shape:
        raise ValueError(
            f"{name} have shape {array.shape}, labels {labels.shape}; "
            "expected one value for each record and class"
        )
    if not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array).all(axis=1))
        raise ValueError(
            f"{name} of {len(rows)} record(s) are NaN or infinite, first record {rows[0]}; "
            "expected finite values: look for a broken recording or a diverged model"
        )
    return array


def check_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels and scores as arrays that fit together.

    Args:
        labels: (records, classes), every value 0 or 1.
        scores: (records, classes), probabilities in [0, 1].

    Returns:
        int64 labels and float64 scores, both of shape (records, classes).

    Raises:
        ValueError: if a shape or a value is not as described.
    """
    checked = check_labels(labels)
    values = check_same_shape(checked, scores, name="scores")
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f"scores reach from {values.min():.4g} to {values.max():.4g}; expected probabilities in [0, 1]; "
            "apply a sigmoid to logits first"
        )
    return checked, values


def check_class_names(class_names: Sequence[str], classes: int) -> list[str]:
    """Return the names of the classes as a list.

    Raises:
        ValueError: if there is not exactly one different name a class.
    """
    names = list(class_names)
    if len(names) != classes or len(set(names)) != classes:
        raise ValueError(
            f"class names {names} do not name {classes} classes; expected one different name a column"
        )
    return names
