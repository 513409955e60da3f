"""The kinds of recordings that `load_recordings` knows, each with its classes and description."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, load_from_disk
from numpy.typing import NDArray

from .divide import check_apart, divide, divide_anew, held_out, knows_patients
from .label_sets import (
    NORMAL_ABNORMAL,
    NORMAL_ABNORMAL_OF_SUPERCLASSES,
    SUPERDIAGNOSTIC,
    normal_or_abnormal,
)
from .labels import SUPERCLASS_MEANINGS
from .ptbxl import default_cache_dir, load_ptbxl, ptbxl_label_set, relabel_ptbxl
from .recordings_folder import divide_by_table, load_recordings_folder
from .recordings_table import TABLE, read_recordings_table
from .simulator import simulate_dataset
from .splits import SHARES

PTBXL_RECORDS = {"train": ("folds 1-8", 17_418), "validation": ("fold 9", 2_183), "test": ("fold 10", 2_198)}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Recordings as their source has them.

    Args:
        class_names: one per column of `labels`.
        description: what is known of them.
        splits: train, validation and test; None where the source does not divide them.
        pool: all of them, where the source has them in one.
        pool_strata: (recordings of the pool, any), labels whose prevalence is kept where it is divided.
        strata: `splits` with the labels whose prevalence is kept where they are divided anew, if others.
        class_meanings: class -> what it stands for, where that is known.
    """

    class_names: tuple[str, ...]
    description: dict[str, Any]
    splits: DatasetDict | None
    pool: Dataset | None = None
    pool_strata: NDArray[np.int8] | None = None
    strata: DatasetDict | None = None
    class_meanings: Mapping[str, str] = field(default_factory=dict)


def load_simulated(num_records: int, *, seed: int, sampling_rate: int, label_set: str) -> Loaded:
    """Simulate recordings; they have the superclasses, or normal against abnormal."""
    if label_set not in {SUPERDIAGNOSTIC, NORMAL_ABNORMAL}:
        raise ValueError(
            f"--label_set {label_set!r}: simulated recordings have superclasses and nothing finer; choose "
            f"{SUPERDIAGNOSTIC!r} or {NORMAL_ABNORMAL!r}"
        )
    splits = simulate_dataset(num_records, seed=seed, sampling_rate=float(sampling_rate))
    two = label_set == NORMAL_ABNORMAL
    meanings = NORMAL_ABNORMAL_OF_SUPERCLASSES.meanings if two else SUPERCLASS_MEANINGS
    return Loaded(
        splits=normal_or_abnormal(splits) if two else splits,
        strata=splits,
        class_names=tuple(meanings),
        class_meanings=meanings,
        description={"name": "ECG simulator", "simulated": True, "seed": seed, "label_set": label_set},
    )


def load_ptbxl_folder(
    data: str, *, sampling_rate: int, cache_dir: str | None, drop_bad: bool, label_set: str
) -> Loaded:
    """Load PTB-XL; the prevalences of the superclasses are kept where it is divided anew."""
    splits = load_ptbxl(data, sampling_rate=sampling_rate, cache_dir=cache_dir, drop_bad=drop_bad)
    classes = ptbxl_label_set(data, label_set)
    database = (Path(data) / "ptbxl_database.csv").read_bytes()
    return Loaded(
        splits=splits if label_set == SUPERDIAGNOSTIC else relabel_ptbxl(splits, data, classes),
        strata=splits,
        class_names=classes.class_names,
        class_meanings=classes.meanings,
        description={
            "name": "PTB-XL",
            "public": "ptb-xl",
            "simulated": False,
            "database_sha256": hashlib.sha256(database).hexdigest(),
            "label_set": label_set,
            "split": "folds 1-8 train, 9 validation, 10 test",
            "note": _completeness(splits),
        },
    )


