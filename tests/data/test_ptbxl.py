from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.data import PtbxlError, SignalTable, default_cache_dir, labelled, load_ptbxl
from ssl_ecg_hf.data import ptbxl_cache as cache_module

MakePtbxl = Callable[..., Any]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def fake(ecg_id: int, samples: int = 1000) -> np.ndarray:
    """The signal that conftest writes, (12, samples) in microvolts."""
    return ecg_id * 100 + np.arange(12)[:, None] * 7 - np.arange(samples)[None, :] % 50


def signals(split: Any) -> dict[int, np.ndarray]:
    batch = SignalTable(split, columns=("ecg_id",)).__getitems__(range(len(split)))
    return dict(zip(batch["ecg_id"].tolist(), batch["signal_uv"], strict=True))


def test_splits_metadata_and_labels(make_ptbxl: MakePtbxl, cache: Path) -> None:
    data = load_ptbxl(make_ptbxl(20).folder, cache_dir=cache)
    assert list(data) == ["train", "validation", "test"]
    assert list(data["train"]["ecg_id"]) == [*range(1, 9), *range(11, 19)]
    assert list(data["validation"]["ecg_id"]) == [9, 19]
    assert list(data["test"]["ecg_id"]) == [10, 20]
    assert list(data["train"]["fold"])[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 1]
    rows = {row["ecg_id"]: row for row in data["train"].remove_columns("signal_uv")}
    assert rows[1] == {
        "labels": [0, 1, 1, 0, 0], "ecg_id": 1, "patient_id": 1000, "age": 41.0, "sex": "female",
        "fold": 1, "sampling_rate": 100.0,
    }  # fmt: skip
    assert rows[2]["labels"] == [0, 0, 0, 0, 0]
    assert rows[3]["labels"] == [0, 0, 0, 1, 1]
    assert rows[4]["labels"] == [1, 0, 0, 0, 0]
    assert rows[4]["sex"] == "male"
    assert rows[3]["age"] == 90.0  # 300 in the database: older than 89
    assert rows[4]["age"] is None
    assert rows[5]["sex"] is None
    assert rows[7]["patient_id"] is None
    assert data["test"].features["signal_uv"].shape == (12, 1000)


def test_signals_are_the_stored_microvolts(make_ptbxl: MakePtbxl, cache: Path) -> None:
    data = load_ptbxl(make_ptbxl(20).folder, cache_dir=cache)
    for split in data.values():
        for ecg_id, signal in signals(split).items():
            assert np.array_equal(signal, fake(ecg_id))


def test_500_hz(make_ptbxl: MakePtbxl, cache: Path) -> None:
    data = load_ptbxl(make_ptbxl(10, rate=500).folder, sampling_rate=500, cache_dir=cache)
    assert np.array_equal(signals(data["test"])[10], fake(10, 5000))
    assert data["test"][0]["sampling_rate"] == 500.0


def test_leads_are_ordered_by_name(make_ptbxl: MakePtbxl, cache: Path) -> None:
    database = make_ptbxl(10)
    order = [11, 3, 0, 5, 1, 2, 4, 6, 8, 7, 10, 9]
    stem = database.stem(1)
    lines = (stem.with_suffix(".hea")).read_text().splitlines()
    adc = fake(1).T.astype(np.int16)[:, order]
    database.write_record(1, adc, header="\n".join([lines[0], *(lines[1 + k] for k in order)]) + "\n")
    data = load_ptbxl(database.folder, cache_dir=cache)
    assert np.array_equal(signals(data["train"])[1], fake(1))


def test_other_layouts_go_through_wfdb(make_ptbxl: MakePtbxl, cache: Path) -> None:
    database = make_ptbxl(10)
    stem = database.stem(1)
    header = stem.with_suffix(".hea").read_text().replace(".dat 16 ", ".dat 16+4 ")
    database.write_record(1, fake(1).T, header=header)
    stem.with_suffix(".dat").write_bytes(b"\x00" * 4 + fake(1).T.astype("<i2").tobytes())
    assert np.array_equal(signals(load_ptbxl(database.folder, cache_dir=cache)["train"])[1], fake(1))


