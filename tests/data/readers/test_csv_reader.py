from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_ecg_hf.data import EcgFormatError, read_ecg
from ssl_ecg_hf.data.record import RecordSource


def write(folder: Path, text: str) -> Path:
    path = folder / "ecg.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rate_from_the_time_column_and_units_from_the_names(tmp_path: Path) -> None:
    text = "time_s,I_mV,V1_uV,avr_V\n0.000,0.5,100,0.001\n0.002,-0.5,200,0\n0.004,1,,0\n"
    record = read_ecg(write(tmp_path, text))
    assert record.sampling_rate == 500.0
    assert record.leads == ("I", "V1", "aVR")
    assert record.record_id == "ecg"
    np.testing.assert_allclose(
        record.signal, [[0.5, -0.5, 1.0], [0.1, 0.2, np.nan], [1.0, 0.0, 0.0]], rtol=1e-6
    )


def test_rate_and_unit_given(tmp_path: Path) -> None:
    record = read_ecg(write(tmp_path, "﻿I, II\n1000,2000\n\n3000,4000\n"), sampling_rate=250, unit="uV")
    assert record.leads == ("I", "II")
    assert record.sampling_rate == 250.0
    assert record.signal.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (
            "I,II\n1,2\n",
            {"unit": "mV"},
            r"does not state its sampling rate; give sampling_rate= .*--sampling_rate",
        ),
        (
            "I,II\n1,2\n",
            {"sampling_rate": 100},
            r"does not state its unit \(lead 'I'\); give unit= .*--unit",
        ),
        ("I_mV,II\n1,2\n", {"sampling_rate": 100}, r"unit \(lead 'II'\)"),
        (
            "I_mV,II\n1,2\n",
            {"sampling_rate": 100, "unit": "uV"},
            r"unit='uV' was given, but the file states I in mV",
        ),
        ("I,II\n1\n", {}, "line 2: 1 cells, the header has 2"),
        ("I,II\n1,x\n", {}, "line 2: could not convert string to float: 'x'; expected numbers"),
        (
            "I;II\n1,5;2,5\n",
            {},
            "line 2: could not convert string to float: '1,5'; expected numbers with a decimal point",
        ),
        ("1,2\n3,4\n", {"sampling_rate": 100, "unit": "mV"}, "first line .* holds numbers"),
        ("1,2\n3,4\n", {}, "first line .* holds numbers"),
        ("I,\n3,4\n", {"sampling_rate": 100, "unit": "mV"}, "holds numbers or no names"),
        ("time\n0\n1\n", {"unit": "mV"}, "the recording has no leads"),
        ("I II\n1\n", {}, "line 2: 1 cells, the header has 2"),
        ("1,2\n3,4\n", {"leads": ["I"]}, r"line 1: 2 cells for 1 names in leads=\['I'\]; name every column"),
        ("0,1,2\n1,3,4\n", {"leads": ["I", "II"]}, r"line 1: 3 cells for 2 names .* of times in s 'time'"),
        ("1,2\n3\n", {"leads": ["I", "II"]}, r"line 2: 1 cells for 2 names in leads=\['I', 'II'\]"),
        ("I,II\n1\n", {"leads": ["I", "II"]}, "line 2: 1 cells, the header has 2"),
        ("0,1\n0,2\n", {"leads": ["time", "I"], "unit": "mV"}, "must rise"),
        (
            "0,1\n0.01,2\n",
            {"leads": ["time", "I"], "unit": "mV", "sampling_rate": 500},
            "500 Hz was given, but the file states 100 Hz",
        ),
        ("I,I\n1,2\n", {"sampling_rate": 100, "unit": "mV"}, "more than once"),
        ("I,II\n", {}, "is empty"),
        ("time,Time_s,I\n0,0,1\n", {}, "more than one time column"),
        ("time,I_mV\n0,1\n", {}, "must rise"),
        ("time,I_mV\n0,1\n0,1\n", {}, "must rise"),
        ("time,I_mV\n0,1\n,1\n", {}, "must rise"),
        ("time,I_mV\n0,1\n0.01,1\n0.05,1\n", {}, "samples are not regular: a step .* is 0.015 s away"),
        (
            "time,I_mV\n0,1\n0.01,1\n",
            {"sampling_rate": 500},
            "500 Hz was given, but the file states 100 Hz",
        ),
        ("I_mV\n1e400\n", {"sampling_rate": 100}, "1 values are infinite"),
        (
            "I,II\n1,2\n",
            {"sampling_rate": 1, "unit": "mV", "leads": ["II", "I"]},
            r"but the file states \['I', 'II'\]",
        ),
        ("I,II\n1,2\n", {"sampling_rate": 1, "unit": "NU"}, "unit 'NU' is no known voltage"),
        ('I,"II\n1,2\n', {}, "no CSV table"),
    ],
)
def test_what_cannot_be_read_without_guessing_is_refused(
    tmp_path: Path, text: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(write(tmp_path, text), **given)


@pytest.mark.parametrize(
    "text",
    [
        "I\tII\n1\t2\n3\t4\n",
        "I;II\n1;2\n3;4\n",
        "  I   II\n 1   2\n\n 3 4\n",
        "# exported by a cart\n\n# in mV\nI,II\n1,2\n3,4\n",
        "I\t II\r\n1\t2\r\n3\t4\r\n",
    ],
)
@pytest.mark.parametrize("name", ["ecg.txt", "ecg.tsv", "ecg"])
def test_tables_of_any_separator(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    record = read_ecg(tmp_path / name, sampling_rate=250, unit="mV")
    assert record.leads == ("I", "II")
    assert record.signal.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert record.source == RecordSource(format="text table", unit="mV")


def test_a_table_without_header_needs_names(tmp_path: Path) -> None:
    path = write(tmp_path, "1 2\n3 4\n")
    record = read_ecg(path, sampling_rate=250, unit="V", leads=["V1", "V2"])
    assert record.leads == ("V1", "V2")
    assert record.signal.tolist() == [[1000.0, 3000.0], [2000.0, 4000.0]]


@pytest.mark.parametrize("name", ["time", "Time_s"])
def test_a_table_without_header_may_have_a_time_column(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "1,0.00,2\n3,0.01,4\n")
    record = read_ecg(path, leads=["I", name, "II"], unit="mV")
    assert (record.sampling_rate, record.leads) == (100.0, ("I", "II"))
    assert record.signal.tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_what_is_given_and_stated_alike_is_no_contradiction(tmp_path: Path) -> None:
    path = write(tmp_path, "time,I_uV\n0,1\n0.01,1\n")
    record = read_ecg(path, sampling_rate=100.001, unit="uV", leads=["i"])
    assert (record.sampling_rate, record.leads) == (100.0, ("I",))


def test_times_with_few_digits_give_the_round_rate(tmp_path: Path) -> None:
    lines = "".join(f"{k / 360:.4f},0\n" for k in range(3600))
    assert read_ecg(write(tmp_path, "time,I_mV\n" + lines)).sampling_rate == 360.0


@pytest.mark.parametrize("rate", [128, 360, 400, 512])
def test_times_in_milliseconds_give_the_rate(tmp_path: Path, rate: int) -> None:
    lines = [f"{k / rate:.3f},0\n" for k in range(3 * rate)]
    assert read_ecg(write(tmp_path, "time_s,I_mV\n" + "".join(lines))).sampling_rate == rate
    del lines[rate]
    with pytest.raises(EcgFormatError, match=r"not regular: .* more than its digits explain"):
        read_ecg(write(tmp_path, "time_s,I_mV\n" + "".join(lines)))
    with pytest.raises(EcgFormatError, match="must rise"):
        read_ecg(write(tmp_path, "time_s,I_mV\n" + "".join([lines[0], *lines])))


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ssl_ecg_hf.data.readers import csv_reader

    monkeypatch.setattr(csv_reader, "MAX_BYTES", 10)
    with pytest.raises(EcgFormatError, match="more than 10; cut it into parts"):
        read_ecg(write(tmp_path, "I_mV,II_mV\n1,2\n"))


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet='I,V1_muse\n0.-"\x00 \r', max_size=80))
def test_any_text_gives_a_record_or_an_ecg_format_error(tmp_path_factory: Any, text: str) -> None:
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        record = read_ecg(path, sampling_rate=100, unit="mV")
    except EcgFormatError:
        return
    assert record.signal.shape[0] == len(record.leads) > 0
