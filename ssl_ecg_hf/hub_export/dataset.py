"""From recordings to a folder of parquet shards with a card, which `datasets` loads and streams."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
from datasets import Array2D, Dataset, DatasetInfo, List, SplitDict, SplitInfo, Value

from ssl_ecg_hf._version import __version__
from ssl_ecg_hf.data.record import STANDARD_LEADS
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.data.source import Recordings
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.files import write_json
from ssl_ecg_hf.hub_export.building import building
from ssl_ecg_hf.hub_export.export import LICENSE
from ssl_ecg_hf.hub_export.manifest import DATASET, ExportError, write_manifest
from ssl_ecg_hf.hub_export.verify import verify_dataset
from ssl_ecg_hf.model_card.dataset_card import render_dataset_card
from ssl_ecg_hf.model_card.datasets import public_dataset

DESCRIPTION = "recordings.json"
SHARD_BYTES = 100_000_000  # of signals, before compression
ROW_GROUP_BYTES = 8_000_000  # what a stream fetches before its first recording


def _licence(recordings: Recordings, given: str | None) -> str:
    """Return the licence of an export as the Hub names it."""
    name = recordings.description["name"]
    if recordings.description["simulated"]:
        return given or "apache-2.0"
    if (known := public_dataset(recordings.description)) is not None:
        own = known.license.lower().replace(" ", "-")
        if given not in (None, own):
            raise ExportError(f"{name} has the licence {own}, it cannot be released as {given}")
        return own
    if given is None:
        raise ExportError(
            f"under which licence the recordings of {name!r} may be released is not known; if you may do so, "
            "name it with --license, e.g. cc-by-4.0"
        )
    return given


def _checked_shape(recordings: Recordings) -> tuple[int, int]:
    """Return the one shape (leads, samples) of all recordings."""
    if empty := [name for name, split in recordings.splits.items() if not len(split)]:
        raise ExportError(f"the splits {empty} hold no recordings; leave them out or divide anew")
    shapes = {SignalTable(split).signal_shape for split in recordings.splits.values()}
    if len(shapes) != 1:
        raise ExportError(f"the splits have recordings of different shapes: {sorted(shapes)}")
    leads, samples = shapes.pop()
    if leads != len(STANDARD_LEADS):
        raise ExportError(
            f"the recordings have {leads} leads without names; expected the 12 standard leads in the order "
            f"{', '.join(STANDARD_LEADS)}"
        )
    return leads, samples


def _write_shards(split: Dataset, name: str, folder: Path, *, shard_bytes: int) -> int:
    """Write one split; returns the bytes of its signals."""
    table = SignalTable(split)
    row_bytes = table[0][table.signal_name].nbytes
    shards = math.ceil(len(split) * row_bytes / shard_bytes)
    for index in range(shards):
        split.shard(shards, index, contiguous=True).to_parquet(
            folder / f"{name}-{index:05d}-of-{shards:05d}.parquet",
            batch_size=max(1, ROW_GROUP_BYTES // row_bytes),
        )
    return len(split) * row_bytes


def _counts(split: Dataset, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Count the recordings, the patients and the classes of a split."""
    labels = dataset_labels(split) if class_names else np.zeros((len(split), 0), dtype=np.int8)
    patients = None
    if "patient_id" in split.column_names:
        patients = len(set(split["patient_id"]) - {None}) or None
    return {
        "records": len(split),
        "patients": patients,
        "unlabelled": int((labels.sum(axis=1) == 0).sum()),
        "classes": {name: int(labels[:, column].sum()) for column, name in enumerate(class_names)},
    }


def _type_name(feature: Any) -> str:
    if isinstance(feature, Array2D):
        return f"{feature.dtype} {tuple(feature.shape)}"
    if isinstance(feature, List) and isinstance(feature.feature, Value):
        return f"{feature.feature.dtype}" + (f" ({feature.length},)" if feature.length > 0 else " list")
    return str(feature.dtype) if isinstance(feature, Value) else str(feature)


