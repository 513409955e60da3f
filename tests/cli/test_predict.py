from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.cli.predict import read_all
from ssl_ecg_hf.data import read_ecg


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three recordings, the second one of no voltage."""
    for name, scale in (("a", 0.1), ("b", np.nan), ("c", 0.3)):
        np.save(tmp_path / f"{name}.npy", scale * np.ones((12, 50), dtype=np.float32))
    (tmp_path / "b.npy").write_bytes(b"no array")
    return [tmp_path / f"{name}.npy" for name in "abc"]


@pytest.mark.slow
def test_other_processes_read_what_this_one_reads(files: list[Path]) -> None:
    read = partial(read_ecg, sampling_rate=100, leads="standard", unit="mV")
    here, elsewhere = (list(read_all(files, read, workers=workers)) for workers in (0, 2))
    assert [path for path, _ in elsewhere] == [path for path, _ in here] == files
    assert isinstance(elsewhere[1][1], ValueError)
    assert str(elsewhere[1][1]) == str(here[1][1])
    for index in (0, 2):
        np.testing.assert_array_equal(elsewhere[index][1].signal, here[index][1].signal)


def test_workers_are_not_negative(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model", str(files[0]), "--workers", "-1"]) == 1
    assert "--workers -1 must be 0 (read in this process) or more" in capsys.readouterr().err
