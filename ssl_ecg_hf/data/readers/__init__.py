"""One reader a file format; a new format is one file here and one line in ``READERS``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..record import EcgFormatError, EcgRecord
from .csv_reader import read_csv
from .numpy_reader import read_numpy
from .wfdb_reader import read_wfdb


class Reader(Protocol):
    """Reads one file; the keywords are given where the file itself does not say."""

    def __call__(
        self,
        path: Path,
        *,
        sampling_rate: float | None = None,
        leads: Sequence[str] | None = None,
        unit: str | None = None,
    ) -> EcgRecord:
        """Return the recording, float32 (leads, samples) in mV."""


READERS: dict[str, Reader] = {
    ".hea": read_wfdb,
    ".dat": read_wfdb,
    ".npy": read_numpy,
    ".csv": read_csv,
}


def read_ecg(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read one recording, in the format that the file's suffix names.

    Args:
        path: the file; a WFDB record may be named without suffix.
        sampling_rate: in Hz, where the file does not state it.
        leads: name of each lead, where the file does not state them.
        unit: ``"mV"``, ``"uV"`` or ``"V"``, where the file does not state it.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if the format is unknown, the file is damaged, or something that the file does not
            state was not given, or given and stated by the file.
    """
    file = Path(path).expanduser()
    reader = READERS.get(file.suffix.lower())
    if reader is None and file.with_name(file.name + ".hea").is_file():
        reader = read_wfdb
    if reader is None:
        raise EcgFormatError(
            f"{file}: no reader for {file.suffix or 'a name without suffix'!r}; expected one of "
            f"{sorted(READERS)} or the name of a WFDB record without suffix"
        )
    if not file.exists() and reader is not read_wfdb:
        raise EcgFormatError(f"{file} does not exist")
    return reader(file, sampling_rate=sampling_rate, leads=leads, unit=unit)


__all__ = ["READERS", "Reader", "read_csv", "read_ecg", "read_numpy", "read_wfdb"]
