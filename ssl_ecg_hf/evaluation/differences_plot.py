"""A figure of comparisons: each method's difference from its control, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from ssl_ecg_hf.evaluation.figures import COLORS, INK, QUIET, new_figure, save_png, tidy

VERDICT_COLORS = {"better": COLORS[0], "worse": COLORS[1], "not distinguishable": QUIET}
_ROW, _HEADING = 0.24, 0.75  # inches


def plot_differences(summary: Mapping[str, Any], *, path: str | Path) -> Path:
    """Draw the differences of the mean test macro AUROC, a panel for each share of the labels and control.

    Args:
        summary: as `summarize` returns it, with a comparison at least that has an interval.
        path: the ``.png`` file; its folder must exist.

    Returns:
        The path.

    Raises:
        ValueError: if nothing was compared.
    """
    panels: dict[tuple[float, str], list[Mapping[str, Any]]] = {}
    for entry in summary["comparisons"]:
        if entry["low"] is None:  # a class is too rare for an interval
            continue
        panels.setdefault((entry["label_fraction"], entry["control"]), []).append(entry)
    if not panels:
        raise ValueError("the summary compares no methods with an interval; there is nothing to draw")
    means = {(row["method"], row["label_fraction"]): row["test_auroc"]["mean"] for row in summary["rows"]}
    heights = [len(entries) * _ROW + _HEADING for entries in panels.values()]
    figure = new_figure(8.2, sum(heights) + 0.4)
    grid = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, ((fraction, control), entries) in zip(grid, panels.items(), strict=True):
        _panel(axes, entries, [means.get((entry["method"], fraction)) for entry in entries])
        level = means.get((control, fraction))
        shown = "" if level is None else f" ({level:.4f})"
        axes.set_title(
            f"against {control}{shown}, {100 * fraction:g} % of the labels",
            loc="left", fontsize=10, weight="bold", color=INK,
        )  # fmt: skip
    grid[-1].set_xlabel(
        "Difference of the mean test macro AUROC, 95 % interval\n"
        "(grey: may be chance, by Holm); at the right the mean itself", fontsize=9, color=INK,
    )  # fmt: skip
    figure.tight_layout()
    return save_png(figure, path)


def _panel(axes: Axes, entries: Sequence[Mapping[str, Any]], means: Sequence[float | None]) -> None:
    """One line a method, in the order of the table, its own mean at the right edge."""
    tidy(axes)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=QUIET, linewidth=1)
    for place, (entry, mean) in enumerate(zip(entries, means, strict=True)):
        color = VERDICT_COLORS[entry["verdict"]]
        axes.plot([entry["low"], entry["high"]], [place, place], color=color, linewidth=2)
        axes.plot(entry["difference"], place, "o", color=color, markersize=5)
        if mean is not None:
            axes.text(
                1.01, place, f"{mean:.4f}", transform=axes.get_yaxis_transform(), va="center", fontsize=9,
                color=color,
            )  # fmt: skip
    axes.set_yticks(range(len(entries)), [entry["method"] for entry in entries])
    axes.set_ylim(len(entries) - 0.4, -0.6)
