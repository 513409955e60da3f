"""The table of a folder of one's own recordings: what is known of each file."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .patients import table_patient
from .ptbxl_tables import SPLIT_FOLDS
from .recording_files import identity

T = TypeVar("T")

TABLE = "recordings.csv"
FILE = "file"
KNOWN_COLUMNS: dict[str, str] = {
    FILE: "the recording, relative to the folder",
    "patient_id": "recordings of one patient are kept together; where it is empty, what the file says counts",
    "age": "years",
    "sex": "male or female",
    "split": "train, validation or test",
    "fold": "1-8 train, 9 validation, 10 test",
    "sampling_rate": "Hz, where the file does not state it",
    "leads": "names separated by spaces, or 'standard', where the file does not state them",
    "unit": "mV, uV or V, where the file does not state it",
}
"""Columns that are no labels; all but ``file`` may be left out, and all but ``file`` may have empty cells."""

SPLITS: tuple[str, ...] = tuple(SPLIT_FOLDS)
_SEX = {"male": "male", "m": "male", "female": "female", "f": "female"}
_LABELS = {"0", "1", "0.0", "1.0"}
_SHOWN = 20


class TableRow(NamedTuple):
    """One recording: age in years, sampling rate in Hz; None where the table does not say.

    Labels that are all 0 are labels: the recording has none of the findings. A patient "7.0" is "7".
    """

    line: int
    file: str
    labels: tuple[int, ...] | None
    patient: str | None
    age: float | None
    sex: str | None
    split: str | None
    fold: int | None
    sampling_rate: float | None
    leads: str | None
    unit: str | None


@dataclass(frozen=True, kw_only=True)
class RecordingsTable:
    """The rows of a table.

    Args:
        rows: in the order of the file.
        class_names: the label columns.
        split_column: ``"split"`` or ``"fold"``, or None where the table does not divide the recordings.
        strata: (rows, any), the 0 and 1 of every column that may be a label, chosen or not, so that the
            recordings are divided alike whichever classes are asked for; nothing counts as 0.
    """

    rows: tuple[TableRow, ...]
    class_names: tuple[str, ...]
    split_column: str | None
    strata: NDArray[np.int8]


def read_recordings_table(path: Path, *, class_names: Sequence[str] = ()) -> RecordingsTable:
    """Read a table of recordings.

    Args:
        path: CSV file in UTF-8 with a header, a column ``file``, any of ``KNOWN_COLUMNS``, and the labels:
            one column a class, 1 where the recording has it and 0 where not; a row whose label cells are all
            empty is a recording without labels, for pretraining.
        class_names: which columns are labels, in which order; the remaining ones are then ignored. By default
            all that are not among ``KNOWN_COLUMNS``.

    Raises:
        ValueError: if a column is missing, a cell cannot be understood, a recording occurs twice, if under
            another name, or a patient in two splits; up to 20 lines are named.
    """
    header, cells = _read_cells(path)
    names = tuple(class_names) or tuple(name for name in header if name not in KNOWN_COLUMNS)
    wanted = [FILE, *names]
    if missing := [name for name in wanted if name not in header]:
        raise ValueError(
            f"{path} has no column {missing}; expected {FILE!r}, one column of 0 and 1 a class, and perhaps "
            f"{[name for name in KNOWN_COLUMNS if name != FILE]}; found {header}"
        )
    if known := sorted(set(names) & set(KNOWN_COLUMNS)):
        raise ValueError(f"--class_names names {known}, which {path} uses otherwise; rename these columns")
    if {"split", "fold"} <= set(header):
        raise ValueError(f"{path} has both 'split' and 'fold'; keep the one that divides the recordings")
    rows, problems = [], []
    for line, row in cells:
        try:
            rows.append(_parse(line, row, names))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    _refuse(path, problems, total=len(cells))
    _refuse(path, _repeated_recordings(path.parent, rows), total=len(cells))
    _refuse(path, _ambiguous_patients(rows), total=len(cells))
    column = next((name for name in ("split", "fold") if name in header), None)
    if column is not None:
        _refuse(path, _torn_patients(rows), total=len(cells))
        if empty := sorted(set(SPLITS) - {str(row.split) for row in rows}):
            raise ValueError(
                f"no row of {path} is in {empty} by its column {column!r} ({KNOWN_COLUMNS[column]}); leave "
                "the column out to have the patients divided at random"
            )
    return RecordingsTable(
        rows=tuple(rows), class_names=names, split_column=column, strata=_strata([row for _, row in cells])
    )


def _strata(cells: Sequence[Mapping[str, str]]) -> NDArray[np.int8]:
    names = [
        name
        for name in cells[0]
        if name not in KNOWN_COLUMNS and all(row[name] in _LABELS or not row[name] for row in cells)
    ]
    return np.array([[row[name][:1] == "1" for name in names] for row in cells], dtype=np.int8)


def _read_cells(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and per row its line number and cells, stripped."""
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(header)}"
                    )
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                rows.append((reader.line_num, row))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV table in UTF-8: {error}") from error
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ValueError(f"{path} has more than one column {twice}")
    if not rows:
        raise ValueError(f"{path} lists no recordings; expected a header and a line for each recording")
    return header, rows


