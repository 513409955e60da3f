"""Reads all recordings of PTB-XL once into an Arrow cache that is memory-mapped afterwards."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets.utils import tqdm
from numpy.typing import NDArray

from .arrow_cache import ArrowCache, open_cache
from .format16 import lead_order, parse_header, read_format16
from .labels import superclass_labels
from .ptbxl_tables import SPLIT_FOLDS, PtbxlRow, parse_scp_codes
from .readers.wfdb_reader import read_wfdb
from .record import STANDARD_LEADS, EcgFormatError
from .schema import arrow_signals, ecg_features

CACHE_FORMAT = 1
"""Part of every cache key: raise it whenever the content of the cache changes."""

RECORD_SECONDS = 10
_CHUNK_SAMPLES = 256_000

Chunk = tuple[NDArray[np.int16], list[int], list[tuple[str, str]]]


def cache_key(folder: Path, tables: Sequence[Path], rows: Sequence[PtbxlRow], sampling_rate: int) -> str:
    """Return a hash of all that the cache is built from.

    Args:
        folder: root of the database.
        tables: CSV files, hashed by content.
        rows: the recordings, whose files are hashed by name, size and time of change.
        sampling_rate: in Hz.

    Returns:
        16 hexadecimal digits; the place of the folder does not matter.
    """
    digest = hashlib.sha256(f"{CACHE_FORMAT} {sampling_rate} {STANDARD_LEADS}".encode())
    for table in tables:
        digest.update(hashlib.sha256(table.read_bytes()).digest())
    root = str(folder)
    for row in rows:
        for suffix in (".hea", ".dat"):
            try:
                status = os.stat(f"{root}/{row.file}{suffix}")  # noqa: PTH116 - 40,000 Path objects cost 0.2 s
                state = f"{status.st_size} {status.st_mtime_ns}"
            except OSError:
                state = "missing"
            digest.update(f"{row.file}{suffix} {state}\n".encode())
    return digest.hexdigest()[:16]


def _read_microvolts(path: Path, sampling_rate: int) -> NDArray[np.int16]:
    """Return one recording, int16 (12, samples) in microvolts, leads in standard order."""
    num_samples = RECORD_SECONDS * sampling_rate
    header = parse_header(path.read_text(encoding="utf-8", errors="replace"))
    if header is not None:
        rate, samples = header.sampling_rate, header.num_samples
        if (rate, samples) == (sampling_rate, num_samples):
            return read_format16(header, path, STANDARD_LEADS)
    else:
        record = read_wfdb(path)
        rate, samples = record.sampling_rate, record.signal.shape[1]
        if (rate, samples) == (sampling_rate, num_samples):
            signal = record.signal[list(lead_order(record.leads, STANDARD_LEADS))]
            if invalid := int(np.isnan(signal).sum()):
                raise EcgFormatError(f"{invalid} samples are marked invalid")
            microvolts = np.rint(signal.astype(np.float64) * 1000)
            if (largest := float(np.abs(microvolts).max())) > 32767:
                raise EcgFormatError(
                    f"a sample of {largest / 1000:.1f} mV does not fit into 16-bit microvolts"
                )
            return microvolts.astype(np.int16)
    raise EcgFormatError(
        f"{samples} samples at {rate:g} Hz; expected {num_samples} at {sampling_rate} Hz ({RECORD_SECONDS} s)"
    )


def _read_chunk(folder: Path, rows: Sequence[PtbxlRow], sampling_rate: int) -> Chunk:
    """Return signals (kept, 12, samples) in microvolts, the kept rows, and (file, reason) of the others."""
    signals = np.empty((len(rows), len(STANDARD_LEADS), RECORD_SECONDS * sampling_rate), dtype=np.int16)
    kept: list[int] = []
    bad: list[tuple[str, str]] = []
    for index, row in enumerate(rows):
        path = folder / f"{row.file}.hea"
        try:
            signals[len(kept)] = _read_microvolts(path, sampling_rate)
        except FileNotFoundError as error:
            bad.append((row.file, f"{Path(error.filename or path).name} is missing"))
        except (EcgFormatError, OSError) as error:
            bad.append((row.file, str(error)))
        else:
            kept.append(index)
    return signals[: len(kept)], kept, bad


def _record_batch(
    signals: NDArray[np.int16], rows: Sequence[PtbxlRow], labels: NDArray[np.int8], rate: int, schema: Any
) -> Any:
    """Return one Arrow record batch; the signals are not copied."""
    count = len(signals)
    columns = {
        "signal_uv": arrow_signals(signals, schema),
        "labels": pa.FixedSizeListArray.from_arrays(pa.array(labels.reshape(-1)), labels.shape[1]),
        "ecg_id": [row.ecg_id for row in rows],
        "patient_id": [row.patient_id for row in rows],
        "age": [row.age for row in rows],
        "sex": [row.sex for row in rows],
        "fold": [row.fold for row in rows],
        "sampling_rate": [float(rate)] * count,
    }
    arrays = [
        columns[field.name]
        if isinstance(columns[field.name], pa.Array)
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _in_order(
    pool: ThreadPoolExecutor, folder: Path, chunks: Sequence[Sequence[PtbxlRow]], rate: int, ahead: int
) -> Iterator[tuple[Sequence[PtbxlRow], Chunk]]:
    """Yield the chunks in order with at most ``ahead`` of them in memory."""
    waiting: deque[tuple[Sequence[PtbxlRow], Future[Chunk]]] = deque()
    for chunk in chunks:
        waiting.append((chunk, pool.submit(_read_chunk, folder, chunk, rate)))
        if len(waiting) >= ahead:
            rows, future = waiting.popleft()
            yield rows, future.result()
    for rows, future in waiting:
        yield rows, future.result()


def _write_cache(
    target: Path, folder: Path, rows: Sequence[PtbxlRow], statements: dict[str, str], rate: int, workers: int
) -> list[tuple[str, str]]:
    schema = ecg_features(RECORD_SECONDS * rate).arrow_schema
    step = max(1, _CHUNK_SAMPLES // (RECORD_SECONDS * rate))
    bad: list[tuple[str, str]] = []
    # Threads, not processes: reading releases the interpreter lock, and neither fork's hazards nor the
    # seconds that spawned interpreters need are worth it for about 0.1 ms of work per recording.
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ptbxl")
    try:
        with tqdm(total=len(rows), desc="Reading PTB-XL", unit="ECG") as progress:
            for split, folds in SPLIT_FOLDS.items():
                part = [row for row in rows if row.fold in folds]
                chunks = [part[start : start + step] for start in range(0, len(part), step)]
                path = target / f"{split}.arrow"
                with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
                    for members, (signals, kept, faults) in _in_order(
                        pool, folder, chunks, rate, workers + 2
                    ):
                        good = [members[index] for index in kept]
                        labels = superclass_labels([parse_scp_codes(row) for row in good], statements)
                        if good:
                            writer.write_batch(_record_batch(signals, good, labels, rate, schema))
                        bad += faults
                        progress.update(len(members))
    finally:
        pool.shutdown(cancel_futures=True)
    return bad


def _reason(folder: Path, row: PtbxlRow, rate: int) -> str | None:
    """Return why a recording cannot be read, None where it can."""
    _, _, bad = _read_chunk(folder, [row], rate)
    return bad[0][1] if bad else None


def open_ptbxl_cache(
    cache: Path,
    folder: Path,
    rows: Sequence[PtbxlRow],
    *,
    statements: dict[str, str],
    sampling_rate: int,
    num_workers: int,
) -> ArrowCache:
    """Build the cache unless it is there, see :func:`open_cache`.

    Args:
        cache: folder of the cache; its name carries :func:`cache_key`.
        folder: root of the database.
        rows: the recordings.
        statements: SCP code -> superclass.
        sampling_rate: in Hz.
        num_workers: threads that read.

    Returns:
        It, with ``(file, reason)`` of every recording left out under ``"bad"``.
    """
    of_file = {row.file: row for row in rows}
    return open_cache(
        cache,
        lambda target: {"bad": _write_cache(target, folder, rows, statements, sampling_rate, num_workers)},
        lambda file: _reason(folder, of_file[file], sampling_rate),
    )
