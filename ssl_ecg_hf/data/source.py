"""Where recordings come from: one name or folder in, splits with their description out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict

from .label_sets import LABEL_SETS, SUPERDIAGNOSTIC
from .loaders import divided, load_own_folder, load_ptbxl_folder, load_saved_dataset, load_simulated
from .recordings_table import TABLE
from .signals import numeric_column
from .splits import SHARES

SIMULATED = "simulated"
SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Splits of recordings and what is known about them.

    Args:
        splits: `train`, `validation` and `test` with the columns of `ecg_features`.
        class_names: one per column of `labels`.
        description: name, simulated or not, label set, split, records per split; goes into metrics.json.
        class_meanings: class -> what it stands for, where that is known.
    """

    splits: DatasetDict
    class_names: tuple[str, ...]
    description: dict[str, Any]
    class_meanings: Mapping[str, str] = field(default_factory=dict)


def _sampling_rate(splits: DatasetDict, *, otherwise: float) -> float:
    """Return the rate that the recordings state (Hz), else that of the arguments."""
    stated = {
        name: np.unique(numeric_column(split, "sampling_rate")).tolist()
        for name, split in splits.items()
        if "sampling_rate" in split.column_names and len(split)
    }
    rates = sorted({rate for found in stated.values() for rate in found})
    if len(rates) > 1:
        raise ValueError(f"the recordings have several sampling rates, {stated} Hz; resample them to one")
    return float(rates[0]) if rates else otherwise


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


def load_recordings(
    data: str,
    *,
    sampling_rate: int = 100,
    num_records: int = 1000,
    seed: int = 0,
    drop_bad: bool = False,
    cache_dir: str | None = None,
    class_names: tuple[str, ...] = (),
    label_set: str = SUPERDIAGNOSTIC,
    seconds: float = SECONDS,
    split_seed: int | None = None,
    split_shares: Sequence[float] = SHARES,
) -> Recordings:
    """Load recordings by name or folder.

    Args:
        data: `"simulated"`, a folder of PTB-XL in PhysioNet's layout, a folder of any recordings with a table
            `recordings.csv`, or a `DatasetDict` written by `save_to_disk` with the splits train, validation
            and test.
        sampling_rate: Hz, of PTB-XL, the simulator and of saved datasets without a column `sampling_rate`;
            recordings of a folder are resampled to it.
        num_records: records to simulate.
        seed: of the simulator.
        drop_bad: leave unreadable records out in place of an error.
        cache_dir: see `load_ptbxl`.
        class_names: names of the columns of `labels` of a saved dataset; label columns of `recordings.csv`.
        label_set: of PTB-XL, key of `LABEL_SETS`; of the simulator superdiagnostic or normal_abnormal.
        seconds: length that recordings of a folder are cropped or padded to.
        split_seed: pool the splits and divide the recordings anew by patient. On PTB-XL a seed divides alike
            whatever the label set: the prevalences of the five superclasses are kept. A folder whose table
            has neither `split` nor `fold` is always divided, by default with seed 0.
        split_shares: of train, validation and test where recordings are divided.

    Raises:
        ValueError: if `data` is none of these, splits or class names are missing, sampling rates differ, or
            an option does not apply to the data.
    """
    folder = Path(data)
    if data == SIMULATED:
        found = load_simulated(num_records, seed=seed, sampling_rate=sampling_rate, label_set=label_set)
    elif (folder / "ptbxl_database.csv").is_file() or (folder / "scp_statements.csv").is_file():
        found = load_ptbxl_folder(
            data, sampling_rate=sampling_rate, cache_dir=cache_dir, drop_bad=drop_bad, label_set=label_set
        )
    elif (folder / TABLE).is_file():
        found = load_own_folder(
            folder,
            class_names,
            sampling_rate=sampling_rate,
            seconds=seconds,
            cache_dir=cache_dir,
            drop_bad=drop_bad,
        )
    elif (folder / "dataset_dict.json").is_file():
        found = load_saved_dataset(data, class_names)
    else:
        raise ValueError(
            f"--data {data!r} is neither {SIMULATED!r}, nor a folder with ptbxl_database.csv or {TABLE}, nor "
            "a DatasetDict written by save_to_disk. Get PTB-XL with: ssl-ecg download ptbxl DEST"
        )
    if seconds != SECONDS and "seconds" not in found.description:
        raise ValueError(f"--seconds applies to a folder with {TABLE}; {data!r} has none")
    if label_set != found.description.get("label_set", SUPERDIAGNOSTIC):
        raise ValueError(f"--label_set {label_set!r} applies to PTB-XL; {data!r} has labels of its own")
    splits, division = divided(found, seed=split_seed, shares=split_shares)
    _check_class_names(splits, found.class_names, data)
    return Recordings(
        splits=splits,
        class_names=found.class_names,
        description={
            **found.description,
            **division,
            "sampling_rate": _sampling_rate(splits, otherwise=float(sampling_rate)),
            "records": {name: len(split) for name, split in splits.items()},
        },
        class_meanings=found.class_meanings,
    )


@dataclass
class DataArguments:
    """Which recordings are used."""

    data: str = field(
        default=SIMULATED,
        metadata={
            "help": "'simulated', a folder of PTB-XL, a folder of your recordings with a table "
            "recordings.csv, or a DatasetDict written by save_to_disk."
        },
    )
    sampling_rate: int = field(
        default=100, metadata={"help": "Hz: 100 or 500 for PTB-XL; what your recordings are resampled to."}
    )
    num_records: int = field(default=1000, metadata={"help": "Records to simulate."})
    simulation_seed: int = field(default=0, metadata={"help": "Seed of the simulator."})
    drop_bad: bool = field(default=False, metadata={"help": "Leave unreadable records out."})
    cache_dir: str | None = field(
        default=None, metadata={"help": "Default: $SSL_ECG_CACHE or ~/.cache/ssl_ecg_hf."}
    )
    class_names: list[str] = field(
        default_factory=list,
        metadata={"help": "Names of the label columns of a saved dataset or of recordings.csv."},
    )
    label_set: str = field(
        default=SUPERDIAGNOSTIC, metadata={"help": f"Labels of PTB-XL: {', '.join(LABEL_SETS)}."}
    )
    seconds: float = field(
        default=SECONDS, metadata={"help": "Length that your recordings are cropped or padded to."}
    )
    split_seed: int | None = field(
        default=None,
        metadata={"help": "Pool all recordings and divide them anew by patient, at random with this seed."},
    )
    split_shares: list[float] = field(
        default_factory=lambda: list(SHARES),
        metadata={"help": "Shares of train, validation and test where recordings are divided."},
    )

    def load(self) -> Recordings:
        """Load the recordings.

        Raises:
            ValueError: see `load_recordings`.
        """
        return load_recordings(
            self.data,
            sampling_rate=self.sampling_rate,
            num_records=self.num_records,
            seed=self.simulation_seed,
            drop_bad=self.drop_bad,
            cache_dir=self.cache_dir,
            class_names=tuple(self.class_names),
            label_set=self.label_set,
            seconds=self.seconds,
            split_seed=self.split_seed,
            split_shares=tuple(self.split_shares),
        )
