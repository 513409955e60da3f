"""A folder of one's own recordings, in any format that `read_ecg` reads, with a table of their labels."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from datasets import Array2D, Dataset, DatasetDict, Features, Value
from datasets.utils import tqdm
from numpy.typing import NDArray

from .arrow_cache import BAD_RECORDS, open_cache
from .patients import all_alike, patient_numbers, stated_patient
from .readers import read_ecg
from .record import STANDARD_LEADS, EcgFormatError
from .recording_files import files_of
from .recordings_table import SPLITS, RecordingsTable, TableRow
from .schema import MICROVOLT_COLUMN, arrow_signals, with_columns, with_labels
from .splits import HAS_LABELS
from .standard_signal import standard_signal

T = TypeVar("T")

logger = logging.getLogger(__name__)

CACHE_FORMAT = 3
"""Part of every cache key: raise it whenever the content of the cache changes."""

FILE_PATIENT = "file_patient"
"""Column of the cache: a number for each patient that the files name."""

_BATCH = 64
_SHOWN = 20
_NUMBER = re.compile(r"\d[\d.,]*")


def _states(path: Path) -> list[str]:
    """Return name, size and time of change of the files of a recording."""
    found = []
    for file in files_of(path):
        with suppress(OSError):  # what is missing; reading will say so
            state = file.stat()
            found.append(f"{file.name} {state.st_size} {state.st_mtime_ns}")
    return found


def _cache_key(folder: Path, rows: Sequence[TableRow], sampling_rate: float, num_samples: int) -> str:
    """Return a hash of the signals: neither labels nor splits nor the place of the folder matter."""
    head = f"{CACHE_FORMAT} {sampling_rate} {num_samples} {STANDARD_LEADS}"
    digest = hashlib.sha256(head.encode())
    for row in rows:
        state = f"{row.file} {row.sampling_rate} {row.leads} {row.unit} {_states(folder / row.file)}\n"
        digest.update(state.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


class _Reading(NamedTuple):
    """A recording as it goes into the cache: (12, samples) in microvolts, whose it is by the file, notes."""

    signal: NDArray[np.int16]
    patient: str | None
    notes: list[str]


def _read_row(folder: Path, row: TableRow, sampling_rate: float, num_samples: int) -> _Reading:
    names = None if row.leads is None else row.leads.split()
    leads = "standard" if names == ["standard"] else names
    record = read_ecg(folder / row.file, sampling_rate=row.sampling_rate, leads=leads, unit=row.unit)
    try:
        signal, remarks = standard_signal(record, sampling_rate=sampling_rate, num_samples=num_samples)
    except EcgFormatError as error:
        raise EcgFormatError(f"{folder / row.file}: {error}") from error
    left_out = [f"channels left out: {', '.join(record.source.dropped)}"] if record.source.dropped else []
    return _Reading(signal, stated_patient(record.patient_id), [*record.source.notes, *left_out, *remarks])


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
    notes: dict[str, tuple[str, list[str]]] = {}
    patients: dict[str, int] = {}  # numbers: a name is nothing to keep

    def readable() -> Iterator[tuple[int, int | None, NDArray[np.int16]]]:
        for place, row in enumerate(tqdm(rows, desc=f"Reading {folder.name}", unit="ECG")):
            try:
                found = _read_row(folder, row, sampling_rate, num_samples)
            except EcgFormatError as error:
                bad.append((row.file, str(error)))
                continue
            for note in found.notes:  # those that differ in numbers alone together
                notes.setdefault(_NUMBER.sub("#", note), (note, []))[1].append(row.file)
            patient = None if found.patient is None else patients.setdefault(found.patient, len(patients))
            yield place, patient, found.signal

    features = Features(
        {
            MICROVOLT_COLUMN: Array2D((len(STANDARD_LEADS), num_samples), "int16"),
            "ecg_id": Value("int64"),
            FILE_PATIENT: Value("int64"),
        }
    )
    schema = features.arrow_schema
    with pa.OSFile(str(target / "recordings.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in _batches(readable()):
            signals = arrow_signals(np.stack([signal for _, _, signal in batch]), schema)
            numbers = pa.array([place + 1 for place, _, _ in batch], pa.int64())
            of_file = pa.array([patient for _, patient, _ in batch], pa.int64())
            writer.write_batch(pa.RecordBatch.from_arrays([signals, numbers, of_file], schema=schema))
    return {"bad": bad, "notes": dict(notes.values())}


def _batches(items: Iterator[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _patients(table: RecordingsTable, signals: Dataset) -> list[int | None]:
    """Return the patient of every row of the table, by it or by the files."""
    of_file: list[int | None] = [None] * len(table.rows)
    for number, patient in zip(signals["ecg_id"], signals[FILE_PATIENT], strict=True):
        of_file[number - 1] = patient
    of_table = [row.patient for row in table.rows]
    if all_alike(of_file):
        if None in of_table:
            logger.warning(
                "all files that name a patient name the same one: taken for a placeholder; say in the column "
                "patient_id which recordings are of one patient"
            )
        of_file = [None] * len(table.rows)
    return patient_numbers(of_table, of_file)


def _known_columns(table: RecordingsTable, signals: Dataset, sampling_rate: float) -> Dataset:
    """Return what is known of the recordings that could be read."""
    kept = [number - 1 for number in signals["ecg_id"]]
    rows = [table.rows[place] for place in kept]
    patients = _patients(table, signals)
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
        from 1; ``patient_id``, by the table or else by the file; ``age``, ``sex``, ``sampling_rate``,
        ``file``, and ``fold`` where the table has it.

    Raises:
        ValueError: if recordings cannot be read, or none can.
    """
    num_samples = round(seconds * sampling_rate)
    rows = {row.file: row for row in table.rows}
    cache, content = open_cache(
        cache_dir / f"recordings-{_cache_key(folder, table.rows, sampling_rate, num_samples)}",
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
    known = _known_columns(table, signals, sampling_rate)
    recordings = with_columns(signals.remove_columns(FILE_PATIENT), known)
    if not table.class_names:
        return recordings
    none = (0,) * len(table.class_names)
    labels = np.array([table.rows[place].labels or none for place in kept], dtype=np.int8)
    has_labels = pa.array([table.rows[place].labels is not None for place in kept])
    return with_columns(with_labels(recordings, labels), Dataset(pa.table({HAS_LABELS: has_labels})))


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
