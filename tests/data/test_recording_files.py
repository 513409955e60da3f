from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_ecg_hf.data.recording_files import files_of, identity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    headers = {
        "plain": "plain 2 100 1000\nother.dat 16 200 16 0 0 0 0 I\nother.dat 16 200 16 0 0 0 0 II\n# 63\n",
        "long": "long/3 2 100 2000\nplain 1000\n~ 500\nlost 500\n",
        "loop": "loop/1 2 100 1000\nloop 1000\n",
    }
    for name, text in headers.items():
        (tmp_path / f"{name}.hea").write_text(text)
    for name in ("other.dat", "plain.csv", "alone.edf"):
        (tmp_path / name).write_bytes(b"0")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alone.edf", ["alone.edf"]),
        ("missing.edf", ["missing.edf"]),
        ("plain.csv", ["plain.csv"]),  # lies beside a record of that name, and is none of its files
        ("plain.hea", ["plain.hea", "other.dat"]),
        ("plain", ["plain.hea", "other.dat"]),
        ("long.hea", ["long.hea", "plain.hea", "other.dat", "lost.hea"]),
        ("loop", ["loop.hea", "loop.hea", "loop.hea"]),
    ],
)
def test_files_of_a_recording(name: str, expected: list[str], folder: Path) -> None:
    assert [path.name for path in files_of(folder / name)] == expected


def test_names_of_one_recording(folder: Path) -> None:
    (folder / "x").mkdir()
    os.link(folder / "alone.edf", folder / "again.edf")
    (folder / "link.hea").symlink_to(folder / "plain.hea")
    same = [
        identity(folder / name) for name in ("plain", "plain.hea", "x/../plain", "./plain.hea", "link.hea")
    ]
    assert len(set(same)) == 1
    assert identity(folder / "alone.edf") == identity(folder / "again.edf") != same[0]
    assert identity(folder / "x/../none") == identity(folder / "none") != identity(folder / "nobody")
