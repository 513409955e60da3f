"""Folders of Arrow files that are built once, whole or not at all, and memory-mapped afterwards."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

MANIFEST = "manifest.json"
BAD_RECORDS = "bad_records.txt"


def open_cache(
    cache: Path, write: Callable[[Path], Mapping[str, Any]], read_again: Callable[[str], str | None]
) -> dict[str, Any]:
    """Build a cache unless it is there whole, and return what is noted in it.

    Several processes may call this at once: one builds, the others wait. The cache appears under its name
    by a rename, complete.

    Recordings that could not be read are tried again: a missing module, missing rights or a failing disk are
    no part of what the name of the cache is made from. If one can be read by now, the cache is built anew.

    Args:
        cache: folder of the cache; its name should carry a hash of all that it is built from.
        write: writes ``*.arrow`` files into an empty folder and returns notes, plain JSON values; under
            ``"bad"`` pairs of file and reason of every recording left out.
        read_again: returns why the recording of this file still cannot be read, None where it can.

    Returns:
        The notes, with the reasons of now.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    notes = _current_notes(cache, read_again)
    if notes is None:
        with FileLock(cache.with_name(f"{cache.name}.lock")):
            notes = _current_notes(cache, read_again)  # of another process that was building
            if notes is None:
                notes = _build(cache, write)
    return notes


def _current_notes(cache: Path, read_again: Callable[[str], str | None]) -> dict[str, Any] | None:
    """Return the notes; None where the cache is not whole, or lacks a recording that can be read by now."""
    try:
        notes = json.loads((cache / MANIFEST).read_text(encoding="utf-8"))
        whole = all((cache / name).stat().st_size == size for name, size in notes["bytes"].items())
    except (OSError, ValueError, KeyError):
        return None
    if not whole:
        return None
    bad = []
    for file, _ in notes["bad"]:
        if (reason := read_again(file)) is None:
            return None
        bad.append((file, reason))
    return {**notes, "bad": bad}


def _build(cache: Path, write: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    for leftover in (cache, *cache.parent.glob(f"{cache.name}.*.tmp")):  # of an interrupted build
        shutil.rmtree(leftover, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=f"{cache.name}.", suffix=".tmp", dir=cache.parent))
    try:
        notes = write(building)
        lines = [f"{file}\t{reason}\n" for file, reason in notes["bad"]]
        (building / BAD_RECORDS).write_text("".join(lines), encoding="utf-8")
        sizes = {path.name: path.stat().st_size for path in sorted(building.glob("*.arrow"))}
        manifest = {"bytes": sizes, **notes}
        (building / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        building.rename(cache)
        return manifest
    finally:
        shutil.rmtree(building, ignore_errors=True)
