"""The results as one figure: a panel of bars for each comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from benchmarks.results import BETTER
from benchmarks.tables import RATIO_HEADINGS, number, ratio_text
from ssl_ecg_hf.evaluation.figures import INK, QUIET, color, new_figure, save_png, tidy

_WIDTH = 13.0  # inches, of two columns
_MARGIN, _LABELS, _BARS = 0.15, 2.9, 3.3  # inches, of the edge, the names and the bars in one column
_BAR, _FRAME = 0.26, 0.8  # inches, height of a bar and of a panel's title and margins


def _height(compared: Mapping[str, Any]) -> float:
    return _BAR * len(compared["variants"]) + _FRAME


def _columns(comparisons: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Deal the panels to two columns of about the same height, in order within each."""
    columns: list[list[Mapping[str, Any]]] = [[], []]
    for compared in comparisons:
        min(columns, key=lambda column: sum(map(_height, column))).append(compared)
    return columns


def _panel(axes: Axes, compared: Mapping[str, Any]) -> None:
    variants, kind = compared["variants"], compared["kind"]
    largest = max(max(variant["values"]) for variant in variants)
    for row, variant in enumerate(variants):
        is_baseline = variant["name"] == compared["baseline"]
        median, values = variant["median"], variant["values"]
        axes.barh(row, median, height=0.68, color=QUIET if is_baseline else color(0))
        axes.plot([min(values), max(values)], [row, row], color=INK, linewidth=1)
        text = number(median) if is_baseline else f"{number(median)}  ({ratio_text(variant['ratio'], kind)})"
        axes.text(max(values) + 0.02 * largest, row, text, va="center", fontsize=8.5, color=INK)
    tidy(axes)
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(variants)), [variant["name"] for variant in variants], fontsize=8.5)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylim(len(variants) - 0.4, -0.6)
    axes.set_xlim(0, 1.45 * largest)
    axes.set_title(
        f"{compared['title']} ({compared['device']})\n"
        f"{compared['unit']} ({RATIO_HEADINGS[kind]}), {BETTER[kind]}",
        loc="left",
        x=-_LABELS / _BARS,
        fontsize=9.5,
        color=INK,
    )


def draw(content: Mapping[str, Any], path: str | Path) -> Path:
    """Draw the medians, with a line from the lowest to the highest value of each.

    Args:
        content: what ``python -m benchmarks`` wrote as JSON.
        path: the ``.png`` file; its folder must exist.

    Returns:
        The path.
    """
    comparisons = [compared for benchmark in content["benchmarks"] for compared in benchmark["comparisons"]]
    columns = _columns(comparisons)
    total = max(sum(map(_height, column)) for column in columns)
    figure = new_figure(_WIDTH, total)
    for number_of_column, column in enumerate(columns):
        left = number_of_column * _WIDTH / 2 + _MARGIN + _LABELS
        top = total
        for compared in column:
            top -= _height(compared)
            bars = _BAR * len(compared["variants"])
            box = (left / _WIDTH, (top + 0.15) / total, _BARS / _WIDTH, bars / total)
            _panel(figure.add_axes(box), compared)
    return save_png(figure, path)