def _completeness(splits: DatasetDict) -> str:
    """Say how much of PTB-XL 1.0.3 is there; earlier versions had more records."""
    if any(len(splits[name]) > whole for name, (_, whole) in PTBXL_RECORDS.items()):
        counts = [f"{len(splits[name]):,} records of {folds}" for name, (folds, _) in PTBXL_RECORDS.items()]
        return f"PTB-XL in another version than 1.0.3: {', '.join(counts)}."
    parts = [
        f"{len(splits[name]):,} of the {whole:,} records of {folds}"
        for name, (folds, whole) in PTBXL_RECORDS.items()
    ]
    return "PTB-XL 1.0.3: " + ", ".join(parts) + "."


def load_own_folder(
    folder: Path,
    class_names: tuple[str, ...],
    *,
    sampling_rate: int,
    seconds: float,
    cache_dir: str | None,
    drop_bad: bool,
) -> Loaded:
    """Load a folder of recordings with a table."""
    table = read_recordings_table(folder / TABLE, class_names=class_names)
    pool = load_recordings_folder(
        folder,
        table,
        sampling_rate=float(sampling_rate),
        seconds=seconds,
        cache_dir=default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser(),
        drop_bad=drop_bad,
    )
    description: dict[str, Any] = {
        "name": folder.resolve().name,
        "simulated": False,
        "table_sha256": hashlib.sha256((folder / TABLE).read_bytes()).hexdigest(),
        "seconds": seconds,
    }
    if len(pool) < len(table.rows):
        description["note"] = f"{len(pool):,} of the {len(table.rows):,} recordings of {TABLE}."
    splits = None
    if table.split_column is not None:
        splits = divide_by_table(pool, table)
        description |= {"split": f"column {table.split_column!r} of {TABLE}", "held_out": held_out(splits)}
    return Loaded(
        splits=splits,
        pool=pool,
        pool_strata=table.strata[[number - 1 for number in pool["ecg_id"]]],
        class_names=table.class_names,
        description=description,
    )


def load_saved_dataset(folder: str, class_names: tuple[str, ...]) -> Loaded:
    """Load a `DatasetDict` that `save_to_disk` wrote."""
    try:
        splits = load_from_disk(folder)
    except (OSError, ValueError, LookupError) as error:  # `datasets` cannot load an empty split
        raise ValueError(
            f"the dataset in {folder!r} cannot be loaded ({error}): it is damaged or a split is empty; write "
            "it again with save_to_disk, with recordings in every split"
        ) from error
    if missing := [name for name in ("train", "validation", "test") if name not in splits]:
        raise ValueError(f"the dataset in {folder!r} has splits {sorted(splits)}; missing: {missing}")
    description = {"name": Path(folder).resolve().name, "simulated": False, "held_out": held_out(splits)}
    return Loaded(splits=splits, class_names=class_names, description=description)


def divided(
    found: Loaded, *, seed: int | None, shares: Sequence[float]
) -> tuple[DatasetDict, dict[str, Any]]:
    """Return the splits of recordings, and what their description must say of the division.

    Args:
        found: the recordings.
        seed: divide them anew with it; None: only where their source does not, with seed 0.
        shares: of train, validation and test.

    Raises:
        ValueError: if shares are given for recordings that stay as they are divided, or do not fit, or their
            splits share patients.
    """
    if seed is None and found.splits is not None:
        if tuple(shares) != SHARES:
            raise ValueError(
                f"--split_shares {list(shares)} has no effect on recordings that are divided already; give "
                "--split_seed to divide them anew"
            )
        check_apart(found.splits)
        return found.splits, {}
    seed = seed or 0
    if found.pool is not None:
        splits = divide(found.pool, shares=shares, seed=seed, strata=found.pool_strata)
    else:
        assert found.splits is not None
        splits = divide_anew(found.splits, shares=shares, seed=seed, strata=found.strata)
    parts = "/".join(f"{100 * share:g}" for share in shares)
    by = "patient" if knows_patients(splits["train"]) else "recording, since no patient is known"
    text = f"{parts} % of all recordings by {by}, seed {seed}"
    return splits, {
        "split": text,
        "split_seed": seed,
        "split_shares": list(shares),
        "held_out": held_out(splits),
    }
