"""Metrics of a multi-label classifier at fixed thresholds; scikit-learn does the arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    recall_score,
    roc_auc_score,
)

from ssl_ecg_hf.evaluation.calibration import expected_calibration_error
from ssl_ecg_hf.evaluation.checks import check_class_names, check_scores

DEFAULT_THRESHOLD = 0.5
LEAST_DIGITS, MOST_DIGITS = 6, 17  # of a threshold; 17 tell any two numbers apart
MACRO_METRICS: tuple[str, ...] = (
    "auroc", "auprc", "f1", "f1_at_0.5", "sensitivity", "specificity", "brier", "ece",
)  # fmt: skip


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are not None; None if there is none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def macro_auroc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Mean AUROC over the classes that have positive and negative records.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].

    Returns:
        The mean, or None if no class has both.

    Raises:
        ValueError: if labels and scores do not fit together.

    Example:
        >>> macro_auroc([[1, 0], [0, 0]], [[0.8, 0.1], [0.3, 0.2]])
        1.0
    """
    labels, scores = check_scores(labels, scores)
    return mean_of_defined(
        float(roc_auc_score(truth, score)) if _has_both(truth) else None
        for truth, score in zip(labels.T, scores.T, strict=True)
    )


def classification_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    class_names: Sequence[str],
    thresholds: ArrayLike | None = None,
) -> dict[str, Any]:
    """Measure multi-label scores against multi-hot labels, each class and their mean (macro).

    A record counts as predicted positive where its score is at or above the threshold. What cannot be
    measured is None, never 0 or NaN, and is left out of the macro mean: AUROC, AUPRC and F1 of a class with
    one label value only (such classes are listed under ``"undefined"``), sensitivity without a positive
    record, specificity without a negative one.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].
        class_names: one name a class.
        thresholds: (classes,) in [0, 1]; 0.5 for every class if not given. They belong to ``f1``,
            ``sensitivity`` and ``specificity``; ``f1_at_0.5`` is always taken at 0.5.

    Returns:
        ``{"records", "macro": {...}, "per_class": {name: {...}}, "undefined": [names]}`` with the keys
        ``auroc``, ``auprc`` (average precision), ``f1``, ``f1_at_0.5``, ``sensitivity``, ``specificity``,
        ``brier`` and ``ece`` (15 equal-width bins, see
        :func:`~ssl_ecg_hf.evaluation.calibration.expected_calibration_error`), and for each class also
        ``threshold``, ``support`` (positive records) and ``prevalence`` (their share).

    Raises:
        ValueError: if labels, scores, names and thresholds do not fit together.

    Example:
        >>> metrics = classification_metrics([[1], [0], [1]], [[0.9], [0.2], [0.4]], class_names=["MI"])
        >>> metrics["macro"]["auroc"], metrics["per_class"]["MI"]["sensitivity"]
        (1.0, 0.5)
    """
    labels, scores = check_scores(labels, scores)
    names = check_class_names(class_names, labels.shape[1])
    limits = _check_thresholds(thresholds, labels.shape[1])
    errors = expected_calibration_error(labels, scores)
    per_class = {
        name: _class_metrics(labels[:, column], scores[:, column], float(limits[column]))
        | {"ece": float(errors[column])}
        for column, name in enumerate(names)
    }
    return {
        "records": int(labels.shape[0]),
        "macro": {
            key: mean_of_defined(values[key] for values in per_class.values()) for key in MACRO_METRICS
        },
        "per_class": per_class,
        "undefined": undefined_classes(labels, class_names=names),
    }


def undefined_classes(labels: ArrayLike, *, class_names: Sequence[str]) -> list[str]:
    """Names of the classes with one label value only, which no ranking can be measured on."""
    return [
        name for name, truth in zip(class_names, np.asarray(labels).T, strict=True) if not _has_both(truth)
    ]


def choose_thresholds(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Find for each class the threshold of the highest F1; call it on validation records.

    A threshold lies halfway between two neighbouring scores, rounded to six significant digits, or to more
    where fewer would move a record across. Of several equally good ones the lowest, the most sensitive, is
    taken.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].

    Returns:
        (classes,) in [0, 1]. A class with one label value only keeps 0.5; find it with
        :func:`undefined_classes`.

    Raises:
        ValueError: if labels and scores do not fit together.

    Example:
        >>> choose_thresholds([[0], [0], [1], [1]], [[0.1], [0.2], [0.4], [0.9]])
        array([0.3])
    """
    labels, scores = check_scores(labels, scores)
    return np.array(
        [
            _best_threshold(truth, score) if _has_both(truth) else DEFAULT_THRESHOLD
            for truth, score in zip(labels.T, scores.T, strict=True)
        ]
    )


def _has_both(truth: NDArray[np.int64]) -> bool:
    return bool(truth.min() != truth.max())


def _check_thresholds(thresholds: ArrayLike | None, classes: int) -> NDArray[np.float64]:
    if thresholds is None:
        return np.full(classes, DEFAULT_THRESHOLD)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape != (classes,) or not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError(
            f"thresholds {limits.tolist()} are not {classes} numbers in [0, 1]; expected one for each class, "
            "as choose_thresholds gives them"
        )
    return limits


def _class_metrics(truth: NDArray[np.int64], score: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    predicted, predicted_half = score >= threshold, score >= DEFAULT_THRESHOLD
    support = int(truth.sum())
    both = _has_both(truth)
    return {
        "auroc": float(roc_auc_score(truth, score)) if both else None,
        "auprc": float(average_precision_score(truth, score)) if both else None,
        "f1": float(f1_score(truth, predicted, zero_division=0)) if both else None,
        "f1_at_0.5": float(f1_score(truth, predicted_half, zero_division=0)) if both else None,
        "sensitivity": float(recall_score(truth, predicted)) if support else None,
        "specificity": float(recall_score(truth, predicted, pos_label=0)) if support < len(truth) else None,
        "brier": float(brier_score_loss(truth, score)),
        "threshold": threshold,
        "support": support,
        "prevalence": support / len(truth),
    }


def _best_threshold(truth: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    precision, recall, candidates = precision_recall_curve(truth, score)
    # The curve ends with a point of recall 0 that belongs to no threshold. Recall is monotone, so a
    # threshold with precision + recall = 0 only occurs where no positive is found: F1 is 0 there.
    total = precision[:-1] + recall[:-1]
    f1 = np.divide(2 * precision[:-1] * recall[:-1], total, out=np.zeros_like(total), where=total > 0)
    best = int(np.argmax(f1))
    return _between(float(candidates[best - 1]) if best > 0 else 0.0, float(candidates[best]))


def _between(below: float, above: float) -> float:
    """The middle of two numbers in the fewest digits that keep it above the one and not above the other."""
    middle = (below + above) / 2
    for digits in range(LEAST_DIGITS, MOST_DIGITS + 1):
        rounded = float(f"{middle:.{digits}g}")
        if below < rounded <= above:
            return rounded
    return above  # nothing lies between them
