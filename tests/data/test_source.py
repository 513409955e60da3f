from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.data.source import DataArguments, load_recordings


def save(folder: Path, *, splits: tuple[str, ...] = ("train", "validation", "test"), **columns: Any) -> str:
    split = Dataset.from_dict({"signal": [[[0.5, 1.0]]] * 4, **columns})
    DatasetDict(dict.fromkeys(splits, split)).save_to_disk(folder)
    return str(folder)


def test_simulated_recordings_describe_themselves() -> None:
    recordings = load_recordings("simulated", num_records=20, seed=3, sampling_rate=50)
    assert recordings.class_names == SUPERCLASSES
    counts = {name: len(split) for name, split in recordings.splits.items()}
    assert sum(counts.values()) == 20
    assert recordings.description == {
        "name": "ECG simulator",
        "simulated": True,
        "seed": 3,
        "sampling_rate": 50.0,
        "records": counts,
    }
    assert set(recordings.splits["train"]["sampling_rate"]) == {50.0}


def test_arguments_reach_the_loader() -> None:
    arguments = DataArguments(num_records=20, simulation_seed=3, sampling_rate=50)
    found, expected = arguments.load(), load_recordings("simulated", num_records=20, seed=3, sampling_rate=50)
    assert found.description == expected.description
    assert found.splits["test"]["signal_uv"] == expected.splits["test"]["signal_uv"]


def test_a_saved_dataset_states_its_own_rate(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", labels=[[0, 1]] * 4, sampling_rate=[257.0] * 4)
    recordings = load_recordings(data, class_names=("A", "B"))
    assert recordings.class_names == ("A", "B")
    assert recordings.description == {
        "name": "mine",
        "simulated": False,
        "sampling_rate": 257.0,
        "records": {"train": 4, "validation": 4, "test": 4},
    }


def test_without_a_column_the_stated_rate_counts(tmp_path: Path) -> None:
    recordings = load_recordings(save(tmp_path / "mine"), sampling_rate=500)
    assert recordings.description["sampling_rate"] == 500.0
    assert recordings.class_names == ()


def test_mixed_rates_are_refused(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", sampling_rate=[100.0, 500.0, 100.0, 100.0])
    with pytest.raises(ValueError, match=r"mixes sampling rates \[100.0, 500.0\] Hz; resample it"):
        load_recordings(data)


@pytest.mark.parametrize("names", [(), ("A",), ("A", "B", "C")])
def test_every_label_column_needs_a_name(names: tuple[str, ...], tmp_path: Path) -> None:
    data = save(tmp_path / "mine", labels=[[0, 1]] * 4)
    with pytest.raises(
        ValueError, match=rf"has 2 columns, {len(names)} class names are known.*--class_names"
    ):
        load_recordings(data, class_names=names)


def test_every_split_is_needed(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", splits=("train", "test"))
    with pytest.raises(ValueError, match=r"has splits \['test', 'train'\]; missing: \['validation'\]"):
        load_recordings(data)


def test_what_is_no_data_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"neither 'simulated', nor a folder with ptbxl_database.csv.*download"
    ):
        load_recordings(str(tmp_path))


def test_ptbxl_is_recognised_and_fingerprinted(make_ptbxl: Callable[..., Any], tmp_path: Path) -> None:
    folder = make_ptbxl().folder
    recordings = load_recordings(str(folder), cache_dir=str(tmp_path / "cache"))
    assert recordings.class_names == SUPERCLASSES
    assert recordings.description["name"] == "PTB-XL"
    assert recordings.description["simulated"] is False
    assert recordings.description["sampling_rate"] == 100.0
    database = (folder / "ptbxl_database.csv").read_bytes()
    assert recordings.description["database_sha256"] == hashlib.sha256(database).hexdigest()
    assert sum(recordings.description["records"].values()) == 20


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    split = Dataset.from_dict({"signal": [[[0.5]]]})
    DatasetDict({"train": split, "validation": split.select([]), "test": split}).save_to_disk(
        tmp_path / "mine"
    )
    with pytest.raises(ValueError, match=r"mine' cannot be loaded .*a split is empty"):
        load_recordings(str(tmp_path / "mine"))
