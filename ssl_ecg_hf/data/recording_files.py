"""Which files one recording consists of: WFDB divides them, and one record then has several names."""

from __future__ import annotations

import os
from pathlib import Path

from .readers.wfdb_reader import first_words, header_of

_NO_SEGMENT = "~"  # stands for a gap


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files of a recording, first the one that stands for it.

    Args:
        path: any file, or a WFDB record by its header, a signal file or without suffix.

    Returns:
        ``path`` itself, or of a WFDB record its header and all that it names, segments included. What is
        missing is named all the same.

    Example:
        >>> [file.name for file in files_of(Path("a/recording.edf"))]
        ['recording.edf']
    """
    header = _header_of_record(path)
    return (path,) if header is None else tuple(_of_header(header, depth=2))


def _header_of_record(path: Path) -> Path | None:
    """Return the header of a WFDB record, None for other files, also those beside one."""
    header = header_of(path)
    if not header.is_file():
        return None
    alone = path != header and path.is_file()
    return None if alone and path.name not in {file.name for file in _of_header(header, depth=2)} else header


def _of_header(header: Path, *, depth: int) -> list[Path]:
    """Return a header, the signal files that it names, or the same of its segments."""
    found = [header]
    try:
        stated = first_words(header)
    except OSError:  # reading will say so
        return found
    names = dict.fromkeys(name for name in stated[1:] if name != _NO_SEGMENT)
    for name in names:
        if "/" not in stated[0]:
            found.append(header.with_name(name))
        elif depth:
            found += _of_header(header.with_name(f"{name}.hea"), depth=depth - 1)
    return found


def identity(path: Path) -> tuple[int, int] | str:
    """Return what two names of one recording have in common: links, spellings, parts of a WFDB record."""
    first = _header_of_record(path) or path
    try:
        state = first.stat()
    except OSError:
        return os.path.normpath(first)
    return state.st_dev, state.st_ino
