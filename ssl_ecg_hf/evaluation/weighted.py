"""Metrics of many reweighted copies of the records at once: what makes a bootstrap fast.

A resampled set of records is a vector of weights: how often each record was drawn. All functions here take
``weights`` of shape (draws, records) and return one value a draw and class, NaN where a class lacks positive
or negative records in a draw (sensitivity: positive ones; specificity: negative ones). With weights of one
they equal scikit-learn's metrics.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

WeightedMetric = Callable[[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""(labels, scores, weights) -> (draws, classes)."""

_MOST_PAIRS = 1 << 22


def weighted_auroc(
    labels: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AUROC: the chance that a positive record scores above a negative one, ties counting half.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes).
        weights: (draws, records), how often each record was drawn.

    Returns:
        (draws, classes).
    """
    columns = []
    for truth, score in zip(labels.T, scores.T, strict=True):
        is_positive = truth == 1
        pairs = weights[:, is_positive].sum(axis=1) * weights[:, ~is_positive].sum(axis=1)
        few = np.count_nonzero(is_positive) * np.count_nonzero(~is_positive) <= _MOST_PAIRS
        won = (_won_pairs if few else _won_by_rank)(truth, score, weights)
        columns.append(_divide(won, pairs))
    return np.stack(columns, axis=1)


def _won_pairs(
    truth: NDArray[np.int64], score: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pairs of a positive record above a negative one, of each draw, by a matrix of all pairs."""
    is_positive = truth == 1
    positive, negative = score[is_positive, None], score[None, ~is_positive]
    wins = (positive > negative) + 0.5 * (positive == negative)
    # Halves of small whole numbers: exact in float32, too.
    above = weights[:, is_positive].astype(np.float32) @ wins.astype(np.float32)
    return np.einsum("dn,dn->d", above, weights[:, ~is_positive])


def _won_by_rank(
    truth: NDArray[np.int64], score: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same by sorting, for many records."""
    positive, negative = _weights_of_ties(truth, score, weights)
    below = np.cumsum(negative, axis=1) - 0.5 * negative
    return np.einsum("dt,dt->d", positive, below)


def weighted_auprc(
    labels: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average precision: precision at each score, weighted by the recall gained there.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes).
        weights: (draws, records), how often each record was drawn.

    Returns:
        (draws, classes).
    """
    columns = []
    for truth, score in zip(labels.T, scores.T, strict=True):
        positive, negative = (side[:, ::-1] for side in _weights_of_ties(truth, score, weights))
        found = np.cumsum(positive, axis=1)
        alarms = found + np.cumsum(negative, axis=1)
        precision = np.divide(found, alarms, out=np.zeros_like(found), where=alarms > 0)
        total = positive.sum(axis=1)
        defined = np.where(negative.sum(axis=1) > 0, total, 0)
        columns.append(_divide(np.einsum("dt,dt->d", positive, precision), defined))
    return np.stack(columns, axis=1)


def weighted_f1(thresholds: ArrayLike) -> WeightedMetric:
    """F1 at fixed thresholds.

    Args:
        thresholds: (classes,); a record at or above its threshold is predicted positive.

    Returns:
        A function (labels, scores, weights) -> (draws, classes).
    """
    limits = np.asarray(thresholds, dtype=np.float64)

    def f1(
        labels: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        predicted = scores >= limits
        positives = weights @ labels.astype(np.float64)
        hits = weights @ (predicted & (labels == 1)).astype(np.float64)
        alarms = weights @ predicted.astype(np.float64)
        value = np.divide(2 * hits, positives + alarms, out=np.zeros_like(hits), where=positives + alarms > 0)
        has_both = (positives > 0) & (positives < weights.sum(axis=1, keepdims=True))
        return np.where(has_both, value, np.nan)

    return f1


def weighted_sensitivity(thresholds: ArrayLike) -> WeightedMetric:
    """Sensitivity at fixed thresholds: the share of the positive records that are predicted positive.

    Args:
        thresholds: (classes,); a record at or above its threshold is predicted positive.

    Returns:
        A function (labels, scores, weights) -> (draws, classes).
    """
    return _share_above(thresholds, truth=1)


def weighted_specificity(thresholds: ArrayLike) -> WeightedMetric:
    """Specificity at fixed thresholds: the share of the negative records that are predicted negative.

    Args:
        thresholds: (classes,); a record at or above its threshold is predicted positive.

    Returns:
        A function (labels, scores, weights) -> (draws, classes).
    """
    alarms = _share_above(thresholds, truth=0)
    return lambda labels, scores, weights: 1 - alarms(labels, scores, weights)


def _share_above(thresholds: ArrayLike, *, truth: int) -> WeightedMetric:
    limits = np.asarray(thresholds, dtype=np.float64)

    def share(
        labels: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        of_truth = labels == truth
        above = weights @ (of_truth & (scores >= limits)).astype(np.float64)
        total = weights @ of_truth.astype(np.float64)
        return _divide(above, total)

    return share


def resampled(metric: Callable[[NDArray[np.int64], NDArray[np.float64]], float | None]) -> WeightedMetric:
    """Make any metric of (labels, scores) usable in the bootstrap, by repeating records; slow but general.

    Args:
        metric: takes labels and scores of shape (records, classes); returns one number, or None where it is
            undefined.

    Returns:
        A function (labels, scores, weights) -> (draws, 1).
    """

    def repeat(
        labels: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        values = []
        for times in weights.astype(np.int64):
            value = metric(np.repeat(labels, times, axis=0), np.repeat(scores, times, axis=0))
            values.append(np.nan if value is None else value)
        return np.array(values, dtype=np.float64)[:, None]

    return repeat


def _weights_of_ties(
    truth: NDArray[np.int64], score: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of positives and of negatives at each distinct score, ascending: two (draws, scores) arrays."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    ordered = weights[:, order]
    positive = ordered * truth[order]
    return np.add.reduceat(positive, starts, axis=1), np.add.reduceat(ordered - positive, starts, axis=1)


def _divide(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
