"""Folders in PTB-XL's layout to measure on: simulated ones, and parts of larger ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_ecg_hf.data import STANDARD_LEADS, SUPERCLASSES, simulate_dataset

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
_CODE_OF = {"NORM": "NORM", "MI": "IMI", "STTC": "NDT", "HYP": "LVH", "CD": "LAFB"}


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _write_record(stem: Path, microvolts: NDArray[np.int16], sampling_rate: int) -> None:
    """Write one WFDB record of (leads, samples) in microvolts, as PTB-XL has them: format 16."""
    sums = microvolts.sum(axis=1, dtype=np.int64) % 65536
    lines = [f"{stem.name} {microvolts.shape[0]} {sampling_rate} {microvolts.shape[1]}"]
    lines += [
        f"{stem.name}.dat 16 1000.0(0)/mV 16 0 {row[0]} {checksum} 0 {lead}"
        for row, checksum, lead in zip(microvolts, sums, STANDARD_LEADS, strict=True)
    ]
    stem.with_suffix(".hea").write_text("\n".join(lines) + "\n", encoding="utf-8")
    stem.with_suffix(".dat").write_bytes(np.ascontiguousarray(microvolts.T, dtype="<i2").tobytes())


def simulate_folder(folder: Path, num_records: int, *, sampling_rate: int = 100) -> None:
    """Write simulated recordings as WFDB files in PTB-XL's layout.

    Args:
        folder: created.
        num_records: at least 10.
        sampling_rate: 100 Hz, as the column of the file names says.
    """
    (folder / "records100" / "00000").mkdir(parents=True)
    statements = [
        {"": code, "diagnostic": "1.0", "diagnostic_class": superclass}
        for superclass, code in _CODE_OF.items()
    ]
    _write_rows(folder / STATEMENTS, statements, ["", "diagnostic", "diagnostic_class"])
    rows: list[dict[str, Any]] = []
    for split in simulate_dataset(num_records, sampling_rate=float(sampling_rate)).values():
        for record in split.with_format("numpy"):
            file = f"records100/00000/{record['ecg_id']:05d}_lr"
            _write_record(folder / file, record["signal_uv"].astype(np.int16), sampling_rate)
            found = [name for name, label in zip(SUPERCLASSES, record["labels"], strict=True) if label]
            rows.append(
                {
                    "ecg_id": int(record["ecg_id"]),
                    "patient_id": float(record["patient_id"]),
                    "age": float(record["age"]),
                    "sex": int(record["sex"] == "female"),
                    "scp_codes": repr({_CODE_OF[name]: 100.0 for name in found}),
                    "strat_fold": int(record["fold"]),
                    "filename_lr": file,
                }
            )
    _write_rows(folder / DATABASE, rows, list(rows[0]))


def _read_rows(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return the rows of a PTB-XL's database and the names of its columns."""
    if not (folder / DATABASE).is_file():
        raise ValueError(
            f"{folder} has no {DATABASE}; give the root folder of PTB-XL (get it with: ssl-ecg download "
            "ptbxl DEST), or 'simulated'"
        )
    with (folder / DATABASE).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return list(reader), list(reader.fieldnames or [])


def record_stems(folder: Path) -> list[Path]:
    """Return the path without suffix of every record (100 Hz) that a PTB-XL lists.

    Raises:
        ValueError: if ``folder`` has no ``ptbxl_database.csv``.
    """
    return [folder / row["filename_lr"] for row in _read_rows(folder)[0]]


def take_part(folder: Path, target: Path, num_records: int) -> list[Path]:
    """Make a folder that lists some records of another, evenly spread over it; the files are not copied.

    Args:
        folder: root of a PTB-XL.
        target: created; ``records100`` in it is a symbolic link.
        num_records: how many; all, if there are fewer.

    Returns:
        The stem (path without suffix) of each record.

    Raises:
        ValueError: if ``folder`` has no ``ptbxl_database.csv``.
    """
    rows, columns = _read_rows(folder)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(num_records, len(rows))).round().astype(int))
    part = [rows[index] for index in chosen]
    target.mkdir(parents=True)
    _write_rows(target / DATABASE, part, columns)
    (target / STATEMENTS).write_bytes((folder / STATEMENTS).read_bytes())
    (target / "records100").symlink_to((folder / "records100").resolve(), target_is_directory=True)
    return [target / row["filename_lr"] for row in part]
