"""``export.json``: marks a folder as a verified export, tells its kind and whether it was changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ssl_ecg_hf.files import write_json

MANIFEST = "export.json"
SCHEMA = 1
DATASET = "dataset"
"""The kind of an export of recordings; all other kinds are models."""

RepoType = Literal["model", "dataset"]


class ExportError(ValueError):
    """A checkpoint cannot be exported, or a folder is not a verified export; the message says what to do."""


def export_files(folder: Path) -> dict[str, Path]:
    """Return the files of an export by their names in it.

    Byte code is no part of it: Python leaves some beside a handler that was tried.
    """
    names = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name.as_posix(): path for name, path in names.items() if "__pycache__" not in name.parts}


def _digests(folder: Path) -> dict[str, str]:
    files = export_files(folder).items()
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files if name != MANIFEST}


def write_manifest(folder: Path, information: Mapping[str, Any]) -> None:
    """Write ``export.json``: ``information`` and the SHA-256 of every other file of the folder."""
    write_json(folder / MANIFEST, {"schema": SCHEMA, **information, "sha256": _digests(folder)})


def repo_type(manifest: Mapping[str, Any]) -> RepoType:
    """Return which type of repository of the Hub an export goes to.

    Example:
        >>> repo_type({"kind": "classifier"})
        'model'
    """
    return "dataset" if manifest["kind"] == DATASET else "model"


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the content of an ``export.json``; None where there is none, or somebody else's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(content, dict) and content.get("schema") == SCHEMA
    return content if ours and isinstance(content.get("sha256"), dict) else None


def check_nothing_added(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that an export holds no files but its own.

    Args:
        folder: the export.
        manifest: content of its ``export.json``.

    Raises:
        ExportError: if there are others, the history of a Git clone for instance.
    """
    added = sorted(set(export_files(folder)) - {MANIFEST, *manifest["sha256"]})
    if added:
        names = ", ".join(added[:3]) + (f" and {len(added) - 3} more file(s)" if len(added) > 3 else "")
        raise ExportError(
            f"{folder.name} holds {names}, which its export did not write; move what is not of the export "
            "elsewhere, or use another folder"
        )


def check_manifest(folder: Path) -> dict[str, Any]:
    """Check that every file of an export is as it was when the export was verified.

    Returns:
        The content of ``export.json``.

    Raises:
        ExportError: if the folder is no export, or files were changed, added or removed.
    """
    content = read_manifest(folder / MANIFEST)
    if content is None:
        raise ExportError(
            f"{folder.name} has no {MANIFEST} that an export wrote, so it is no verified export; write one "
            "with ssl-ecg export or export_dataset"
        )
    check_nothing_added(folder, content)
    recorded, present = content["sha256"], _digests(folder)
    if changed := sorted(name for name in recorded if recorded[name] != present.get(name)):
        raise ExportError(f"{', '.join(changed)} changed since {folder.name} was verified; export it again")
    return content
