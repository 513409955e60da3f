from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, concatenate_datasets

from ssl_ecg_hf.data import SUPERCLASS_MEANINGS, SUPERCLASSES, dataset_labels
from ssl_ecg_hf.data.source import DataArguments, load_recordings
from ssl_ecg_hf.evaluation.recipe import check_same_split


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
        "label_set": "superdiagnostic",
        "sampling_rate": 50.0,
        "records": counts,
    }
    assert set(recordings.splits["train"]["sampling_rate"]) == {50.0}
    assert dict(recordings.class_meanings) == SUPERCLASS_MEANINGS


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
        "held_out": {},
        "sampling_rate": 257.0,
        "records": {"train": 4, "validation": 4, "test": 4},
    }


def test_without_a_column_the_stated_rate_counts(tmp_path: Path) -> None:
    recordings = load_recordings(save(tmp_path / "mine"), sampling_rate=500)
    assert recordings.description["sampling_rate"] == 500.0
    assert recordings.class_names == ()


def test_mixed_rates_are_refused(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", sampling_rate=[100.0, 500.0, 100.0, 100.0])
    with pytest.raises(
        ValueError, match=r"several sampling rates, .*'test': \[100.0, 500.0\].* Hz; resample them"
    ):
        load_recordings(data)


def test_splits_that_share_patients_are_refused_unless_they_are_divided_anew(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", patient_id=[1, 2, 3, None])
    with pytest.raises(ValueError, match=r"3 patients are in train and in validation \(patient_id 1, 2, 3\)"):
        load_recordings(data)
    anew = load_recordings(data, split_seed=0, split_shares=(0.5, 0.25, 0.25)).splits
    assert sum(len(split) for split in anew.values()) == 12
    lost = load_recordings(save(tmp_path / "lost", patient_id=[float("nan")] * 4)).splits
    assert len(lost["train"]) == 4


def test_a_saved_dataset_remembers_what_it_held_out(tmp_path: Path) -> None:
    first = load_recordings(save(tmp_path / "a" / "mine", ecg_id=[1, 2, 3, 4])).description
    second = load_recordings(save(tmp_path / "b" / "mine", ecg_id=[1, 2, 3, 5])).description
    recipe = {"stage": "finetune", "dataset": first, "parent": None}
    check_same_split(recipe, first)
    with pytest.raises(ValueError, match=r"validation and test of mine hold other recordings than when"):
        check_same_split(recipe, second)


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
    assert recordings.description["public"] == "ptb-xl"
    assert recordings.description["simulated"] is False
    assert recordings.description["sampling_rate"] == 100.0
    database = (folder / "ptbxl_database.csv").read_bytes()
    assert recordings.description["database_sha256"] == hashlib.sha256(database).hexdigest()
    assert sum(recordings.description["records"].values()) == 20
    assert recordings.description["label_set"] == "superdiagnostic"
    assert recordings.description["split"] == "folds 1-8 train, 9 validation, 10 test"


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    split = Dataset.from_dict({"signal": [[[0.5]]]})
    DatasetDict({"train": split, "validation": split.select([]), "test": split}).save_to_disk(
        tmp_path / "mine"
    )
    with pytest.raises(ValueError, match=r"mine' cannot be loaded .*a split is empty"):
        load_recordings(str(tmp_path / "mine"))


def test_simulated_recordings_are_normal_or_abnormal() -> None:
    both = load_recordings("simulated", num_records=60, sampling_rate=50, label_set="normal_abnormal")
    five = load_recordings("simulated", num_records=60, sampling_rate=50)
    assert both.class_names == ("NORM", "ABNORMAL")
    assert both.description["label_set"] == "normal_abnormal"
    for name, split in both.splits.items():
        superclasses = dataset_labels(five.splits[name])
        abnormal = superclasses[:, 1:].any(axis=1)
        normal = superclasses[:, 0].astype(bool) & ~abnormal
        assert dataset_labels(split).tolist() == np.column_stack([normal, abnormal]).astype(int).tolist()
        assert split["ecg_id"][:] == five.splits[name]["ecg_id"][:]


def test_label_sets_belong_to_ptbxl(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--label_set 'rhythm': simulated recordings have superclasses"):
        load_recordings("simulated", num_records=20, label_set="rhythm")
    with pytest.raises(ValueError, match=r"--label_set 'form' applies to PTB-XL; .* has labels of its own"):
        load_recordings(save(tmp_path / "mine"), label_set="form")


def test_a_label_set_of_ptbxl_names_its_classes(make_ptbxl: Callable[..., Any], tmp_path: Path) -> None:
    folder, cache = make_ptbxl().folder, str(tmp_path / "cache")
    recordings = load_recordings(str(folder), cache_dir=cache, label_set="form")
    assert recordings.class_names == ("NDT", "DIG", "ABQRS")
    assert recordings.class_meanings["ABQRS"] == "abnormal QRS"
    assert recordings.description["label_set"] == "form"


def pooled(recordings: Any, column: str) -> list[Any]:
    return [value for split in recordings.splits.values() for value in split[column]]


def test_a_seed_divides_all_recordings_anew_by_patient() -> None:
    def load(seed: int | None, **options: Any) -> Any:
        return load_recordings("simulated", num_records=100, sampling_rate=50, split_seed=seed, **options)

    fixed, first, again, second = load(None), load(0), load(0), load(1)
    assert sorted(pooled(first, "ecg_id")) == sorted(pooled(fixed, "ecg_id"))
    assert pooled(first, "ecg_id") == pooled(again, "ecg_id") != pooled(second, "ecg_id")
    patients = [set(split["patient_id"]) for split in first.splits.values()]
    assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]
    assert first.description["split"] == "80/10/10 % of all recordings by patient, seed 0"
    assert (first.description["split_seed"], first.description["split_shares"]) == (0, [0.8, 0.1, 0.1])
    halves = load(0, split_shares=(0.5, 0.25, 0.25))
    assert 45 <= halves.description["records"]["train"] <= 55
    assert halves.description["split"].startswith("50/25/25 %")


def test_a_seed_divides_alike_whatever_the_labels_are() -> None:
    five, two = (
        load_recordings("simulated", num_records=100, sampling_rate=50, split_seed=3, label_set=name)
        for name in ("superdiagnostic", "normal_abnormal")
    )
    assert pooled(five, "ecg_id") == pooled(two, "ecg_id")


def test_without_patients_recordings_are_divided(tmp_path: Path) -> None:
    data = save(tmp_path / "mine", labels=[[0, 1]] * 4, ecg_id=[1, 2, 3, 4])
    recordings = load_recordings(data, class_names=("A", "B"), split_seed=0)
    assert recordings.description["split"] == (
        "80/10/10 % of all recordings by recording, since no patient is known, seed 0"
    )
    assert recordings.description["records"] == {"train": 10, "validation": 1, "test": 1}


def test_options_without_effect_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--split_shares .* has no effect .* give --split_seed"):
        load_recordings("simulated", num_records=20, split_shares=(0.6, 0.2, 0.2))
    with pytest.raises(ValueError, match=r"--seconds applies to a folder with recordings.csv; 'simulated'"):
        load_recordings("simulated", num_records=20, seconds=5.0)
    with pytest.raises(
        ValueError, match=r"shares=\(0.5, 0.5\); expected those of train, validation and test"
    ):
        load_recordings("simulated", num_records=20, split_seed=0, split_shares=(0.5, 0.5))


@pytest.mark.real_data
def test_dividing_real_recordings_keeps_patients_and_prevalences(real_ptbxl: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"cache_dir": str(tmp_path), "split_seed": 0}
    fixed = load_recordings(str(real_ptbxl), cache_dir=str(tmp_path))
    two = load_recordings(str(real_ptbxl), label_set="normal_abnormal", **options)
    five = load_recordings(str(real_ptbxl), **options)
    assert pooled(two, "ecg_id") == pooled(five, "ecg_id")
    assert sorted(pooled(five, "ecg_id")) == sorted(pooled(fixed, "ecg_id"))
    owner = {
        patient: name
        for name, split in five.splits.items()
        for patient in split["patient_id"]
        if patient is not None
    }
    for name, split in five.splits.items():
        assert {owner[patient] for patient in split["patient_id"] if patient is not None} == {name}
    whole = dataset_labels(concatenate_datasets(list(five.splits.values()))).mean(axis=0)
    assert np.abs(dataset_labels(five.splits["test"]).mean(axis=0) - whole).max() < 0.02
