"""Folders of Arrow files that are built once, whole or not at all, and memory-mapped afterwards."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from itertools import chain, count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

MANIFEST = "manifest.json"
BAD_RECORDS = "bad_records.txt"


class ArrowCache(NamedTuple):
    """A cache that is there whole: its folder and what is noted in it."""

    folder: Path
    notes: dict[str, Any]


def open_cache(
    cache: Path, write: Callable[[Path], Mapping[str, Any]], read_again: Callable[[str], str | None]
) -> ArrowCache:
    """Build a cache unless it is there whole, and return it.

    Several processes may call this at once: one builds, the others wait. The cache appears under its name
    by a rename, complete, and stays as it is: others may have it open.

    Recordings that could not be read are tried again: a missing module, missing rights or a failing disk are
    no part of what the name of the cache is made from. If one can be read by now, another is built beside it,
    with ``-2`` at the end of its name, and so on.

    Args:
        cache: folder of the cache; its name should carry a hash of all that it is built from.
        write: writes ``*.arrow`` files into an empty folder and returns notes, plain JSON values; under
            ``"bad"`` pairs of file and reason of every recording left out.
        read_again: returns why the recording of this file still cannot be read, None where it can.

    Returns:
        The newest cache; its notes have the reasons of now.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    found, _ = _look(cache, read_again)
    if found is None:
        with FileLock(cache.with_name(f"{cache.name}.lock")):
            found, place = _look(cache, read_again)  # another process may have built it meanwhile
            if found is None:
                found = ArrowCache(place, _build(place, write))
    return found


def _look(cache: Path, read_again: Callable[[str], str | None]) -> tuple[ArrowCache | None, Path]:
    """Return the newest cache, None if it will not do, and the folder where one that does belongs."""
    names = chain([cache], (cache.with_name(f"{cache.name}-{number}") for number in count(2)))
    newest, following = next(pair for pair in pairwise(names) if not pair[1].exists())
    notes = _whole_notes(newest)
    if notes is None:
        return None, newest
    reasons = [(file, read_again(file)) for file, _ in notes["bad"]]
    if any(reason is None for _, reason in reasons):
        return None, following
    return ArrowCache(newest, {**notes, "bad": reasons}), newest


def _whole_notes(cache: Path) -> dict[str, Any] | None:
    """Return the notes of a cache; None where it is not whole."""
    try:
        notes: dict[str, Any] = json.loads((cache / MANIFEST).read_text(encoding="utf-8"))
        whole = all((cache / name).stat().st_size == size for name, size in notes["bytes"].items())
    except (OSError, ValueError, KeyError):
        return None
    return notes if whole else None


def _build(cache: Path, write: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    for leftover in (cache, *cache.parent.glob(f"{cache.name}.*.tmp")):  # of an interrupted build
        shutil.rmtree(leftover, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=f"{cache.name}.", suffix=".tmp", dir=cache.parent))
    try:
        notes = write(building)
        lines = [f"{file}\t{reason}\n" for file, reason in notes["bad"]]
        # Names of files may hold bytes that are no text.
        (building / BAD_RECORDS).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
        sizes = {path.name: path.stat().st_size for path in sorted(building.glob("*.arrow"))}
        manifest = {"bytes": sizes, **notes}
        (building / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        building.rename(cache)
        return manifest
    finally:
        shutil.rmtree(building, ignore_errors=True)
