from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ssl_ecg_hf.data import STANDARD_LEADS, EcgFormatError, read_upload, upload


def write_wfdb(folder: Path) -> tuple[Path, Path]:
    signal = np.random.default_rng(0).normal(0, 0.5, (1000, 12))
    wfdb.wrsamp(
        "rec",
        fs=100,
        units=["mV"] * 12,
        sig_name=list(STANDARD_LEADS),
        p_signal=signal,
        write_dir=str(folder),
    )
    return folder / "rec.hea", folder / "rec.dat"


def test_header_and_data_of_a_record_may_lie_in_different_folders(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    header, data = write_wfdb(tmp_path / "a")
    moved = data.rename(tmp_path / "b" / data.name)
    record = read_upload([moved, header])
    assert record.source.format == "WFDB"
    assert record.leads == STANDARD_LEADS
    with pytest.raises(EcgFormatError, match=r"^rec\.hea: .*rec\.dat"):
        read_upload([header])


def test_what_is_not_one_recording_is_refused(
    write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = write_csv(name="a.csv"), write_csv(name="b.csv")
    with pytest.raises(EcgFormatError, match="there is no file"):
        read_upload([])
    with pytest.raises(EcgFormatError, match=r"2 files \(a\.csv, b\.csv\) with 0 WFDB headers"):
        read_upload([one, other])
    with pytest.raises(EcgFormatError, match="5 files; expected one recording"):
        read_upload([one] * 5)
    monkeypatch.setattr(upload, "MAX_SECONDS", 5.0)
    with pytest.raises(EcgFormatError, match=r"lasts 0 minutes; 0\.0833333 are taken here"):
        read_upload([one])
    monkeypatch.setattr(upload, "MAX_BYTES", 1 << 10)
    with pytest.raises(EcgFormatError, match="0 MiB are taken here"):
        read_upload([one])


def test_errors_name_the_file_without_its_folder_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    np.save(tmp_path / "a.npy", np.zeros((12, 1000)))
    with pytest.raises(EcgFormatError, match=r"^a\.npy: .*sampling rate") as caught:
        read_upload([tmp_path / "a.npy"])
    assert str(tmp_path) not in str(caught.value)
    assert list(scratch.iterdir()) == []