def test_unlabelled_recordings_stay_until_asked_to_go(make_ptbxl: MakePtbxl, cache: Path) -> None:
    train = load_ptbxl(make_ptbxl(20).folder, cache_dir=cache)["train"]
    assert len(train) == 16
    assert list(labelled(train)["ecg_id"]) == [1, 3, 4, 5, 7, 8, 11, 12, 13, 15, 16, 17]


def test_damaged_recordings_are_all_reported(
    make_ptbxl: MakePtbxl, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = make_ptbxl(20)
    database.stem(1).with_suffix(".dat").unlink()
    database.stem(2).with_suffix(".hea").unlink()
    truncated = database.stem(3).with_suffix(".dat")
    truncated.write_bytes(truncated.read_bytes()[:-100])
    changed = bytearray(database.stem(12).with_suffix(".dat").read_bytes())
    changed[24 * 5 + 2] ^= 1
    database.stem(12).with_suffix(".dat").write_bytes(changed)
    database.stem(14).with_suffix(".hea").write_text("not a header\n")
    database.write_record(9, fake(9)[:, :900].T.astype(np.int16))
    invalid = fake(10).T.astype(np.int16)
    invalid[7, 3] = -32768
    database.write_record(10, invalid)

    with pytest.raises(PtbxlError, match="7 of 20 recordings") as failure:
        load_ptbxl(database.folder, cache_dir=cache)
    message = str(failure.value)
    for part in (
        "records100/00000/00001_lr: 00001_lr.dat is missing",
        "records100/00000/00002_lr: 00002_lr.hea is missing",
        "records100/00000/00003_lr: 00003_lr.dat is truncated: 23900 bytes, expected 24000",
        "records100/00000/00012_lr: checksum of 00012_lr.dat does not match in lead(s) II",
        "records100/00000/00014_lr: ",
        "records100/00000/00009_lr: 900 samples at 100 Hz; expected 1000 at 100 Hz (10 s)",
        "records100/00000/00010_lr: 1 samples are marked invalid",
        "drop_bad=True (--drop_bad)",
    ):
        assert part in message
    report = Path(message.split("Full list: ")[1].splitlines()[0])
    assert len(report.read_text().splitlines()) == 7

    with caplog.at_level(logging.WARNING):
        data = load_ptbxl(database.folder, cache_dir=cache, drop_bad=True)
    assert "7 of 20 recordings" in caplog.text
    assert list(data["train"]["ecg_id"]) == [4, 5, 6, 7, 8, 11, 13, 15, 16, 17, 18]
    assert np.array_equal(signals(data["train"])[15], fake(15))
    assert list(data["validation"]["ecg_id"]) == [19]


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")]
)
def test_failures_that_have_passed_are_forgotten(
    make_ptbxl: MakePtbxl, cache: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    database = make_ptbxl(20)
    database.stem(2).with_suffix(".dat").unlink()
    read = cache_module._read_microvolts

    def fails(path: Path, sampling_rate: int) -> Any:
        if path.stem == "00003_lr":
            raise error
        return read(path, sampling_rate)

    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_read_microvolts", fails)
        with pytest.raises(PtbxlError, match=f"2 of 20 recordings[^$]*{error.strerror}"):
            load_ptbxl(database.folder, cache_dir=cache)
        assert 3 not in load_ptbxl(database.folder, cache_dir=cache, drop_bad=True)["train"]["ecg_id"]
    with pytest.raises(PtbxlError, match="1 of 20 recordings"):
        load_ptbxl(database.folder, cache_dir=cache)
    data = load_ptbxl(database.folder, cache_dir=cache, drop_bad=True)
    assert np.array_equal(signals(data["train"])[3], fake(3))


def test_only_the_first_twenty_are_printed(make_ptbxl: MakePtbxl, cache: Path) -> None:
    database = make_ptbxl(30)
    for ecg_id in range(1, 26):
        database.stem(ecg_id).with_suffix(".dat").unlink()
    with pytest.raises(PtbxlError, match="and 5 more") as failure:
        load_ptbxl(database.folder, cache_dir=cache)
    assert str(failure.value).count("is missing") == 20


def test_wrong_rate_of_the_whole_folder(make_ptbxl: MakePtbxl, cache: Path) -> None:
    with pytest.raises(PtbxlError, match="No recording at 500 Hz can be read"):
        load_ptbxl(make_ptbxl(10).folder, sampling_rate=500, cache_dir=cache, drop_bad=True)


def test_cache_is_used_again_without_the_signals(
    make_ptbxl: MakePtbxl, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_ptbxl(10).folder
    first = load_ptbxl(folder, cache_dir=cache)

    def fail(*args: object) -> None:
        raise AssertionError("recordings were read again")

    monkeypatch.setattr(cache_module, "_read_microvolts", fail)
    second = load_ptbxl(folder, cache_dir=cache)
    assert second["train"].cache_files == first["train"].cache_files
    assert len(list(cache.glob("ptbxl-100hz-*"))) == 2  # the cache and its lock


def test_cache_does_not_depend_on_the_place_of_the_folder(make_ptbxl: MakePtbxl, cache: Path) -> None:
    folder = make_ptbxl(10).folder
    first = load_ptbxl(folder, cache_dir=cache)
    moved = load_ptbxl(folder.rename(folder.with_name("moved")), cache_dir=cache)
    assert moved["train"].cache_files == first["train"].cache_files


def test_stale_cache_is_rebuilt(make_ptbxl: MakePtbxl, cache: Path) -> None:
    database = make_ptbxl(10)
    load_ptbxl(database.folder, cache_dir=cache)
    database.write_record(1, np.full((1000, 12), 5, dtype=np.int16))
    os.utime(database.stem(1).with_suffix(".dat"), ns=(1, 1))
    data = load_ptbxl(database.folder, cache_dir=cache)
    assert (signals(data["train"])[1] == 5).all()

    database.rows[1]["scp_codes"] = "{'LAFB': 100.0}"
    database.write_database()
    assert load_ptbxl(database.folder, cache_dir=cache)["train"][1]["labels"] == [0, 0, 0, 0, 1]


def test_damaged_cache_is_rebuilt(make_ptbxl: MakePtbxl, cache: Path) -> None:
    folder = make_ptbxl(10).folder
    path = Path(load_ptbxl(folder, cache_dir=cache)["train"].cache_files[0]["filename"])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert np.array_equal(signals(load_ptbxl(folder, cache_dir=cache)["train"])[8], fake(8))


def test_interrupted_build_leaves_nothing_behind(
    make_ptbxl: MakePtbxl, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_ptbxl(10).folder

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_record_batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_ptbxl(folder, cache_dir=cache)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert len(load_ptbxl(folder, cache_dir=cache)["train"]) == 8


def _load_and_hash(folder: str, cache: str, results: Any) -> None:
    data = load_ptbxl(folder, cache_dir=cache)
    path = Path(data["train"].cache_files[0]["filename"])
    results.put((str(path), hashlib.sha256(path.read_bytes()).hexdigest()))


@pytest.mark.slow
def test_two_processes_at_once(make_ptbxl: MakePtbxl, cache: Path) -> None:
    folder = make_ptbxl(40).folder
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_load_and_hash, args=(str(folder), str(cache), results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found[0] == found[1]
    assert not list(cache.glob("*.tmp"))


@pytest.mark.parametrize("column", ["patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr"])
def test_missing_column_is_named(make_ptbxl: MakePtbxl, cache: Path, column: str) -> None:
    database = make_ptbxl(10)
    for row in database.rows:
        del row[column]
    database.write_database()
    with pytest.raises(PtbxlError, match=rf"has no column \['{column}'\]"):
        load_ptbxl(database.folder, cache_dir=cache)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("ecg_id", "x", "line 4: could not convert"),
        ("ecg_id", "", "line 4: ecg_id is empty"),
        ("strat_fold", "11", "line 4: strat_fold '11' is not one of 1..10"),
        ("sex", "2", "line 4: sex '2' is neither 0"),
        ("patient_id", "1.5", "line 4: patient_id '1.5' is no whole number"),
        ("filename_lr", "../../etc/passwd", "line 4: filename_lr .* no path inside"),
        ("filename_lr", "", "line 4: filename_lr '' is no path inside"),
        ("scp_codes", "__import__('os')", "scp_codes of ecg_id 3 cannot be read"),
        ("scp_codes", "['NORM']", "scp_codes of ecg_id 3 are no mapping"),
    ],
)
def test_damaged_database_is_refused(
    make_ptbxl: MakePtbxl, cache: Path, column: str, value: str, message: str
) -> None:
    database = make_ptbxl(10)
    database.rows[2][column] = value
    database.write_database()
    with pytest.raises(PtbxlError, match=message):
        load_ptbxl(database.folder, cache_dir=cache)


def test_database_without_rows(make_ptbxl: MakePtbxl, cache: Path) -> None:
    database = make_ptbxl(10)
    path = database.folder / "ptbxl_database.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(PtbxlError, match="lists no recordings"):
        load_ptbxl(database.folder, cache_dir=cache)


@pytest.mark.parametrize("name", ["ptbxl_database.csv", "scp_statements.csv"])
def test_a_table_that_is_no_text_is_named(make_ptbxl: MakePtbxl, cache: Path, name: str) -> None:
    path = make_ptbxl(10).folder / name
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(ValueError, match=rf"{name} is no CSV table in UTF-8: .*; fetch it again"):
        load_ptbxl(path.parent, cache_dir=cache)


@pytest.mark.parametrize("name", ["ptbxl_database.csv", "scp_statements.csv"])
def test_missing_table_says_how_to_get_it(make_ptbxl: MakePtbxl, cache: Path, name: str) -> None:
    folder = make_ptbxl(10).folder
    (folder / name).unlink()
    with pytest.raises(PtbxlError, match=rf"{name} does not exist.*ssl-ecg download ptbxl DEST"):
        load_ptbxl(folder, cache_dir=cache)


def test_impossible_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sampling_rate=250 Hz; PTB-XL has \[100, 500\] Hz"):
        load_ptbxl(tmp_path, sampling_rate=250)
    with pytest.raises(ValueError, match="num_workers=0 must be at least 1"):
        load_ptbxl(tmp_path, num_workers=0)


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_ECG_CACHE", str(tmp_path / "x"))
    assert default_cache_dir() == tmp_path / "x"
    monkeypatch.setenv("SSL_ECG_CACHE", "")
    assert default_cache_dir() == Path.home() / ".cache" / "ssl_ecg_hf"


@pytest.mark.real_data
def test_real_records_agree_with_wfdb(real_ptbxl: Path, cache: Path) -> None:
    import wfdb

    data = load_ptbxl(real_ptbxl, cache_dir=cache)
    assert sum(len(split) for split in data.values()) > 900
    assert all(set(split["fold"]) <= folds for split, folds in zip(
        data.values(), ({1, 2, 3, 4, 5, 6, 7, 8}, {9}, {10}), strict=True
    ))  # fmt: skip
    for ecg_id, signal in list(signals(data["train"]).items())[::100]:
        stem = real_ptbxl / f"records100/{ecg_id // 1000 * 1000:05d}/{ecg_id:05d}_lr"
        physical, fields = wfdb.rdsamp(str(stem))
        assert fields["sig_name"][3] == "AVR"
        assert np.array_equal(np.rint(physical.T * 1000), signal)
    first = data["train"][0]
    assert (first["ecg_id"], first["patient_id"], first["age"], first["sex"]) == (1, 15709, 56.0, "female")
    assert first["labels"] == [1, 0, 0, 0, 0]
