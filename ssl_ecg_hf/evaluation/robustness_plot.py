"""What bad recordings cost: a figure of one or several models, and a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from ssl_ecg_hf.evaluation.figures import FAINT, INK, color, new_figure, save_png, tidy
from ssl_ecg_hf.evaluation.table import align

Entry = Mapping[str, Any]

_ROW, _NAMES, _PLOT, _NUMBER = 0.2, 1.95, 4.2, 0.5  # inches
_MARGIN, _BELOW = 0.15, 0.7  # inches


def plot_robustness(results: Mapping[str, Mapping[str, Any]], *, path: str | Path, remark: str = "") -> Path:
    """Draw the macro AUROC of one or several models under each condition.

    A dot, and the number beside it, is the macro AUROC. Its bar is the interval of the difference from clean
    recordings, laid around the dot: where it does not reach the model's vertical line, the AUROC on clean
    recordings, the condition makes a difference.

    Args:
        results: model -> what ``measure_robustness`` returned. A condition that a model lacks has no dot.
        path: the ``.png`` file; its folder must exist.
        remark: which runs these are, below the figure.

    Returns:
        The path.

    Raises:
        ValueError: if there is no model.
    """
    if not results:
        raise ValueError("no model to draw; expected at least one, with what measure_robustness returned")
    groups = _groups([entry for result in results.values() for entry in result["conditions"]])
    places = _places(groups)
    rows = max(places.values()) + 1
    above = _MARGIN + _ROW * (len(results) + 0.5)
    width = _NAMES + _PLOT + _NUMBER * len(results) + _MARGIN
    height = above + _ROW * rows + _BELOW
    figure = new_figure(width, height)
    axes = figure.add_axes(
        (_NAMES / width, _BELOW / height, _PLOT / width, _ROW * rows / height), ylim=(rows - 0.5, -0.5)
    )
    tidy(axes)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    _name_rows(axes, groups, places)
    for index, (name, result) in enumerate(results.items()):
        # Models share the height of a row.
        offset = 0.6 * ((index + 0.5) / len(results) - 0.5)
        moved = {condition: place + offset for condition, place in places.items()}
        _draw_dots(axes, result["conditions"], moved, colour=color(index))
        right = 1 + (index + 0.9) * _NUMBER / _PLOT
        _write_numbers(axes, result["conditions"], places, colour=color(index), right=right)
        top = 1 + (_ROW * (len(results) - index - 0.3)) / (_ROW * rows)
        axes.text(0, top, name, transform=axes.transAxes, fontsize=10, color=color(index), weight="bold")
    share = " and ".join(
        f"{100 * value:g}" for value in {result["confidence"]: 0 for result in results.values()}
    )
    below = f" ({remark})" if remark else ""
    axes.set_xlabel(
        f"Macro AUROC{below}; bar: {share} %\ninterval of the difference from clean recordings, the line",
        fontsize=10,
        color=INK,
    )
    return save_png(figure, path)


def robustness_table(result: Mapping[str, Any]) -> str:
    """Return what bad recordings cost as a table for the terminal: of each group, the worst condition.

    Args:
        result: as ``measure_robustness`` returns it.
    """
    clean, *bad = result["conditions"]
    rows = [["recordings", "worst of", "at", "macro AUROC", "difference"]]
    rows[0].append(f"{100 * result['confidence']:g} % interval")
    rows.append([clean["group"], "", "", _text(clean["macro_auroc"]), "", ""])
    for group, members in _groups(bad).items():
        worst = min(members.values(), key=_auroc)
        change = worst["difference"]
        interval = "-" if change["low"] is None else f"{change['low']:+.3f} to {change['high']:+.3f}"
        numbers = [_text(worst["macro_auroc"]), _text(change["estimate"], "+.3f"), interval]
        rows.append([group, str(len(members)), worst["label"], *numbers])
    lines = [align(rows), *(f"not measured: {name} ({why})" for name, why in result["left_out"].items())]
    return "\n".join(lines)


def _auroc(entry: Entry) -> float:
    return math.inf if entry["macro_auroc"] is None else float(entry["macro_auroc"])


def _text(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


def _groups(entries: Sequence[Entry]) -> dict[str, dict[str, Entry]]:
    """Group -> condition -> one of the entries of that condition, in order of appearance."""
    groups: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        groups.setdefault(entry["group"], {}).setdefault(entry["name"], entry)
    return groups


def _places(groups: Mapping[str, Mapping[str, Entry]]) -> dict[str, int]:
    """Condition -> row from above. A group of several conditions has its name in a row of its own."""
    places: dict[str, int] = {}
    row = 0
    for members in groups.values():
        row += len(members) > 1
        for name in members:
            places[name] = row
            row += 1
    return places


def _name_rows(axes: Axes, groups: Mapping[str, Mapping[str, Entry]], places: Mapping[str, int]) -> None:
    left = -(_NAMES - _MARGIN) / _PLOT
    ends = axes.get_yaxis_transform()
    for group, members in groups.items():
        first = min(places[name] for name in members)
        heading = first - (len(members) > 1)
        axes.text(left, heading, group, transform=ends, va="center", fontsize=9, color=INK, weight="bold")
        axes.axhline(heading - 0.5, color=FAINT, linewidth=0.8)
    labels = {places[name]: entry["label"] for members in groups.values() for name, entry in members.items()}
    axes.set_yticks(list(labels), list(labels.values()))
    axes.tick_params(axis="y", length=0)


def _draw_dots(axes: Axes, entries: Sequence[Entry], places: Mapping[str, float], *, colour: str) -> None:
    clean = entries[0]["macro_auroc"]
    if clean is None:
        return
    axes.axvline(clean, color=colour, linewidth=1)
    for entry in entries:
        if entry["macro_auroc"] is None:
            continue
        place, change = places[entry["name"]], entry["difference"]
        axes.plot(entry["macro_auroc"], place, "o", color=colour, markersize=4.5, clip_on=False)
        if change is not None and change["low"] is not None:
            bar = [clean + change["low"], clean + change["high"]]
            axes.plot(bar, [place, place], color=colour, linewidth=1.4)


def _write_numbers(
    axes: Axes, entries: Sequence[Entry], places: Mapping[str, float], *, colour: str, right: float
) -> None:
    for entry in entries:
        axes.text(
            right,
            places[entry["name"]],
            _text(entry["macro_auroc"]),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center_baseline",
            fontsize=8.5,
            color=colour,
        )
