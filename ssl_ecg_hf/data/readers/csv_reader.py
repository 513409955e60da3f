"""Tables: a header with lead names, one line per sample, optionally a column with the time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord
from ..units import MICROVOLTS_PER_UNIT, millivolts_per, require

TIME_COLUMNS: tuple[str, ...] = ("time", "time_s")
"""Names of the column with the time in seconds, in any case."""

MAX_BYTES = 1 << 30
"""Larger files are refused: a day of 12 leads at 100 Hz stays below."""

_IRREGULAR = 0.1


def _read_table(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Return the header and the numbers, shape (lines, columns); an empty cell is NaN."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise EcgFormatError(f"the table has {size} bytes, more than {MAX_BYTES}; cut it into parts")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise EcgFormatError(
                        f"line {reader.line_num}: {len(cells)} cells, the header has {len(header)}"
                    )
                try:
                    rows.append(np.array([float(cell) if cell.strip() else np.nan for cell in cells]))
                except ValueError as error:
                    raise EcgFormatError(
                        f"line {reader.line_num}: {error}; expected numbers with a decimal point, "
                        "separated by commas"
                    ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EcgFormatError(f"the file is no CSV table in UTF-8: {error}") from error
    if not header or not rows:
        raise EcgFormatError("the table is empty; expected a header of lead names and one line per sample")
    return header, np.stack(rows)


def _rate_from_time(time: NDArray[np.float64]) -> float:
    """Return the sampling rate in Hz of regular times in s."""
    steps = np.diff(time)
    if not len(steps) or not np.isfinite(time).all() or not (steps > 0).all():
        raise EcgFormatError("the time column must rise from line to line, in seconds, without gaps")
    step = (time[-1] - time[0]) / len(steps)
    if (worst := float(np.abs(steps - step).max())) > _IRREGULAR * step:
        raise EcgFormatError(
            f"the samples are not regular: a step of the time column is {worst:.6g} s away from the "
            f"mean of {step:.6g} s; resample the recording, or remove lines with gaps"
        )
    rate = 1.0 / step
    # Times are printed with few digits: 0.0001 relative is rounding, not a rate of 499.98 Hz.
    return float(round(rate)) if abs(rate - round(rate)) < 1e-4 * rate and round(rate) else float(rate)


def _split_unit(name: str) -> tuple[str, str | None]:
    """Split ``"V1_uV"`` into lead and unit; the unit is None where the name carries none."""
    lead, _, suffix = name.rpartition("_")
    return (lead, suffix) if lead and suffix in MICROVOLTS_PER_UNIT else (name, None)


def _units(names: Sequence[str], stated: Sequence[str | None], unit: str | None) -> list[str]:
    if unit is None:
        return [
            require(suffix, what=f"unit (column {name!r})", argument="unit")
            for name, suffix in zip(names, stated, strict=True)
        ]
    if contradicting := [
        name for name, suffix in zip(names, stated, strict=True) if suffix not in (None, unit)
    ]:
        raise EcgFormatError(
            f"unit={unit!r} was given, but the columns {contradicting} state another; leave it out"
        )
    return [unit] * len(names)


def read_csv(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a ``.csv`` file with one recording: columns are leads, lines are samples.

    Args:
        path: the file. A column ``time`` or ``time_s`` holds the time in seconds; a column name may end in
            its unit, as in ``I_mV`` or ``V1_uV``. Empty cells become NaN.
        sampling_rate: in Hz; required without a time column, and must agree with it.
        leads: must be None or the names of the columns in their order.
        unit: ``"mV"``, ``"uV"`` or ``"V"``; required unless the column names carry it.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if the table is damaged, irregular in time, or rate or unit are not known.
    """
    header, values = _read_table(path)
    if any(_is_number(name) for name in header):
        raise EcgFormatError(
            f"the first line {header} holds numbers or no names; expected the names of the leads"
        )
    is_time = [name.lower() in TIME_COLUMNS for name in header]
    if sum(is_time) > 1:
        raise EcgFormatError(f"the table has more than one time column: {header}; remove all but one")
    if any(is_time):
        rate = _rate_from_time(values[:, is_time.index(True)])
        if sampling_rate is not None and abs(sampling_rate - rate) > 1e-3 * rate:
            raise EcgFormatError(
                f"sampling_rate={sampling_rate:g} Hz was given, but the time column says {rate:.6g} Hz; "
                "leave it out, or correct the column"
            )
    else:
        rate = require(sampling_rate, what="sampling rate", argument="sampling_rate")
    columns = [name for name, time in zip(header, is_time, strict=True) if not time]
    names = [_split_unit(name)[0] for name in columns]
    units = _units(columns, [_split_unit(name)[1] for name in columns], unit)
    if leads is not None and [name.lower() for name in leads] != [name.lower() for name in names]:
        raise EcgFormatError(f"leads={list(leads)} were given, but the columns are {names}; leave them out")
    scale = np.array([millivolts_per(name) for name in units])
    signal = values[:, [not time for time in is_time]] * scale
    return EcgRecord(signal=signal.T, sampling_rate=rate, leads=tuple(names), record_id=path.stem)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text
    return True
