"""Figures of a multi-label classifier: ROC, precision-recall, reliability, label efficiency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from ssl_ecg_hf.evaluation.bootstrap import CONFIDENCE
from ssl_ecg_hf.evaluation.calibration import ReliabilityCurve, reliability_curves
from ssl_ecg_hf.evaluation.checks import check_class_names, check_scores
from ssl_ecg_hf.evaluation.figures import FAINT, INK, QUIET, color, new_figure, save_png, tidy, unit_square
from ssl_ecg_hf.evaluation.metrics import classification_metrics

_SIDE = 4.8  # inches, of a square figure
_HEAD = 0.45  # inches above it for a title
_BIN_RECORDS = 30  # that a point of a reliability curve stands for, at least
MANY = 8  # classes, from which on only the worst ones are named


def plot_roc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    class_names: Sequence[str],
    path: str | Path,
    thresholds: ArrayLike | None = None,
    subtitle: str = "",
) -> Path:
    """Draw the ROC curve of each class, named with its AUROC.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].
        class_names: one name a class.
        path: the ``.png`` file; its folder must exist.
        thresholds: one a class; what they give is a dot on its curve.
        subtitle: what was measured, after the title.

    Returns:
        The path. A class with one label value only has no curve and is named so.

    Raises:
        ValueError: if labels, scores and names do not fit together.
    """
    labels, scores = check_scores(labels, scores)
    metrics = classification_metrics(labels, scores, class_names=class_names)
    figure, axes = _titled_square("ROC", subtitle, "1 − specificity", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 4)))
    style = _styles(metrics["per_class"], key="auroc")
    for column, name in enumerate(class_names):
        if name not in metrics["undefined"]:
            alarms, found, _ = roc_curve(labels[:, column], scores[:, column])
            axes.plot(alarms, found, **style[name])
    for name, counts in _counts(labels, scores, thresholds, names=list(style)).items():
        if name not in metrics["undefined"] and style[name]["color"] != QUIET:
            _dot(axes, 1 - counts.specificity, counts.sensitivity, style[name]["color"])
    _list_classes(axes, metrics["per_class"], style, key="auroc", heading="AUROC", right=True)
    return save_png(figure, path)


def plot_precision_recall(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    class_names: Sequence[str],
    path: str | Path,
    thresholds: ArrayLike | None = None,
    subtitle: str = "",
) -> Path:
    """Draw the precision-recall curve of each class, named with its average precision.

    A short mark at the right edge shows the prevalence: the precision of a guess.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].
        class_names: one name a class.
        path: the ``.png`` file; its folder must exist.
        thresholds: one a class; what they give is a dot on its curve.
        subtitle: what was measured, after the title.

    Returns:
        The path. A class with one label value only has no curve and is named so.

    Raises:
        ValueError: if labels, scores and names do not fit together.
    """
    labels, scores = check_scores(labels, scores)
    metrics = classification_metrics(labels, scores, class_names=class_names)
    figure, axes = _titled_square("Precision and recall", subtitle, "Recall (sensitivity)", "Precision")
    style = _styles(metrics["per_class"], key="auprc")
    for column, (name, values) in enumerate(metrics["per_class"].items()):
        if name in metrics["undefined"]:
            continue
        precision, recall, _ = precision_recall_curve(labels[:, column], scores[:, column])
        axes.plot(recall, precision, drawstyle="steps-post", **style[name])
        mark = {**style[name], "linewidth": style[name]["linewidth"] + 0.7}
        axes.plot([0.97, 1.03], [values["prevalence"]] * 2, clip_on=False, **mark)
    for name, counts in _counts(labels, scores, thresholds, names=list(style)).items():
        if name not in metrics["undefined"] and style[name]["color"] != QUIET and counts.flagged:
            _dot(axes, counts.sensitivity, counts.found / counts.flagged, style[name]["color"])
    _list_classes(axes, metrics["per_class"], style, key="auprc", heading="Average precision", right=False)
    return save_png(figure, path)


def plot_reliability(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    class_names: Sequence[str],
    path: str | Path,
    subtitle: str = "",
) -> Path:
    """Draw for each class how often the finding is present in records of similar score.

    A point stands for a bin of scores with its Wilson interval; neighbouring bins are joined until they hold
    enough records (`ReliabilityCurve.joined`). Grey bars show where the scores lie. Of many classes only
    those with the largest expected calibration error (of the bins as they were) are drawn.

    Args:
        labels: (records, classes), 0 or 1.
        scores: (records, classes), probabilities in [0, 1].
        class_names: one name a class.
        path: the ``.png`` file; its folder must exist.
        subtitle: what was measured, after the title.

    Returns:
        The path.

    Raises:
        ValueError: if labels, scores and names do not fit together.
    """
    curves = reliability_curves(labels, scores)
    names = check_class_names(class_names, len(curves))
    drawn = list(zip(names, curves, strict=True))
    title = "Reliability"
    if len(drawn) > MANY:
        drawn.sort(key=lambda pair: -pair[1].expected_calibration_error)
        drawn = drawn[: MANY - 2]
        title += f", the {len(drawn)} of {len(names)} classes with the largest error"
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = new_figure(2.7 * columns + 0.3, 2.7 * rows + 0.4 + _HEAD)
    figure.set_layout_engine("constrained")
    for index, (name, curve) in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, index + 1)
        unit_square(axes, "", "")
        _draw_reliability(axes, curve, color(index))
        axes.set_title(name, loc="left", fontsize=10, weight="bold", color=color(index))
        axes.set_title(f"ECE {curve.expected_calibration_error:.3f}", loc="right", fontsize=9, color=INK)
    figure.suptitle(_title(title, subtitle, width=2.7 * columns), fontsize=10, color=INK)
    figure.supxlabel("Score", fontsize=10, color=INK)
    figure.supylabel("Share of records with the finding", fontsize=10, color=INK)
    return save_png(figure, path)


def plot_label_efficiency(
    rows: Sequence[Mapping[str, Any]], *, path: str | Path, metric: str = "Macro AUROC"
) -> Path:
    """Draw how a metric grows with the share of training labels, one line a method.

    Args:
        rows: ``{"method": str, "fraction": float in (0, 1], "value": float, "low": float | None,
            "high": float | None}``; low and high are the ends of the interval.
        path: the ``.png`` file; its folder must exist.
        metric: name of the vertical axis.

    Returns:
        The path.

    Raises:
        ValueError: if there is no row or a fraction is not in (0, 1].
    """
    if not rows or not all(0 < row["fraction"] <= 1 for row in rows):
        raise ValueError(f"{len(rows)} rows; expected at least one, each with a fraction of labels in (0, 1]")
    fractions = sorted({row["fraction"] for row in rows})
    methods = {
        method: sorted((row for row in rows if row["method"] == method), key=lambda row: row["fraction"])
        for method in dict.fromkeys(row["method"] for row in rows)
    }
    names = [_end_of_line(points[-1], last=fractions[-1]) for points in methods.values()]
    # Room for the longest name beside the lines, at about 0.08 inch a letter.
    label_width = 0.08 * max(map(len, names)) + 0.2
    width = 5.6 + label_width
    figure = new_figure(width, 4.3)
    axes = figure.add_axes((0.7 / width, 0.13, 4.9 / width, 0.8))
    tidy(axes)
    axes.grid(visible=False, axis="x")
    axes.set_xscale("log")
    ends = []
    for index, points in enumerate(methods.values()):
        # A small shift keeps the intervals of different methods apart.
        x = np.array([row["fraction"] for row in points]) * 1.03**index
        y = np.array([row["value"] for row in points])
        axes.plot(x, y, color=color(index), linewidth=1.8, marker="o", markersize=5)
        for place, row in zip(x, points, strict=True):
            if row.get("low") is not None and row.get("high") is not None:
                axes.plot([place, place], [row["low"], row["high"]], color=color(index), linewidth=1.4)
        ends.append((float(x[-1]), float(y[-1])))
    axes.set_xticks(fractions, [f"{100 * fraction:g} %" for fraction in fractions])
    axes.minorticks_off()
    axes.set_xlabel("Share of training labels", fontsize=10, color=INK)
    axes.set_ylabel(metric, fontsize=10, color=INK)
    low, high = axes.get_ylim()
    margin = max(10.0, fractions[-1] / fractions[0]) ** 0.06
    axes.set_xlim(fractions[0] / margin, max(x for x, _ in ends) * margin)
    places = _spread(np.array([y for _, y in ends]), gap=0.06 * (high - low))
    for index, (name, place) in enumerate(zip(names, places, strict=True)):
        axes.annotate(
            name,
            xy=(1.01, (place - low) / (high - low)),
            xycoords="axes fraction",
            va="center",
            fontsize=9.5,
            color=color(index),
            weight="bold",
        )
    return save_png(figure, path)


def _end_of_line(row: Mapping[str, Any], *, last: float) -> str:
    """Name a line by its method and last value, with its share of labels where other lines go further."""
    where = "" if row["fraction"] == last else f" (with {100 * row['fraction']:g} %)"
    return f"{row['method']}  {row['value']:.3f}{where}"


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Records of one class at its threshold: flagged ones, flagged ones that have the finding, and rates."""

    flagged: int
    found: int
    sensitivity: float
    specificity: float


