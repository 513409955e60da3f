"""What a repository on the Hub holds, and in what a folder differs from it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub.hf_api import RepoFile

from ssl_ecg_hf.hub_export.manifest import MANIFEST, RepoType, export_files, read_manifest

State = Literal["new", "changed", "unchanged", "deleted", "unknown"]

# Python files and shards of an older release would be loaded together with the new ones.
OURS: dict[RepoType, str] = {"model": r"[^/]+\.py", "dataset": r"data/[^/]+\.parquet"}


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What a release does to one file.

    Args:
        path: in the repository.
        size: in bytes; of a deleted file that on the Hub.
        state: against the Hub; unknown where it could not be asked.
    """

    path: str
    size: int
    state: State


def _holds(remote: RepoFile, content: bytes) -> bool:
    """Whether a file on the Hub has a content: large files are known by SHA-256, others by their Git blob."""
    if remote.lfs is not None:
        return bool(remote.lfs.sha256 == hashlib.sha256(content).hexdigest())
    return bool(remote.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())


def all_with_state(folder: Path, state: State) -> tuple[FileChange, ...]:
    """Return the files of a folder where there is nothing on the Hub to compare them with."""
    found = export_files(folder).items()
    return tuple(FileChange(path=name, size=path.stat().st_size, state=state) for name, path in found)


def differ(found: Sequence[FileChange]) -> bool:
    """Return whether there is anything to change."""
    return any(change.state != "unchanged" for change in found)


def changes(
    folder: Path, remote: Mapping[str, RepoFile], *, kind: RepoType, earlier: Sequence[str] = ()
) -> tuple[FileChange, ...]:
    """Compare a folder with a commit.

    Args:
        folder: what the repository shall hold.
        remote: files of the commit.
        kind: of the repository.
        earlier: files that an earlier release brought; those that the folder lacks are deleted, as are remote
            code and shards that it lacks. Any other file stays on the Hub.

    Returns:
        One change a file: those of the folder, then the deleted ones.
    """
    found = []
    for name, path in export_files(folder).items():
        content = path.read_bytes()
        state: State = "new"
        if name in remote:
            state = "unchanged" if _holds(remote[name], content) else "changed"
        found.append(FileChange(path=name, size=len(content), state=state))
    present = {change.path for change in found}
    stale = [name for name in sorted(remote) if name in earlier or re.fullmatch(OURS[kind], name)]
    found += [
        FileChange(path=name, size=remote[name].size, state="deleted")
        for name in stale
        if name not in present
    ]
    return tuple(found)


def earlier_files(manifest: Path) -> list[str]:
    """Return the files that an earlier release brought, by its manifest; none where that is not ours."""
    content = read_manifest(manifest)
    return [] if content is None else [MANIFEST, *content["sha256"]]