def _build(
    folder: Path,
    recordings: Recordings,
    *,
    repo_id: str,
    licence: str,
    licence_file: Path | None,
    shard_bytes: int,
) -> None:
    """Write every file, then verify."""
    splits, shape = recordings.splits, _checked_shape(recordings)
    features = next(iter(splits.values())).features
    labelled = "labels" in features
    meanings = {
        name: recordings.class_meanings.get(name, "") for name in (recordings.class_names if labelled else ())
    }
    (folder / "data").mkdir()
    sizes = {
        str(name): _write_shards(split, str(name), folder / "data", shard_bytes=shard_bytes)
        for name, split in splits.items()
    }
    counts = {str(name): _counts(split, tuple(meanings)) for name, split in splits.items()}
    info = DatasetInfo(
        features=features,
        splits=SplitDict(
            {
                name: SplitInfo(name=name, num_bytes=sizes[name], num_examples=counts[name]["records"])
                for name in counts
            }
        ),
        download_size=sum(path.stat().st_size for path in (folder / "data").iterdir()),
        dataset_size=sum(sizes.values()),
    )
    facts = {
        "description": recordings.description,
        "class_meanings": meanings,
        "leads": list(STANDARD_LEADS),
        "licence": licence,
        "splits": counts,
    }
    write_json(folder / DESCRIPTION, facts)
    card = render_dataset_card(
        repo_id=repo_id,
        description=recordings.description,
        licence=licence,
        leads=STANDARD_LEADS,
        shape=shape,
        columns={name: _type_name(feature) for name, feature in features.items()},
        splits=counts,
        class_meanings=meanings,
        dataset_info=info._to_yaml_dict(),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    if licence_file is not None:
        shutil.copyfile(licence_file, folder / "LICENSE")
    report = verify_dataset(folder, splits)
    if not report.ok:
        raise ExportError(f"the export of {recordings.description['name']} cannot be loaded: {report}")
    information = {
        "kind": DATASET,
        "repo_id": repo_id,
        "verified": list(report.steps),
        "versions": {
            "ssl_ecg_hf": __version__,
            "datasets": datasets.__version__,
            "pyarrow": pyarrow.__version__,
        },
    }
    write_manifest(folder, information)


def export_dataset(
    recordings: Recordings,
    output: Path,
    *,
    repo_id: str,
    licence: str | None = None,
    licence_file: Path | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write recordings as a dataset for the Hub: parquet shards, card, description, manifest.

    The folder appears only once it is complete and a clean process has loaded it, whole and streamed. The
    same recordings give the same files with the same versions of this package, `datasets` and `pyarrow`.

    Args:
        recordings: with the 12 standard leads, in microvolts or millivolts.
        output: folder to write; an earlier export there is replaced, any other folder is left alone.
        repo_id: repository on the Hub, ``"user/name"``, that the card shall name.
        licence: as the Hub names it; must be given for recordings that are neither simulated nor a public
            database that the cards know. Whether you may release recordings of patients is yours to judge:
            every column that they have is written.
        licence_file: its text, if at hand.
        shard_bytes: signals a shard holds at most, before compression; one recording at least.

    Returns:
        ``output``.

    Raises:
        ExportError: if the licence or leads are not known, a split is empty, recordings differ in shape,
            ``output`` exists and is no export or holds further files, or the export cannot be loaded.
        ValueError: if ``repo_id`` or ``shard_bytes`` is not valid.

    Example:
        >>> from ssl_ecg_hf.data.source import load_recordings
        >>> export_dataset(
        ...     load_recordings("data/ptbxl"), Path("runs/ptbxl"), repo_id="user/ptb-xl"
        ... )  # doctest: +SKIP
        PosixPath('runs/ptbxl')
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
        raise ValueError(f"repo_id {repo_id!r} is not valid; expected owner/name")
    if shard_bytes < 1:
        raise ValueError(f"shard_bytes={shard_bytes} must be at least 1")
    chosen = _licence(recordings, licence)
    if licence_file is None and recordings.description["simulated"] and chosen == "apache-2.0":
        licence_file = LICENSE
    with building(output) as folder:
        _build(
            folder,
            recordings,
            repo_id=repo_id,
            licence=chosen,
            licence_file=licence_file,
            shard_bytes=shard_bytes,
        )
    return output
