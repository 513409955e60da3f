"""Bootstrap of a test set by patient: how much would a number change with other patients?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_ecg_hf.evaluation.checks import check_same_shape, check_scores
from ssl_ecg_hf.evaluation.weighted import WeightedMetric, weighted_auroc

DRAWS = 1000
COMPARISON_DRAWS = 10_000
"""Where p-values are corrected for many comparisons: 1,000 draws cannot show less than 0.002."""
CONFIDENCE = 0.95
_CHUNK = 500  # draws at a time: what a metric prepares once a chunk counts, and so does the cache


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number with its percentile bootstrap interval.

    Args:
        estimate: on the records as they are; None where undefined.
        low: lower end; None where fewer than half of the draws are defined.
        high: upper end; likewise.
        undefined_draws: draws that were left out because a class had no positive or no negative record.
    """

    estimate: float | None
    low: float | None
    high: float | None
    undefined_draws: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class BootstrapResult:
    """Intervals of a metric: of its mean over classes and of each class.

    Args:
        macro: mean over the classes that are defined on the records as they are. A draw that lacks one of
            them is left out and counted: a mean over fewer classes would be another quantity.
        per_class: one interval a class, in the order of the columns.
    """

    macro: Interval
    per_class: list[Interval]


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Difference of two systems on the same records, first minus second.

    Args:
        difference: of the macro metric, with its interval.
        p_value: two-sided bootstrap p-value of "no difference"; None where the interval is.
    """

    difference: Interval
    p_value: float | None


@dataclass(frozen=True, kw_only=True)
class MacroDraws:
    """The macro mean of a metric on the records as they are and on every draw.

    Args:
        estimate: NaN where no class is defined.
        values: (draws,), NaN where a draw lacks one of the classes.
    """

    estimate: float
    values: NDArray[np.float64]


def cluster_index(patient_ids: Sequence[object] | NDArray[Any] | None, records: int) -> NDArray[np.int64]:
    """Number the patients; a record whose patient is missing is a patient of its own.

    Args:
        patient_ids: one id a record; None, NaN and the empty string are missing. None: all are missing.
        records: number of records.

    Returns:
        int64 array of shape (records,), values 0 .. patients - 1.

    Raises:
        ValueError: if there is not one id a record.

    Example:
        >>> cluster_index([7, 7, None, 9], 4)
        array([0, 0, 1, 2])
    """
    if patient_ids is None:
        return np.arange(records)
    if len(patient_ids) != records:
        raise ValueError(f"{len(patient_ids)} patient ids for {records} records; expected one a record")
    numbers: dict[object, int] = {}
    keys = [(row, "missing") if _is_missing(patient) else patient for row, patient in enumerate(patient_ids)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def draw_weights(
    clusters: NDArray[np.int64], *, draws: int = DRAWS, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw as many patients as there are, with replacement, ``draws`` times.

    Args:
        clusters: (records,), the patient of each record, 0 .. patients - 1.
        draws: number of draws.
        generator: source of randomness.

    Returns:
        (draws, records), how often each record's patient was drawn.

    Raises:
        ValueError: if ``draws`` is not positive.
    """
    if draws < 1:
        raise ValueError(f"draws = {draws}; expected a positive number, {DRAWS} is usual")
    patients = int(clusters.max()) + 1
    times = generator.multinomial(patients, np.full(patients, 1 / patients), size=draws)
    return times[:, clusters].astype(np.float64)