def _counts(
    labels: NDArray[np.int64], scores: NDArray[np.float64], thresholds: ArrayLike | None, *, names: list[str]
) -> dict[str, _Counts]:
    if thresholds is None:
        return {}
    flags = scores >= np.asarray(thresholds, dtype=np.float64)
    found = (flags & (labels == 1)).sum(axis=0)
    positive = labels.sum(axis=0)
    spared = (~flags & (labels == 0)).sum(axis=0)
    return {
        name: _Counts(
            flagged=int(flags[:, column].sum()),
            found=int(found[column]),
            sensitivity=float(found[column] / max(1, positive[column])),
            specificity=float(spared[column] / max(1, len(labels) - positive[column])),
        )
        for column, name in enumerate(names)
    }


def _dot(axes: Axes, x: float, y: float, colour: str) -> None:
    axes.plot([x], [y], marker="o", ms=7, color=colour, markeredgecolor="white", clip_on=False, zorder=4)


def _title(title: str, subtitle: str, *, width: float) -> str:
    """In lines of at most ``width`` inches, at about 0.08 inch a letter."""
    return fill(f"{title}: {subtitle}" if subtitle else title, round(width / 0.08))


def _titled_square(title: str, subtitle: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    height = _SIDE + _HEAD
    figure = new_figure(_SIDE, height)
    side = 0.83 * _SIDE
    axes = figure.add_axes((0.13, 0.12 * _SIDE / height, side / _SIDE, side / height))
    axes.set_title(_title(title, subtitle, width=side), loc="left", fontsize=10, color=INK, pad=8)
    return figure, unit_square(axes, x_label, y_label)


def _draw_reliability(axes: Axes, curve: ReliabilityCurve, colour: str) -> None:
    share = curve.count / curve.count.sum()
    axes.bar(curve.mean_score, 0.3 * share / share.max(), width=0.035, color=FAINT, zorder=1)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 4)))
    points = curve.joined(_BIN_RECORDS)
    low, high = points.intervals(CONFIDENCE)
    axes.vlines(points.mean_score, low, high, color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(
        points.mean_score, points.positive_rate, color=colour, linewidth=1.4, marker="o", markersize=4.5,
        clip_on=False, zorder=3,
    )  # fmt: skip


def _styles(per_class: Mapping[str, Mapping[str, Any]], *, key: str) -> dict[str, dict[str, Any]]:
    """Return how each class is drawn: in a colour of its own, of many classes only the worst ones."""
    named = list(per_class)
    if len(named) > MANY:
        defined = [name for name in named if per_class[name][key] is not None]
        named = sorted(defined, key=lambda name: per_class[name][key])[: MANY - 2]
    quiet = {"color": QUIET, "linewidth": 0.6, "alpha": 0.5}
    bright = {name: {"color": color(place), "linewidth": 1.8} for place, name in enumerate(named)}
    return {name: bright.get(name, quiet) for name in per_class}


def _list_classes(
    axes: Axes,
    per_class: Mapping[str, Mapping[str, Any]],
    styles: Mapping[str, Mapping[str, Any]],
    *,
    key: str,
    heading: str,
    right: bool,
) -> None:
    """Names and values in the colours of the lines, in the corner that such curves leave free."""
    x, align = (0.97, "right") if right else (0.05, "left")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    named = [name for name in per_class if styles[name]["color"] != QUIET]
    if len(named) < len(per_class):
        named.sort(key=lambda name: per_class[name][key])
        heading = f"{heading}, lowest {len(named)} of {len(per_class)}"
    lines = [(heading, QUIET)]
    for name in named:
        value = per_class[name][key]
        lines.append((f"{name}  {'not defined' if value is None else f'{value:.3f}'}", styles[name]["color"]))
    for step, (text, colour) in enumerate(reversed(lines)):
        axes.text(
            x, 0.04 + 0.055 * step, text, ha=align, fontsize=10, color=colour, weight="bold", bbox=box
        )  # fmt: skip


def _spread(places: NDArray[np.float64], *, gap: float) -> NDArray[np.float64]:
    """Move labels apart to at least ``gap``, keeping their order and their centre."""
    order = np.argsort(places, kind="stable")
    moved = places[order].copy()
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    moved -= (moved - places[order]).mean()
    result = np.empty_like(moved)
    result[order] = moved
    return result
