"""One reader a file format; a new format is one file here and one line in ``READERS``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..record import STANDARD_LEADS, EcgFormatError, EcgRecord
from .csv_reader import read_csv
from .numpy_reader import read_numpy
from .wfdb_reader import read_wfdb


class Reader(Protocol):
    """Reads one file; the keywords are given where the file itself does not say.

    Errors say what is wrong, not in which file: :func:`read_ecg` does.
    """

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
    leads: Sequence[str] | str | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read one recording, in the format that the file's suffix names.

    Args:
        path: the file; a WFDB record may be named without suffix.
        sampling_rate: in Hz, where the file does not state it.
        leads: name of each lead, or ``"standard"`` for I, II, III, aVR, aVL, aVF, V1..V6, where the file does
            not state them.
        unit: ``"mV"``, ``"uV"`` or ``"V"``, where the file does not state it.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if the format is unknown, the file is damaged, or something that the file does not
            state was not given, or given and stated by the file. The message begins with the path.
    """
    file = Path(path).expanduser()
    try:
        reader = _reader_of(file)
        return reader(file, sampling_rate=sampling_rate, leads=_lead_names(leads), unit=unit)
    except EcgFormatError as error:
        raise EcgFormatError(f"{file}: {error}") from error
    except OSError as error:
        raise EcgFormatError(f"{file}: cannot be opened: {error.strerror}") from error


def _reader_of(file: Path) -> Reader:
    reader = READERS.get(file.suffix.lower())
    if reader is None and file.with_name(file.name + ".hea").is_file():
        reader = read_wfdb
    if reader is not read_wfdb and not file.exists():
        raise EcgFormatError("this file does not exist; check the path")
    if reader is None:
        raise EcgFormatError(
            f"no reader for {repr(file.suffix) if file.suffix else 'a name without suffix'}; expected one of "
            f"{sorted(READERS)} or the name of a WFDB record without suffix"
        )
    return reader


def _lead_names(leads: Sequence[str] | str | None) -> Sequence[str] | None:
    if isinstance(leads, str):
        if leads != "standard":
            raise EcgFormatError(f"leads={leads!r}; expected a list of names, or 'standard'")
        return STANDARD_LEADS
    return leads


__all__ = ["READERS", "Reader", "read_csv", "read_ecg", "read_numpy", "read_wfdb"]