def _parse(line: int, row: Mapping[str, str], class_names: Sequence[str]) -> TableRow:
    def cell(name: str, read: Callable[[str], T]) -> T | None:
        text = row.get(name, "")
        return read(text) if text else None

    if not row[FILE]:
        raise ValueError(f"{FILE} is empty")
    fold = cell("fold", _fold)
    split = cell("split", _split) or next(
        (name for name, folds in SPLIT_FOLDS.items() if fold in folds), None
    )
    if split is None and ("split" in row or "fold" in row):
        raise ValueError("split and fold are empty; every recording must be in one if any is")
    return TableRow(
        line=line,
        file=row[FILE],
        labels=_row_labels(row, class_names),
        patient=cell("patient_id", table_patient),
        age=cell("age", lambda text: _positive("age", text)),
        sex=cell("sex", _sex),
        split=split,
        fold=fold,
        sampling_rate=cell("sampling_rate", lambda text: _positive("sampling_rate", text)),
        leads=cell("leads", str),
        unit=cell("unit", str),
    )


def _row_labels(row: Mapping[str, str], class_names: Sequence[str]) -> tuple[int, ...] | None:
    empty = [name for name in class_names if not row[name]]
    if empty and len(empty) == len(class_names):
        return None
    if empty:
        raise ValueError(
            f"column {empty[0]!r} is empty where others are not; a recording has all of its labels or none"
        )
    return tuple(_label(name, row[name]) for name in class_names)


def _label(name: str, text: str) -> int:
    if text not in _LABELS:
        raise ValueError(
            f"column {name!r} holds {text!r}; a label is 0 or 1. If it is no label, remove the column, or "
            "name those that are with --class_names"
        )
    return int(text[0])


def _fold(text: str) -> int:
    if text not in {str(number) for number in range(1, 11)}:
        raise ValueError(f"fold {text!r} is not one of 1..10 ({KNOWN_COLUMNS['fold']})")
    return int(text)


def _split(text: str) -> str:
    if text not in SPLITS:
        raise ValueError(f"split {text!r} is not one of {list(SPLITS)}")
    return text


def _sex(text: str) -> str:
    if text.lower() not in _SEX:
        raise ValueError(f"sex {text!r} is none of {list(_SEX)}; leave it empty where it is not known")
    return _SEX[text.lower()]


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (name == "age" and value == 0))):
        raise ValueError(f"{name} {text!r} is no positive number; leave it empty where it is not known")
    return value


def _repeated_recordings(folder: Path, rows: Sequence[TableRow]) -> list[str]:
    first: dict[object, TableRow] = {}
    return [
        f"line {row.line}: {row.file} is the recording of line {before.line} ({before.file}) already"
        for row in rows
        if (before := first.setdefault(identity(folder / row.file), row)) is not row
    ]


def _ambiguous_patients(rows: Sequence[TableRow]) -> list[str]:
    first: dict[int, TableRow] = {}
    return [
        f"line {row.line}: patient {row.patient!r} here and {before.patient!r} in line {before.line} may be "
        "one or two; write the same patient in the same way, and different ones differently"
        for row in rows
        if row.patient is not None
        and row.patient.isdecimal()
        and (before := first.setdefault(int(row.patient), row)).patient != row.patient
    ]


def _torn_patients(rows: Sequence[TableRow]) -> list[str]:
    first: dict[str, TableRow] = {}
    return [
        f"line {row.line}: patient {row.patient!r} is in {row.split!r} here and in "
        f"{first[row.patient].split!r} in line {first[row.patient].line}; a patient belongs into one split"
        for row in rows
        if row.patient is not None and first.setdefault(row.patient, row).split != row.split
    ]


def _refuse(path: Path, problems: Sequence[str], *, total: int) -> None:
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ValueError(f"{len(problems)} of {total} rows of {path} are not valid:\n{shown}{more}")
