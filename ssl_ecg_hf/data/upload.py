"""From files that somebody sent to a recording; the copies are gone when it is read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .readers import read_ecg
from .record import EcgFormatError, EcgRecord

MAX_BYTES = 64 << 20
"""Of all files of an upload together."""

MAX_FILES = 4
"""A WFDB record in two data files, its header, and one to spare."""

MAX_SECONDS = 3600.0
"""Length of a recording: an hour is 720 windows of ten seconds."""


def _check_sizes(paths: Sequence[Path]) -> None:
    if not paths:
        raise EcgFormatError("there is no file; drop a recording")
    if len(paths) > MAX_FILES:
        raise EcgFormatError(
            f"{len(paths)} files; expected one recording: one file, or the header and the data of a WFDB "
            "record"
        )
    if (size := sum(path.stat().st_size for path in paths)) > MAX_BYTES:
        raise EcgFormatError(
            f"{size / 2**20:.0f} MiB; {MAX_BYTES >> 20} MiB are taken here, use ssl-ecg predict for larger "
            "files"
        )


def _main_file(paths: Sequence[Path]) -> Path:
    """The file that names the recording."""
    if len(paths) == 1:
        return paths[0]
    headers = [path for path in paths if path.suffix.lower() == ".hea"]
    if len(headers) != 1:
        raise EcgFormatError(
            f"{len(paths)} files ({', '.join(path.name for path in paths)}) with {len(headers)} WFDB headers "
            "(.hea); expected one recording: one file, or one header and its data"
        )
    return headers[0]


def read_upload(
    paths: Sequence[str | Path],
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | str | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read the recording that one or several uploaded files make.

    Args:
        paths: the files, in any folders: one, or the header and the data of a WFDB record.
        sampling_rate: in Hz, where the file does not state it.
        leads: name of each lead, or ``"standard"``, where the file does not state them.
        unit: ``"mV"``, ``"uV"`` or ``"V"``, where the file does not state it.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: as of ``read_ecg``, or if it is too large, too long, or not one recording. The message
            names files without their folders.
    """
    files = [Path(path) for path in paths]
    _check_sizes(files)
    with tempfile.TemporaryDirectory(prefix="ecg-") as name:
        # Sent files may lie in a folder each, but a WFDB header looks for its data beside it.
        folder = Path(name)
        copies = [Path(shutil.copyfile(file, folder / file.name)) for file in files]
        try:
            record = read_ecg(_main_file(copies), sampling_rate=sampling_rate, leads=leads, unit=unit)
        except EcgFormatError as error:
            raise EcgFormatError(str(error).replace(f"{folder}{os.sep}", "")) from None
    if record.duration > MAX_SECONDS:
        raise EcgFormatError(
            f"the recording lasts {record.duration / 60:.0f} minutes; {MAX_SECONDS / 60:g} are taken here, "
            "use ssl-ecg predict for longer ones"
        )
    return record
