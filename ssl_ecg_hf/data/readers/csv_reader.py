"""Tables as text (CSV, TSV, TXT): columns are leads, lines are samples, optionally a column with the time.

Such a file states what its header says: names of leads, perhaps with their unit, and the sampling rate by a
column of times.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord, RecordSource
from ..units import MICROVOLTS_PER_UNIT
from .arrays import check_bytes, to_millivolts
from .statement import Given, settle
from .times import rate_of_times

FORMAT = "text table"
TIME_COLUMNS: tuple[str, ...] = ("time", "time_s")
"""Names of the column with the time in seconds, in any case."""

MAX_BYTES = 1 << 28
"""Larger files are refused: an hour of 12 leads at 500 Hz stays below."""


def sniff(head: bytes, _path: Path) -> bool:
    """Tell whether the first lines are a table of numbers below a header, or without one."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not a character that the end of the piece cut
            return False
        text = head[: error.start].decode("utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2 or (not lines[0].isprintable() and "\t" not in lines[0]):
        return False
    delimiter = _delimiter(lines[0])
    header, cells = (line.split(delimiter) for line in lines[:2])
    numbers = [cell for cell in cells if cell.strip()]
    return len(header) == len(cells) and bool(numbers) and all(map(_is_number, numbers))


def _delimiter(line: str) -> str | None:
    """Return what divides a line, None for blanks."""
    found = next((sign for sign in "\t;," if sign in line), None)
    return "," if found is None and len(line.split()) < 2 else found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cells(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is neither empty nor a comment above the header."""
    for line in file:
        if line.strip() and not line.startswith("#"):
            break
    else:
        return
    delimiter = _delimiter(line)
    file.seek(0)
    if delimiter is None:
        numbered: Iterator[tuple[int, list[str]]] = enumerate((text.split() for text in file), start=1)
    else:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        numbered = ((reader.line_num, cells) for cells in reader)
    above = True
    for number, cells in numbered:
        above = (above and bool(cells) and cells[0].startswith("#")) or (above and not cells)
        if cells and not above:
            yield number, cells


def _read_table(path: Path, leads: Sequence[str] | None) -> tuple[list[str], bool, NDArray[np.float64]]:
    """Return names of the columns, whether the file states them, and the numbers, shape (lines, columns)."""
    check_bytes(path, MAX_BYTES)
    values = array("d")
    header: list[str] = []
    is_stated = True
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, cells in _cells(file):
                if not header:
                    header = [name.strip() for name in cells]
                    if not any(not name or _is_number(name) for name in header):
                        continue
                    if leads is None or not all(map(_is_number, header)):
                        raise EcgFormatError(
                            f"the first line {header[:20]} holds numbers or no names; expected the names of "
                            "the leads, or give leads= (on the command line --leads)"
                        )
                    header, is_stated = list(leads), False
                if len(cells) != len(header):
                    raise EcgFormatError(
                        f"line {number}: {len(cells)} cells, the header has {len(header)}"
                        if is_stated
                        else f"line {number}: {len(cells)} cells for {len(header)} names in leads={header}; "
                        f"name every column, one of times in s {TIME_COLUMNS[0]!r}"
                    )
                try:
                    values.extend([float(cell) if cell.strip() else np.nan for cell in cells])
                except ValueError as error:
                    raise EcgFormatError(
                        f"line {number}: {error}; expected numbers with a decimal point, separated by "
                        "commas, semicolons, tabs or blanks"
                    ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EcgFormatError(f"the file is no CSV table in UTF-8: {error}") from error
    if not header or not values:
        raise EcgFormatError("the table is empty; expected a header of lead names and one line per sample")
    return header, is_stated, np.frombuffer(values).reshape(-1, len(header))


def _split_unit(name: str) -> tuple[str, str | None]:
    """Split ``"V1_uV"`` into lead and unit; the unit is None where the name carries none."""
    lead, _, suffix = name.rpartition("_")
    return (lead, suffix) if lead and suffix in MICROVOLTS_PER_UNIT else (name, None)


def read_csv(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a table with one recording: columns are leads, lines are samples.

    Args:
        path: the file, in UTF-8; cells are separated by commas, semicolons, tabs or blanks, numbers have a
            decimal point, lines above the header that begin with ``#`` are skipped. A column ``time`` or
            ``time_s`` holds the time in seconds, of which the rounding in print is known to
            :func:`.times.rate_of_times`; a column name may end in its unit, as in ``I_mV`` or ``V1_uV``.
            Empty cells become NaN.
        sampling_rate: in Hz; required without a time column, and must agree with it.
        leads: name of each lead; needless, and must agree with the header. Without a header: name of each
            column, that of the time among them.
        unit: ``"mV"``, ``"uV"`` or ``"V"``; required unless the column names carry it.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if the table is damaged, irregular in time, or something is not known.
    """
    header, is_stated, values = _read_table(path, leads)
    is_time = [name.lower() in TIME_COLUMNS for name in header]
    if sum(is_time) > 1:
        raise EcgFormatError(f"the table has more than one time column: {header}; remove all but one")
    columns = [index for index, time in enumerate(is_time) if not time]
    rate = rate_of_times(values[:, is_time.index(True)]) if any(is_time) else None
    if is_stated:
        split = [_split_unit(header[index]) for index in columns]
        names, units = [name for name, _ in split], [unit for _, unit in split]
        known = settle(Given(sampling_rate, leads, unit), sampling_rate=rate, leads=names, units=units)
    else:
        names = [header[index] for index in columns]
        known = settle(Given(sampling_rate, names, unit), sampling_rate=rate, units=[None])
    return EcgRecord(
        signal=to_millivolts((values[:, index] for index in columns), known.millivolts),
        sampling_rate=known.sampling_rate,
        leads=known.leads,
        record_id=path.stem,
        source=RecordSource(format=FORMAT, unit=known.unit),
    )