def bootstrap(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    generator: np.random.Generator,
    metric: WeightedMetric = weighted_auroc,
    patient_ids: Sequence[object] | NDArray[Any] | None = None,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> BootstrapResult:
    """Percentile bootstrap intervals of a metric, resampling patients.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].
        generator: source of randomness.
        metric: one of :mod:`ssl_ecg_hf.evaluation.weighted`, or any metric wrapped in ``resampled``.
        patient_ids: one id a record; recordings of one patient are drawn together.
        draws: number of draws.
        confidence: of the interval, e.g. 0.95.

    Returns:
        Intervals of the macro mean and of each class.

    Raises:
        ValueError: if labels, scores and patient ids do not fit together.

    Reference:
        Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.

    Example:
        >>> labels, scores = [[0], [0], [1], [1]] * 9, [[0.1], [0.6], [0.4], [0.9]] * 9
        >>> bootstrap(labels, scores, generator=np.random.default_rng(0)).macro.estimate
        0.75
    """
    labels, scores = check_scores(labels, scores)
    weights = draw_weights(cluster_index(patient_ids, len(labels)), draws=draws, generator=generator)
    estimate, values = _evaluate(metric, labels, scores, weights)
    return BootstrapResult(
        macro=_interval(*_macro(estimate, values), confidence=confidence),
        per_class=[_interval(estimate[c], values[:, c], confidence=confidence) for c in range(len(estimate))],
    )


def paired_bootstrap(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    generator: np.random.Generator,
    metric: WeightedMetric = weighted_auroc,
    patient_ids: Sequence[object] | NDArray[Any] | None = None,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> PairedComparison:
    """Compare the macro metric of two systems on the same records; both see the same draws.

    Args:
        labels: (records, classes), 0 or 1.
        first: (records, classes), scores of the first system in [0, 1].
        second: (records, classes), scores of the second system in [0, 1].
        generator: source of randomness.
        metric: one of :mod:`ssl_ecg_hf.evaluation.weighted`, or any metric wrapped in ``resampled``.
        patient_ids: one id a record; recordings of one patient are drawn together.
        draws: number of draws.
        confidence: of the interval, e.g. 0.95.

    Returns:
        The difference, first minus second, its interval, and p = 2 min(P(d <= 0), P(d >= 0)) over draws, each
        share with one added to count and draws, so that p is never 0.

    Raises:
        ValueError: if labels, scores and patient ids do not fit together.

    Reference:
        Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 4.4.
    """
    truth, first = check_scores(labels, first)
    second = check_scores(truth, check_same_shape(truth, second, name="scores of the second system"))[1]
    weights = draw_weights(cluster_index(patient_ids, len(truth)), draws=draws, generator=generator)
    of_first, of_second = (
        macro_draws(truth, scores, weights=weights, metric=metric) for scores in (first, second)
    )
    return compare_draws(of_first, of_second, confidence=confidence)


def macro_draws(
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    weights: NDArray[np.float64],
    metric: WeightedMetric = weighted_auroc,
) -> MacroDraws:
    """Evaluate the macro mean of a metric on draws, to be compared with others on the same draws.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), in [0, 1].
        weights: (draws, records), as :func:`draw_weights` returns them.
        metric: see :func:`bootstrap`.
    """
    estimate, values = _macro(*_evaluate(metric, labels, scores, weights))
    return MacroDraws(estimate=estimate, values=values)


def compare_draws(
    first: MacroDraws, second: MacroDraws, *, confidence: float = CONFIDENCE
) -> PairedComparison:
    """Compare two systems by their values on the same draws, see :func:`paired_bootstrap`."""
    values = first.values - second.values
    difference = _interval(first.estimate - second.estimate, values, confidence=confidence)
    if difference.low is None:
        return PairedComparison(difference=difference, p_value=None)
    defined = values[np.isfinite(values)]
    smaller = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return PairedComparison(difference=difference, p_value=min(1.0, 2 * (smaller + 1) / (len(defined) + 1)))


def _is_missing(patient: object) -> bool:
    return patient is None or patient == "" or (isinstance(patient, float) and np.isnan(patient))


def _evaluate(
    metric: WeightedMetric,
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The metric on the records as they are, (classes,), and on every draw, (draws, classes)."""
    estimate = metric(labels, scores, np.ones((1, len(labels))))[0]
    chunks = [
        metric(labels, scores, weights[start : start + _CHUNK]) for start in range(0, len(weights), _CHUNK)
    ]
    return estimate, np.concatenate(chunks)


def _macro(estimate: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    defined = np.isfinite(estimate)
    if not defined.any():
        return np.nan, np.full(len(values), np.nan)
    return float(estimate[defined].mean()), values[:, defined].mean(axis=1)


def _interval(estimate: float, values: NDArray[np.float64], *, confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence!r} is not between 0 and 1; 0.95 is usual")
    defined = values[np.isfinite(values)]
    undefined = len(values) - len(defined)
    if not np.isfinite(estimate) or 2 * len(defined) < len(values):
        known = float(estimate) if np.isfinite(estimate) else None
        return Interval(estimate=known, low=None, high=None, undefined_draws=undefined)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(estimate=float(estimate), low=float(low), high=float(high), undefined_draws=undefined)
