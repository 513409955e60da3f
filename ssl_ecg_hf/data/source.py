"""Where recordings come from: one name or folder in, splits with their description out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, load_from_disk

from .labels import SUPERCLASSES
from .ptbxl import load_ptbxl
from .signals import numeric_column
from .simulator import simulate_dataset

SIMULATED = "simulated"
PTBXL_RECORDS = {"train": ("folds 1-8", 17_418), "validation": ("fold 9", 2_183), "test": ("fold 10", 2_198)}


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Splits of recordings and what is known about them.

    Args:
        splits: `train`, `validation` and `test` with the columns of `ecg_features`.
        class_names: one per column of `labels`.
        description: name, simulated or not, records per split, version: goes into every metrics.json.
    """

    splits: DatasetDict
    class_names: tuple[str, ...]
    description: dict[str, Any]


def load_recordings(
    data: str,
    *,
    sampling_rate: int = 100,
    num_records: int = 1000,
    seed: int = 0,
    drop_bad: bool = False,
    cache_dir: str | None = None,
    class_names: tuple[str, ...] = (),
) -> Recordings:
    """Load recordings by name or folder.

    Args:
        data: `"simulated"`, a folder of PTB-XL in PhysioNet's layout, or a `DatasetDict` written by
            `save_to_disk` with the splits train, validation and test.
        sampling_rate: Hz, of PTB-XL, the simulator and of saved datasets without a column `sampling_rate`.
        num_records: records to simulate.
        seed: of the simulator.
        drop_bad: leave unreadable records of PTB-XL out in place of an error.
        cache_dir: see `load_ptbxl`.
        class_names: names of the columns of `labels` of a saved dataset.

    Raises:
        ValueError: if `data` is none of these, splits or class names are missing, or sampling rates differ.
    """
    if data == SIMULATED:
        splits = simulate_dataset(num_records, seed=seed, sampling_rate=float(sampling_rate))
        description = {"name": "ECG simulator", "simulated": True, "seed": seed}
        class_names = SUPERCLASSES
    elif (Path(data) / "ptbxl_database.csv").is_file() or (Path(data) / "scp_statements.csv").is_file():
        splits = load_ptbxl(data, sampling_rate=sampling_rate, cache_dir=cache_dir, drop_bad=drop_bad)
        database = (Path(data) / "ptbxl_database.csv").read_bytes()
        description = {
            "name": "PTB-XL",
            "simulated": False,
            "database_sha256": hashlib.sha256(database).hexdigest(),
            "split": "folds 1-8 train, 9 validation, 10 test",
            "note": _completeness(splits),
        }
        class_names = SUPERCLASSES
    elif (Path(data) / "dataset_dict.json").is_file():
        splits = _saved_dataset(data)
        description = {"name": Path(data).name, "simulated": False}
    else:
        raise ValueError(
            f"--data {data!r} is neither {SIMULATED!r}, nor a folder with ptbxl_database.csv, nor a "
            "DatasetDict written by save_to_disk. Get PTB-XL with: ssl-ecg download ptbxl DEST"
        )
    if missing := [name for name in ("train", "validation", "test") if name not in splits]:
        raise ValueError(f"the dataset in {data!r} has splits {sorted(splits)}; missing: {missing}")
    _check_class_names(splits, class_names, data)
    description["sampling_rate"] = _sampling_rate(splits["train"], otherwise=float(sampling_rate))
    description["records"] = {name: len(split) for name, split in splits.items()}
    return Recordings(splits=splits, class_names=tuple(class_names), description=description)


def _saved_dataset(folder: str) -> DatasetDict:
    try:
        return load_from_disk(folder)
    except (OSError, ValueError, LookupError) as error:  # `datasets` cannot load an empty split
        raise ValueError(
            f"the dataset in {folder!r} cannot be loaded ({error}): it is damaged or a split is empty; write "
            "it again with save_to_disk, with recordings in every split"
        ) from error


def _completeness(splits: DatasetDict) -> str:
    """Say how much of PTB-XL 1.0.3 is there."""
    parts = [
        f"{len(splits[name]):,} of the {whole:,} records of {folds}"
        for name, (folds, whole) in PTBXL_RECORDS.items()
    ]
    return "PTB-XL 1.0.3: " + ", ".join(parts) + "."


def _sampling_rate(train: Dataset, *, otherwise: float) -> float:
    """Return the rate that the recordings state (Hz), else that of the arguments."""
    if "sampling_rate" not in train.column_names or not len(train):
        return otherwise
    rates = np.unique(numeric_column(train, "sampling_rate"))
    if len(rates) != 1:
        raise ValueError(f"the train split mixes sampling rates {rates[:5].tolist()} Hz; resample it to one")
    return float(rates[0])


def _check_class_names(splits: DatasetDict, class_names: tuple[str, ...], data: str) -> None:
    train = splits["train"]
    if "labels" not in train.column_names or not len(train):
        return
    columns = len(train[0]["labels"])
    if columns != len(class_names):
        raise ValueError(
            f"`labels` of {data!r} has {columns} columns, {len(class_names)} class names are known "
            f"({list(class_names)}); give one name per column with --class_names"
        )


@dataclass
class DataArguments:
    """Which recordings are used."""

    data: str = field(
        default=SIMULATED,
        metadata={"help": "'simulated', a folder of PTB-XL, or a DatasetDict written by save_to_disk."},
    )
    sampling_rate: int = field(default=100, metadata={"help": "Hz: 100 or 500 for PTB-XL."})
    num_records: int = field(default=1000, metadata={"help": "Records to simulate."})
    simulation_seed: int = field(default=0, metadata={"help": "Seed of the simulator."})
    drop_bad: bool = field(default=False, metadata={"help": "Leave unreadable records out."})
    cache_dir: str | None = field(
        default=None, metadata={"help": "Default: $SSL_ECG_CACHE or ~/.cache/ssl_ecg_hf."}
    )
    class_names: list[str] = field(
        default_factory=list, metadata={"help": "Names of the label columns of a saved dataset."}
    )

    def load(self) -> Recordings:
        """Load the recordings."""
        return load_recordings(
            self.data,
            sampling_rate=self.sampling_rate,
            num_records=self.num_records,
            seed=self.simulation_seed,
            drop_bad=self.drop_bad,
            cache_dir=self.cache_dir,
            class_names=tuple(self.class_names),
        )
