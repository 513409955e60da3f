"""An ECG on ECG paper: 25 mm/s and 10 mm/mV at true scale, with calibration pulse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike, NDArray

from ssl_ecg_hf.evaluation.figures import INK, new_figure, save_png

MM_PER_SECOND = 25.0
MM_PER_MILLIVOLT = 10.0
STRIP_SECONDS = 10.0
COLUMNS: tuple[tuple[str, ...], ...] = (
    ("I", "II", "III"),
    ("aVR", "aVL", "aVF"),
    ("V1", "V2", "V3"),
    ("V4", "V5", "V6"),
)
RHYTHM_LEAD = "II"

Layout = Literal["3x4", "rows"]

_PAPER, _MINOR, _MAJOR, _TRACE = "#FFFAF9", "#FBE3E1", "#F3B8B4", "#14142B"
_MM_PER_INCH = 25.4
_MARGIN, _TOP, _BOTTOM = 5.0, 15.0, 10.0  # mm
_PULSE = 10.0  # mm in front of each row for the calibration pulse
_ROW = {"3x4": 30.0, "rows": 20.0}  # mm from baseline to baseline


def plot_ecg(
    signal_mv: ArrayLike,
    *,
    sampling_rate: float,
    leads: Sequence[str],
    path: str | Path,
    title: str = "",
    layout: Layout = "3x4",
    dpi: int = 150,
) -> Path:
    """Draw the first ten seconds of an ECG as a PNG whose physical size is that of the paper.

    Each lead is moved so that its median lies on its baseline; its amplitudes stay as they are.

    Args:
        signal_mv: (leads, samples) in millivolts; gaps may be NaN.
        sampling_rate: Hz.
        leads: one name a row; ``"3x4"`` needs the twelve standard ones, in any order.
        path: the ``.png`` file; its folder must exist.
        title: printed above the paper's first row.
        layout: ``"3x4"``: three rows of four leads, a quarter of the time each, above a rhythm strip of
            lead II; ``"rows"``: every lead over the whole time.
        dpi: pixels per inch.

    Returns:
        The path.

    Raises:
        ValueError: if signal, leads and layout do not fit together.
    """
    signal = np.asarray(signal_mv, dtype=np.float64)
    names = [str(lead).strip() for lead in leads]
    if signal.ndim != 2 or signal.shape[1] < 2 or len(names) != signal.shape[0]:
        raise ValueError(
            f"signal has shape {signal.shape} for {len(names)} lead names; "
            "expected (leads, samples) in mV with one name a row"
        )
    if not sampling_rate > 0:
        raise ValueError(f"sampling rate {sampling_rate!r} Hz is not a positive number")
    signal = signal[:, : round(STRIP_SECONDS * sampling_rate)]
    strips = _arrange(names, layout=layout, seconds=signal.shape[1] / sampling_rate)
    rows = 1 + max(strip[0] for strip in strips)

    width = _snap(2 * _MARGIN + _PULSE + MM_PER_SECOND * signal.shape[1] / sampling_rate)
    height = _snap(_TOP + _BOTTOM + _ROW[layout] * rows)
    figure = new_figure(width / _MM_PER_INCH, height / _MM_PER_INCH)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    _draw_paper(axes, width, height)
    for row in range(rows):
        _draw_pulse(axes, height - _TOP - _ROW[layout] * (row + 0.5))
    for row, lead, start, stop in strips:
        first, last = round(start * sampling_rate), round(stop * sampling_rate)
        values = _centred(signal[names.index(lead)])[first:last]
        x = _MARGIN + _PULSE + np.arange(first, last, dtype=np.float64) * (MM_PER_SECOND / sampling_rate)
        baseline = height - _TOP - _ROW[layout] * (row + 0.5)
        _draw_strip(axes, x, values, baseline=baseline, lead=lead, divider=start > 0)
    axes.text(_MARGIN, height - 6.5, title, fontsize=10, color=INK, weight="bold", va="center")
    note = f"{MM_PER_SECOND:g} mm/s    {MM_PER_MILLIVOLT:g} mm/mV    {sampling_rate:g} Hz"
    axes.text(_MARGIN, 4.5, note, fontsize=8, color=INK, va="center")
    return save_png(figure, path, dpi=dpi)


def _arrange(names: list[str], *, layout: Layout, seconds: float) -> list[tuple[int, str, float, float]]:
    """(row, lead, start, stop) of every piece of signal, times in seconds."""
    if layout == "rows":
        return [(row, lead, 0.0, seconds) for row, lead in enumerate(names)]
    if layout != "3x4":
        raise ValueError(f"layout {layout!r} is not known; expected '3x4' or 'rows'")
    if missing := [lead for column in COLUMNS for lead in column if lead not in names]:
        raise ValueError(
            f"lead(s) {missing} are missing for the 3x4 layout; draw the others with layout='rows'"
        )
    quarter = seconds / len(COLUMNS)
    strips = [
        (row, lead, column * quarter, (column + 1) * quarter)
        for column, leads in enumerate(COLUMNS)
        for row, lead in enumerate(leads)
    ]
    return [*strips, (len(COLUMNS[0]), RHYTHM_LEAD, 0.0, seconds)]


def _snap(length: float) -> float:
    """Whole big squares, so that the paper ends with a line."""
    return 5.0 * float(np.ceil(length / 5.0))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    return values - (np.median(known) if len(known) else 0.0)


def _draw_paper(axes: Axes, width: float, height: float) -> None:
    axes.figure.set_facecolor(_PAPER)
    for step, colour, line_width in ((1.0, _MINOR, 0.35), (5.0, _MAJOR, 0.6)):
        vertical = [((x, 0.0), (x, height)) for x in np.arange(0.0, width + 0.5, step)]
        horizontal = [((0.0, y), (width, y)) for y in np.arange(0.0, height + 0.5, step)]
        axes.add_collection(LineCollection(vertical + horizontal, colors=colour, linewidths=line_width))


def _draw_pulse(axes: Axes, baseline: float) -> None:
    x = _MARGIN + np.array([0.0, 1.5, 1.5, 6.5, 6.5, 8.0])
    y = baseline + MM_PER_MILLIVOLT * np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    axes.plot(x, y, color=_TRACE, linewidth=0.9, solid_joinstyle="miter")


def _draw_strip(
    axes: Axes,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    baseline: float,
    lead: str,
    divider: bool,
) -> None:
    axes.plot(x, baseline + MM_PER_MILLIVOLT * values, color=_TRACE, linewidth=0.9, solid_joinstyle="round")
    if divider:
        axes.plot([x[0], x[0]], [baseline - 3.0, baseline + 3.0], color=_TRACE, linewidth=0.9)
    box = {"facecolor": _PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    axes.text(x[0] + 1.2, baseline + 9.0, lead, fontsize=9, weight="bold", color=INK, va="center", bbox=box)
