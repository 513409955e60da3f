from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_ecg_hf.data.format16 import lead_order, parse_header, read_format16, to_microvolts
from ssl_ecg_hf.data.record import EcgFormatError

HEADER = """a 2 100 3
a.dat 16 1000.0(0)/mV 16 0 -119 1508 0 I
a.dat 16 200(10)/uV 16 0 -55 -1 0 AVR
# a comment
"""


def test_plain_header() -> None:
    header = parse_header(HEADER)
    assert header is not None
    assert header.file_name == "a.dat"
    assert (header.sampling_rate, header.num_samples) == (100.0, 3)
    assert header.leads == ("I", "AVR")
    assert header.units == ("mV", "uV")
    assert header.gains == (1000.0, 200.0)
    assert header.baselines == (0, 10)
    assert header.checksums == (1508, 65535)


def test_baseline_falls_back_to_the_adc_zero_and_the_unit_to_millivolts() -> None:
    header = parse_header("a 1 500.5 3 10:00:00 1/2/1990\na.dat 16 400 12 7 0 0 0 lead I\n")
    assert header is not None
    assert (header.baselines, header.units, header.leads) == ((7,), ("mV",), ("lead I",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a 2 100 3\n",
        "a 2 100 3\na.dat 16 1000.0(0)/mV 16 0 0 0 0 I\n",
        "a/2 2 100 3\n",
        HEADER.replace("a.dat 16 1000", "a.dat 212 1000"),
        HEADER.replace("a.dat 16 1000", "a.dat 16+24 1000"),
        HEADER.replace("a.dat 16 1000", "a.dat 16x2 1000"),
        HEADER.replace("a.dat 16 1000", "b.dat 16 1000"),
        HEADER.replace("a.dat", "../a.dat"),
        HEADER.replace("1000.0(0)", "0(0)"),
        HEADER.replace("1000.0(0)", "-1000.0(0)"),
        HEADER.replace("100 3", "100/10 3"),
        "garbage\x00\xff\n" * 5,
    ],
)
def test_anything_else_is_left_to_the_complete_reader(text: str) -> None:
    assert parse_header(text) is None


def test_leads_are_found_by_name() -> None:
    assert lead_order(("V1", "avl", "I"), ("I", "aVL")) == (2, 1)
    with pytest.raises(EcgFormatError, match=r"\['II'\] are missing"):
        lead_order(("I", "V1"), ("I", "II"))
    with pytest.raises(EcgFormatError, match=r"\['aVR'\] are missing or occur more than once"):
        lead_order(("aVR", "AVR"), ("aVR",))


def test_microvolts_from_gain_and_baseline() -> None:
    adc = np.array([[0, 200, -200], [10, 12, 8]], dtype=np.int16)
    values = to_microvolts(adc, np.array([0.2, 0.5]), np.array([0, 10]))
    assert values.dtype == np.int16
    assert values.tolist() == [[0, 1000, -1000], [0, 4, -4]]


@pytest.mark.parametrize(("value", "message"), [(-32768, "1 samples are marked invalid"), (20000, "40.0 mV")])
def test_what_microvolts_cannot_hold_is_refused(value: int, message: str) -> None:
    with pytest.raises(EcgFormatError, match=message):
        to_microvolts(np.array([[value]], dtype=np.int16), np.array([0.5]), np.array([0]))


def write(folder: Path, adc: np.ndarray, *, unit: str = "mV", checksum: int | None = None) -> Path:
    sums = adc.astype(int).sum(axis=0)
    first = sums[0] if checksum is None else checksum
    path = folder / "a.hea"
    path.write_text(
        f"a 2 100 {len(adc)}\n"
        f"a.dat 16 1000(0)/{unit} 16 0 {adc[0, 0]} {first} 0 II\n"
        f"a.dat 16 1000(0)/{unit} 16 0 {adc[0, 1]} {sums[1] % 65536} 0 I\n"
    )
    (folder / "a.dat").write_bytes(adc.astype("<i2").tobytes())
    return path


def read(path: Path) -> np.ndarray:
    header = parse_header(path.read_text())
    assert header is not None
    return read_format16(header, path, ("I", "II"))


def test_file_is_read_in_the_order_of_the_asked_leads(tmp_path: Path) -> None:
    assert read(write(tmp_path, np.array([[1, -20], [3, 40]]))).tolist() == [[-20, 40], [1, 3]]


def test_negative_checksum_of_older_files_is_the_same_number(tmp_path: Path) -> None:
    path = write(tmp_path, np.array([[-5, 1], [-6, 2]]), checksum=-11)
    assert read(path)[1].tolist() == [-5, -6]


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match=r"checksum of a.dat does not match in lead\(s\) II$"):
        read(write(tmp_path, np.array([[1, 2], [3, 4]]), checksum=5))
    with pytest.raises(EcgFormatError, match=r"unit \['mmHg'\] is no voltage"):
        read(write(tmp_path, np.array([[1, 2]]), unit="mmHg"))
    path = write(tmp_path, np.array([[1, 2], [3, 4]]))
    (tmp_path / "a.dat").write_bytes(b"\x00" * 7)
    with pytest.raises(EcgFormatError, match="truncated: 7 bytes, expected 8"):
        read(path)
    (tmp_path / "a.dat").write_bytes(b"\x00" * 10)
    with pytest.raises(EcgFormatError, match="longer than its header says: 10 bytes, expected 8"):
        read(path)
