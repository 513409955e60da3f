"""A folder of one's own recordings, in any format that `read_ecg` reads, with a table of their labels."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Array2D, Dataset, DatasetDict, Features, Value
from datasets.utils import tqdm

from .arrow_cache import BAD_RECORDS, open_cache
from .readers import read_ecg
from .record import STANDARD_LEADS, EcgFormatError
from .recordings_table import SPLITS, RecordingsTable, TableRow
from .schema import MICROVOLT_COLUMN, arrow_signals, with_columns, with_labels
from .splits import HAS_LABELS
from .standard_signal import standard_signal

logger = logging.getLogger(__name__)

CACHE_FORMAT = 2
"""Part of every cache key: raise it whenever the content of the cache changes."""

_BATCH = 64
_SHOWN = 20


def _files_by_stem(folder: Path) -> dict[str, list[str]]:
    """Return name, size and time of change of the files of a folder, those of one recording together."""
    found: dict[str, list[str]] = {}
    if folder.is_dir():
        for entry in os.scandir(folder):
            with suppress(OSError):  # a link to nothing; reading will say so
                state = f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}"
                found.setdefault(Path(entry.name).stem, []).append(state)
    return found


def _cache_key(folder: Path, rows: Sequence[TableRow], sampling_rate: float, num_samples: int) -> str:
    """Return a hash of the signals: neither labels nor splits nor the place of the folder matter."""
    head = f"{CACHE_FORMAT} {sampling_rate} {num_samples} {STANDARD_LEADS}"
    digest = hashlib.sha256(head.encode())
    known: dict[Path, dict[str, list[str]]] = {}
    for row in rows:
        file = folder / row.file
        if file.parent not in known:
            known[file.parent] = _files_by_stem(file.parent)
        of_folder = known[file.parent]
        # A WFDB record may be named without suffix, and a dot in its name is then none.
        states = sorted({*of_folder.get(file.stem, []), *of_folder.get(file.name, [])})
        digest.update(f"{row.file} {row.sampling_rate} {row.leads} {row.unit} {states}\n".encode())
    return digest.hexdigest()[:16]


def _read_row(folder: Path, row: TableRow, sampling_rate: float, num_samples: int) -> tuple[Any, list[str]]:
    names = None if row.leads is None else row.leads.split()
    leads = "standard" if names == ["standard"] else names
    record = read_ecg(folder / row.file, sampling_rate=row.sampling_rate, leads=leads, unit=row.unit)
    try:
        return standard_signal(record, sampling_rate=sampling_rate, num_samples=num_samples)
    except EcgFormatError as error:
        raise EcgFormatError(f"{folder / row.file}: {error}") from error


def _reason(folder: Path, row: TableRow, sampling_rate: float, num_samples: int) -> str | None:
    """Return why a recording cannot be used, None where it can."""
    try:
        _read_row(folder, row, sampling_rate, num_samples)
    except EcgFormatError as error:
        return str(error)
    return None


def _write_cache(
    target: Path, folder: Path, rows: Sequence[TableRow], sampling_rate: float, num_samples: int
) -> dict[str, Any]:
    """Write the signals of all readable rows; return which were not, and what was done to the others."""
    bad: list[tuple[str, str]] = []
    notes: dict[str, list[str]] = {}

    def readable() -> Iterator[tuple[int, Any]]:
        for place, row in enumerate(tqdm(rows, desc=f"Reading {folder.name}", unit="ECG")):
            try:
                signal, remarks = _read_row(folder, row, sampling_rate, num_samples)
            except EcgFormatError as error:
                bad.append((row.file, str(error)))
                continue
            for remark in remarks:
                notes.setdefault(remark, []).append(row.file)
            yield place, signal

    features = Features(
        {MICROVOLT_COLUMN: Array2D((len(STANDARD_LEADS), num_samples), "int16"), "ecg_id": Value("int64")}
    )
    schema = features.arrow_schema
    with pa.OSFile(str(target / "recordings.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in _batches(readable()):
            signals = arrow_signals(np.stack([signal for _, signal in batch]), schema)
            numbers = pa.array([place + 1 for place, _ in batch], pa.int64())
            writer.write_batch(pa.RecordBatch.from_arrays([signals, numbers], schema=schema))
    return {"bad": bad, "notes": notes}


def _batches(items: Iterator[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    batch: list[tuple[int, Any]] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _patient_numbers(rows: Sequence[TableRow]) -> list[int | None]:
    """Return whole numbers as they are; other names are numbered in the order of their first appearance."""
    names = list(dict.fromkeys(row.patient for row in rows if row.patient is not None))
    whole = {name: int(name.removesuffix(".0")) for name in names if name.removesuffix(".0").isdecimal()}
    if len(set(whole.values())) < len(names) or max(whole.values(), default=0) >= 2**63:
        whole = {name: number for number, name in enumerate(names)}
    return [None if row.patient is None else whole[row.patient] for row in rows]


def _known_columns(table: RecordingsTable, kept: Sequence[int], sampling_rate: float) -> Dataset:
    """Return what the table says of the kept rows."""
    rows = [table.rows[place] for place in kept]
    patients = _patient_numbers(table.rows)
    columns: dict[str, Any] = {
        "patient_id": pa.array([patients[place] for place in kept], pa.int64()),
        "age": pa.array([row.age for row in rows], pa.float32()),
        "sex": pa.array([row.sex for row in rows], pa.string()),
        "sampling_rate": pa.array([sampling_rate] * len(rows), pa.float32()),
        "file": pa.array([row.file for row in rows], pa.string()),
    }
    if table.split_column == "fold":
        columns["fold"] = pa.array([row.fold for row in rows], pa.int8())
    return Dataset(pa.table(columns))


def load_recordings_folder(
    folder: Path,
    table: RecordingsTable,
    *,
    sampling_rate: float,
    seconds: float,
    cache_dir: Path,
    drop_bad: bool = False,
) -> Dataset:
    """Load one's own recordings as the standard twelve leads at one rate and of one length.

    The first call reads all recordings into an Arrow cache; later calls memory-map it. It is read again when
    a recording changes, or one that could not be read can be by now, not when labels, patients or splits do.

    Args:
        folder: what the files of the table are relative to.
        table: as `read_recordings_table` returns it.
        sampling_rate: of the result in Hz.
        seconds: length of the result, see `standard_signal`.
        cache_dir: where caches are kept.
        drop_bad: leave unreadable recordings out, with a warning, in place of an error.

    Returns:
        One row a recording, in the order of the table: ``signal_uv``, int16 (12, samples) in microvolts;
        ``labels`` and ``has_labels`` where the table has label columns; ``ecg_id``, the number of the row
        from 1; ``patient_id``, ``age``, ``sex``, ``sampling_rate``, ``file``, and ``fold`` where the table
        has it.

    Raises:
        ValueError: if recordings cannot be read, or none can.
    """
    num_samples = round(seconds * sampling_rate)
    cache = cache_dir / f"recordings-{_cache_key(folder, table.rows, sampling_rate, num_samples)}"
    rows = {row.file: row for row in table.rows}
    content = open_cache(
        cache,
        lambda target: _write_cache(target, folder, table.rows, sampling_rate, num_samples),
        lambda file: _reason(folder, rows[file], sampling_rate, num_samples),
    )
    for remark, files in content["notes"].items():
        logger.warning(
            "%d of %d recordings: %s (the first: %s)", len(files), len(table.rows), remark, files[0]
        )
    if bad := content["bad"]:
        shown = "\n".join(f"  {reason}" for _, reason in bad[:_SHOWN])
        message = (
            f"{len(bad)} of {len(table.rows)} recordings in {folder} cannot be used:\n{shown}\n"
            f"Full list: {cache / BAD_RECORDS}"
        )
        if len(bad) == len(table.rows) or not drop_bad:
            raise ValueError(f"{message}\nRepair them, or continue without them: drop_bad=True (--drop_bad)")
        logger.warning("%s\nThey are left out.", message)
    signals = Dataset.from_file(str(cache / "recordings.arrow"))
    kept = [number - 1 for number in signals["ecg_id"]]
    recordings = with_columns(signals, _known_columns(table, kept, sampling_rate))
    if not table.class_names:
        return recordings
    none = (0,) * len(table.class_names)
    labels = np.array([table.rows[place].labels or none for place in kept], dtype=np.int8)
    known = Dataset(
        pa.table({HAS_LABELS: pa.array([table.rows[place].labels is not None for place in kept])})
    )
    return with_columns(with_labels(recordings, labels), known)


def divide_by_table(recordings: Dataset, table: RecordingsTable) -> DatasetDict:
    """Return the splits that the table names.

    Args:
        recordings: as `load_recordings_folder` returns them.
        table: with a column for splits.

    Raises:
        ValueError: if a split has lost all its recordings.
    """
    splits = DatasetDict()
    of_row = [table.rows[number - 1].split for number in recordings["ecg_id"]]
    for name in SPLITS:
        rows = [place for place, split in enumerate(of_row) if split == name]
        if not rows:
            raise ValueError(f"no recording of split {name!r} can be read; repair one of them")
        splits[name] = recordings.select(rows)
    return splits
