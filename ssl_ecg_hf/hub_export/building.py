"""The folder of an export appears only once it is complete and verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssl_ecg_hf.files import replacing_folder
from ssl_ecg_hf.hub_export.manifest import MANIFEST, ExportError, check_nothing_added, read_manifest


def _check_replaceable(output: Path) -> None:
    """Refuse a folder in which there is anything but an export."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    manifest = read_manifest(output / MANIFEST)
    if manifest is None:
        raise ExportError(f"{output} exists and was not written by an export; choose another folder")
    check_nothing_added(output, manifest)


@contextmanager
def building(output: Path) -> Iterator[Path]:
    """Give an empty folder beside ``output`` to write to; in the end it takes the place of ``output``.

    After an error it is removed, and ``output`` is as it was.

    Args:
        output: folder to write; an earlier export there is replaced, any other folder is left alone.

    Raises:
        ExportError: if ``output`` exists and is no export, or holds further files.
    """
    _check_replaceable(output)
    with replacing_folder(output) as new:
        yield new
