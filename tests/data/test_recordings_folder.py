from __future__ import annotations

import csv
import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ssl_ecg_hf.data import STANDARD_LEADS, SignalTable, dataset_labels, labelled, load_ptbxl
from ssl_ecg_hf.data import recordings_folder as module
from ssl_ecg_hf.data.divide import held_out
from ssl_ecg_hf.data.readers import read_ecg
from ssl_ecg_hf.data.record import EcgFormatError, EcgRecord
from ssl_ecg_hf.data.source import Recordings, load_recordings
from ssl_ecg_hf.evaluation.recipe import check_same_split


def wave(number: int, *, rate: int = 100, seconds: float = 10.0) -> NDArray[np.float64]:
    """(12, samples) in mV: each lead a sine of its own, below 3 Hz."""
    time = np.arange(round(rate * seconds)) / rate
    return np.stack([np.sin(2 * np.pi * (1 + lead / 12) * time + number) for lead in range(12)])


class Folder:
    """A folder of recordings in two formats; recording k has class A if k is odd, B in the first half."""

    def __init__(self, path: Path, count: int = 20) -> None:
        self.path = path
        path.mkdir()
        self.rows: list[dict[str, Any]] = []
        for number in range(count):
            row: dict[str, Any] = {
                "file": f"{number}.csv", "patient_id": f"P{number // 2}", "age": 40 + number, "sex": "f",
                "A": number % 2, "B": int(number < count / 2), "sampling_rate": "", "leads": "", "unit": "",
            }  # fmt: skip
            if number % 3:
                row |= {"file": f"{number}.npy", "sampling_rate": 500, "leads": "standard", "unit": "uV"}
                np.save(path / row["file"], np.rint(1000 * wave(number, rate=500)).astype(np.int16))
            else:
                self.write_csv(row["file"], wave(number))
            self.rows.append(row)
        self.write()

    def write_csv(self, name: str, signal: NDArray[Any], leads: Sequence[str] = STANDARD_LEADS) -> None:
        with (self.path / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time", *(f"{lead}_mV" for lead in leads)])
            writer.writerows([[f"{k / 100:.2f}", *sample] for k, sample in enumerate(signal.T)])

    def write(self) -> None:
        with (self.path / "recordings.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)

    def load(self, **options: Any) -> Recordings:
        return load_recordings(str(self.path), cache_dir=str(self.path.parent / "cache"), **options)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mine")


def test_recordings_of_any_format_and_rate_are_made_alike(folder: Folder) -> None:
    recordings = folder.load()
    assert recordings.class_names == ("A", "B")
    assert recordings.description == {
        "name": "mine",
        "simulated": False,
        "table_sha256": recordings.description["table_sha256"],
        "seconds": 10.0,
        "split": "80/10/10 % of all recordings by patient, seed 0",
        "split_seed": 0,
        "split_shares": [0.8, 0.1, 0.1],
        "held_out": held_out(recordings.splits),
        "sampling_rate": 100.0,
        "records": {"train": 16, "validation": 2, "test": 2},
    }
    seen = []
    for split in recordings.splits.values():
        batch = SignalTable(split, columns=("ecg_id", "labels")).__getitems__(range(len(split)))
        assert batch["signal_uv"].dtype == np.int16
        for number, labels, signal, row in zip(
            batch["ecg_id"] - 1, batch["labels"], batch["signal_uv"], split, strict=True
        ):
            # The ends are less exact where it was resampled.
            assert np.abs(signal / 1000 - wave(number))[:, 40:-40].max() < 0.003
            assert labels.tolist() == [number % 2, int(number < 10)]
            assert (row["patient_id"], row["age"], row["sex"]) == (number // 2, 40 + number, "female")
            assert (row["sampling_rate"], row["file"]) == (100.0, folder.rows[number]["file"])
            seen.append(int(number))
    assert sorted(seen) == list(range(20))


def test_the_table_divides_if_it_says_how(folder: Folder) -> None:
    for number, row in enumerate(folder.rows):
        row["fold"] = number // 2 + 1
    folder.write()
    recordings = folder.load()
    assert recordings.description["split"] == "column 'fold' of recordings.csv"
    assert "split_seed" not in recordings.description
    assert [row + 1 for row in range(16)] == list(recordings.splits["train"]["ecg_id"])
    assert list(recordings.splits["test"]["ecg_id"]) == [19, 20]
    assert list(recordings.splits["test"]["fold"]) == [10, 10]
    anew = folder.load(split_seed=1, split_shares=(0.5, 0.25, 0.25))
    assert anew.description["split"] == "50/25/25 % of all recordings by patient, seed 1"
    assert anew.description["records"]["train"] == 10
    with pytest.raises(ValueError, match=r"--split_shares .* has no effect"):
        folder.load(split_shares=(0.5, 0.25, 0.25))


def test_signals_are_read_once_while_labels_may_change(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.load()

    def fail(*args: object, **options: object) -> None:
        raise AssertionError("a recording was read again")

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_ecg", fail)
        folder.rows[0]["A"] = 1
        folder.rows[0]["patient_id"] = "P99"
        folder.write()
        recordings = folder.load(class_names=("A",))
        labels = {
            ecg_id: label
            for split in recordings.splits.values()
            for ecg_id, label in zip(split["ecg_id"], dataset_labels(split).tolist(), strict=True)
        }
        assert (labels[1], labels[2], labels[3]) == ([1], [1], [0])
        with pytest.raises(AssertionError, match="read again"):
            folder.load(sampling_rate=250)
    folder.write_csv("0.csv", 0 * wave(0) + wave(7))
    changed = folder.load()
    found = {row["file"]: row["signal_uv"] for split in changed.splits.values() for row in split}
    assert np.array_equal(found["0.csv"], np.rint(1000 * wave(7)))


def test_bad_recordings_are_all_named_or_left_out(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    (folder.path / "3.csv").unlink()
    np.save(folder.path / "4.npy", np.zeros((3, 5000), dtype=np.int16))
    folder.rows[5]["unit"] = ""
    folder.write()
    with pytest.raises(ValueError, match=r"3 of 20 recordings in .* cannot be used") as failure:
        folder.load()
    for part in (
        "mine/3.csv: this file does not exist",
        "mine/4.npy: the array has shape (3, 5000) for 12 leads",
        "mine/5.npy: the file does not state its unit; give unit=",
        "continue without them: drop_bad=True (--drop_bad)",
    ):
        assert part in str(failure.value)
    with caplog.at_level(logging.WARNING):
        recordings = folder.load(drop_bad=True)
    assert "3 of 20 recordings" in caplog.text
    assert recordings.description["note"] == "17 of the 20 recordings of recordings.csv."
    assert sum(recordings.description["records"].values()) == 17
    numbers = {number for split in recordings.splits.values() for number in split["ecg_id"]}
    assert numbers == set(range(1, 21)) - {4, 5, 6}


def test_a_wrong_unit_is_a_bad_recording(folder: Folder) -> None:
    for number, row in enumerate(folder.rows):
        if row["file"].endswith(".npy"):
            np.save(folder.path / row["file"], wave(number, rate=500))  # mV
            row["unit"] = "mV" if number > 5 else "uV"
    folder.write()
    with pytest.raises(ValueError, match=r"4 of 20 recordings .* cannot be used") as failure:
        folder.load()
    assert re.search(r"mine/1\.npy: an amplitude of 0\.00\S+ mV by its unit \(uV\)", str(failure.value))
    assert "it looks like mV" in str(failure.value)


def test_failures_that_have_passed_are_forgotten(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, **options: object) -> EcgRecord:
        if path.name in broken:
            raise EcgFormatError(f"{path}: {broken[path.name]}")
        return read_ecg(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "read_ecg", fails)
    broken = {"0.csv": "is read by a module, which is missing", "1.npy": "cannot be opened"}
    with pytest.raises(ValueError, match=r"2 of 20 .*\n.*a module, which is missing"):
        folder.load()
    assert sum(folder.load(drop_bad=True).description["records"].values()) == 18
    broken = {"0.csv": "is damaged", "1.npy": "cannot be opened"}
    with pytest.raises(ValueError, match=r"2 of 20 .*\n.*0\.csv: is damaged"):
        folder.load()
    broken = {"0.csv": "is damaged"}
    assert sum(folder.load(drop_bad=True).description["records"].values()) == 19
    broken = {}
    assert sum(folder.load().description["records"].values()) == 20


def test_other_lengths_and_leads_are_said(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_csv("0.csv", wave(0, seconds=5.0))
    folder.write_csv("3.csv", wave(0, seconds=20.0))
    folder.write_csv("6.csv", wave(0)[:2], leads=("I", "II"))
    with caplog.at_level(logging.WARNING):
        folder.load()
    assert (
        "1 of 20 recordings: shorter than the length of all: padded with zeros at the end (the first: 0.csv)"
        in (caplog.text)
    )
    assert "longer than the length of all: only the middle is used (the first: 3.csv)" in caplog.text
    assert "are zero (the first: 6.csv)" in caplog.text
    caplog.clear()
    short = folder.load(seconds=5.0)
    assert short.splits["train"].features["signal_uv"].shape == (12, 500)
    assert "19 of 20 recordings: longer" in caplog.text


def test_without_labels_recordings_serve_pretraining(folder: Folder) -> None:
    for row in folder.rows:
        del row["A"], row["B"]
    folder.write()
    recordings = folder.load()
    assert recordings.class_names == ()
    assert "labels" not in recordings.splits["train"].column_names


def test_recordings_without_a_finding_are_labelled_and_those_without_labels_are_not(folder: Folder) -> None:
    for row in folder.rows[:6]:
        row |= {"A": 0, "B": 0}
    for row in folder.rows[6:9]:
        row |= {"A": "", "B": ""}
    folder.write()
    splits = folder.load().splits
    known = {row["file"]: row["A"] != "" for row in folder.rows}
    for split in splits.values():
        assert labelled(split)["file"] == [name for name in split["file"] if known[name]]
    assert sum(len(labelled(split)) for split in splits.values()) == 17


def test_the_division_is_that_of_all_label_columns(folder: Folder) -> None:
    whole, one = folder.load(), folder.load(class_names=("B",))
    assert one.class_names == ("B",)
    assert whole.description["held_out"] == one.description["held_out"]
    assert set(whole.description["held_out"]) == {"validation", "test"}
    for name, split in whole.splits.items():
        assert split["file"] == one.splits[name]["file"]


@pytest.mark.parametrize("column", [None, "split"])
def test_a_model_is_not_measured_on_recordings_that_were_moved(folder: Folder, column: str | None) -> None:
    for number, row in enumerate(folder.rows):
        row["split" if column else "note"] = (
            "train" if number < 12 else "validation" if number < 16 else "test"
        )
    folder.write()
    before = folder.load(class_names=("A", "B"))
    recipe = {"stage": "pretrain", "dataset": before.description, "parent": None}
    folder.rows.append({**folder.rows[0], "file": "more.npy", "patient_id": "P0"})
    np.save(folder.path / "more.npy", np.rint(1000 * wave(3, rate=500)).astype(np.int16))
    folder.rows[-1] |= {"sampling_rate": 500, "leads": "standard", "unit": "uV"}
    folder.write()
    if column:  # a recording more to train with moves no other
        check_same_split(recipe, folder.load(class_names=("A", "B")).description)
        for row in folder.rows[:2]:  # a patient
            row["split"] = "test"
        folder.rows[-1]["split"] = "test"
    else:
        folder.rows.extend(
            {**row, "file": f"x/{row['file']}", "patient_id": f"Q{k}"}
            for k, row in enumerate(folder.rows[:9])
        )
        (folder.path / "x").mkdir()
        for row in folder.rows[:9]:
            shutil.copyfile(folder.path / row["file"], folder.path / "x" / row["file"])
    folder.write()
    with pytest.raises(ValueError, match=r"test of .* hold other recordings than when the model was trained"):
        check_same_split(recipe, folder.load(class_names=("A", "B")).description)


def test_patients_keep_their_numbers_where_they_have_some(folder: Folder) -> None:
    for number, row in enumerate(folder.rows):
        row["patient_id"] = "" if number < 4 else f"{1000 + number // 2}.0"
    folder.write()
    found = {row["ecg_id"]: row["patient_id"] for split in folder.load().splits.values() for row in split}
    assert [found[number] for number in (1, 4, 5, 6, 20)] == [None, None, 1002, 1002, 1009]


def found_patients(folder: Folder) -> dict[int, int | None]:
    return {row["ecg_id"]: row["patient_id"] for split in folder.load().splits.values() for row in split}


@pytest.fixture
def stating(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], str | None]], None]:
    """Let the files state a patient."""

    def state(patient_of: Callable[[str], str | None]) -> None:
        def read(path: Path, **options: Any) -> EcgRecord:
            return replace(read_ecg(path, **options), patient_id=patient_of(path.stem))

        monkeypatch.setattr(module, "read_ecg", read)

    return state


def test_patients_that_the_files_name_count_where_the_table_is_silent(
    folder: Folder, stating: Callable[[Callable[[str], str | None]], None]
) -> None:
    for number, row in enumerate(folder.rows):
        row["patient_id"] = "7" if number == 0 else ""
    folder.write()
    stating(lambda stem: None if stem == "19" else f"Q{int(stem) // 2}")
    recordings = folder.load()
    assert recordings.description["split"] == "80/10/10 % of all recordings by patient, seed 0"
    assert found_patients(folder) == {1: 7, 2: 7, **{n: 8 + (n - 1) // 2 for n in range(3, 20)}, 20: None}
    of_split = [set(split["patient_id"]) - {None} for split in recordings.splits.values()]
    assert sum(map(len, of_split)) == 10
    for number, row in enumerate(folder.rows):
        row["split"] = "train" if number < 13 else "validation" if number < 17 else "test"
    folder.write()
    with pytest.raises(ValueError, match=r"1 patients are in train and in validation \(patient_id 14\)"):
        folder.load()


def test_one_patient_in_all_files_is_a_placeholder(
    folder: Folder, stating: Callable[[Callable[[str], str | None]], None], caplog: pytest.LogCaptureFixture
) -> None:
    for row in folder.rows:
        row["patient_id"] = ""
    folder.write()
    stating(lambda stem: "ECG ROOM 3")
    assert folder.load().description["split"].endswith("by recording, since no patient is known, seed 0")
    assert "name the same one: taken for a placeholder; say in the column patient_id" in caplog.text


def test_what_the_readers_say_is_passed_on(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(path: Path, **options: Any) -> EcgRecord:
        record = read_ecg(path, **options)
        notes = (f"{path.stem} rhythm series found; only the first is read",)
        dropped = ("RESP",) if path.stem == "4" else ()
        return replace(record, source=replace(record.source, notes=notes, dropped=dropped))

    monkeypatch.setattr(module, "read_ecg", read)
    folder.load()
    assert (
        "20 of 20 recordings: 0 rhythm series found; only the first is read (the first: 0.csv)" in caplog.text
    )
    assert "1 of 20 recordings: channels left out: RESP (the first: 4.npy)" in caplog.text


@pytest.mark.parametrize("name", ["record.hea", "record", "signals.dat"])
def test_a_signal_file_of_another_name_belongs_to_its_recording(name: str, folder: Folder) -> None:
    signal = np.rint(1000 * wave(3)).astype("<i2")
    lines = [
        f"signals.dat 16 1000 16 0 {row[0]} {row.sum(dtype=np.int16)} 0 {lead}"
        for lead, row in zip(STANDARD_LEADS, signal, strict=True)
    ]
    (folder.path / "record.hea").write_text("\n".join(["record 12 100 1000", *lines, ""]))
    signal.T.tofile(folder.path / "signals.dat")
    if name == "signals.dat":
        (folder.path / "record.hea").rename(folder.path / "signals.hea")
    folder.rows[0]["file"] = name
    folder.write()
    (row,) = [row for split in folder.load().splits.values() for row in split if row["ecg_id"] == 1]
    assert np.array_equal(row["signal_uv"], signal)
    signal[:, 1:] = signal[:, :0:-1].copy()  # with the same first values and checksums
    signal.T.tofile(folder.path / "signals.dat")
    (row,) = [row for split in folder.load().splits.values() for row in split if row["ecg_id"] == 1]
    assert np.array_equal(row["signal_uv"], signal)


def test_a_record_under_two_names_is_one(folder: Folder) -> None:
    (folder.path / "0.hea").write_text("0 1 100 1000\n0.dat 16 1000 16 0 0 0 0 I\n")
    (folder.path / "0.dat").write_bytes(bytes(2000))
    folder.rows[0]["file"], folder.rows[1]["file"] = "0.hea", "0.dat"
    folder.write()
    with pytest.raises(ValueError, match=r"line 3: 0.dat is the recording of line 2 \(0.hea\) already"):
        folder.load()


@pytest.mark.real_data
def test_ptbxl_as_a_folder_of_ones_own_has_the_same_signals(real_ptbxl: Path, tmp_path: Path) -> None:
    splits = load_ptbxl(real_ptbxl, cache_dir=tmp_path)
    kept = {name: split.select(range(12)) for name, split in splits.items()}
    folder = tmp_path / "mine"
    (folder / "records100").mkdir(parents=True)
    with (folder / "recordings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "split", "NORM"])
        for name, split in kept.items():
            for row in split:
                stem = real_ptbxl / f"records100/00000/{row['ecg_id']:05d}_lr"
                writer.writerow([stem if row["ecg_id"] % 2 else f"{stem}.hea", name, row["labels"][0]])
    found = load_recordings(str(folder), cache_dir=str(tmp_path)).splits
    for name, split in kept.items():
        rows = range(len(split))
        expected = SignalTable(split).__getitems__(rows)["signal_uv"]
        # A flat lead at another value than zero is a loose electrode, and becomes zero.
        expected = expected * (np.ptp(expected, axis=2, keepdims=True) > 0)
        assert np.array_equal(SignalTable(found[name]).__getitems__(rows)["signal_uv"], expected)
        assert list(found[name]["labels"]) == [labels[:1] for labels in split["labels"]]
