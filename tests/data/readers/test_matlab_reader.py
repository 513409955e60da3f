from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from ssl_ecg_hf.data import EcgFormatError, read_ecg
from ssl_ecg_hf.data.readers import matlab_reader

GIVEN: dict[str, Any] = {"sampling_rate": 100, "leads": ["I", "II"], "unit": "uV"}
VALUES = np.array([[0, 500, 1000], [1, -2, 3]])
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def save(folder: Path, variables: dict[str, Any], **options: Any) -> Path:
    scipy.io.savemat(folder / "ecg.mat", variables, **options)
    return folder / "ecg.mat"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_version_5(tmp_path: Path, dtype: str, transposed: bool, compressed: bool) -> None:
    values = VALUES.astype(dtype)
    path = save(tmp_path, {"val": values.T if transposed else values}, do_compression=compressed)
    record = read_ecg(path, **GIVEN)
    assert record.source.format == "MATLAB"
    assert (record.leads, record.sampling_rate) == (("I", "II"), 100.0)
    np.testing.assert_allclose(record.signal, VALUES / 1000, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_version_4(tmp_path: Path, dtype: str) -> None:
    path = save(tmp_path, {"val": VALUES.astype(dtype)}, format="4")
    np.testing.assert_allclose(read_ecg(path, **GIVEN).signal, VALUES / 1000, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    values=hnp.arrays(st.sampled_from(DTYPES), st.tuples(st.just(2), st.integers(3, 9))),
    compressed=st.booleans(),
)
def test_numbers_are_those_that_scipy_reads(
    tmp_path_factory: pytest.TempPathFactory, values: NDArray[Any], compressed: bool
) -> None:
    path = save(tmp_path_factory.getbasetemp(), {"other": "text", "x": values}, do_compression=compressed)
    content = memoryview(path.read_bytes())
    found = dict(matlab_reader._level5(content))
    assert list(found) == ["x"]
    np.testing.assert_array_equal(found["x"].read(), scipy.io.loadmat(path)["x"])


def test_the_recording_is_the_only_array_of_two_axes_or_has_its_name(tmp_path: Path) -> None:
    others = {
        "age": 50.0,
        "name": "x",
        "cube": np.ones((2, 2, 2)),
        "labels": np.array(["a", "b"], dtype=object),
    }
    for variables in ({"x": VALUES}, {"ECG": VALUES, "times": np.ones((1, 9))}):
        record = read_ecg(save(tmp_path, {**others, **variables}), **GIVEN)
        np.testing.assert_allclose(record.signal, VALUES / 1000, rtol=1e-6)


def test_a_rate_beside_it_is_stated(tmp_path: Path) -> None:
    path = save(tmp_path, {"data": VALUES, "Fs": 360.0})
    assert read_ecg(path, leads=["I", "II"], unit="mV").sampling_rate == 360.0
    with pytest.raises(EcgFormatError, match="sampling_rate=100 Hz was given, but the file states 360 Hz"):
        read_ecg(path, **GIVEN)


@pytest.mark.parametrize(
    ("variables", "given", "message"),
    [
        (
            {"x": VALUES},
            {},
            r"does not state its sampling rate, lead names, unit; give sampling_rate=, leads=",
        ),
        (
            {"x": VALUES, "y": VALUES},
            GIVEN,
            r"several arrays .* \(arrays of numbers: x \(2, 3\), y \(2, 3\)\)",
        ),
        ({"x": 1.0, "y": "text"}, GIVEN, r"no arrays of two axes .* x \(1, 1\)"),
        ({"x": np.array([[{}, 1, 2]], dtype=object)}, GIVEN, "no arrays of two axes .*: none"),
        ({"x": {"field": VALUES}}, GIVEN, "no arrays of two axes"),
        ({"x": VALUES * 1j}, GIVEN, "no arrays of two axes"),
        ({"x": VALUES}, {**GIVEN, "leads": ["I"]}, "no axis fits"),
    ],
)
def test_what_is_no_recording_is_refused(
    tmp_path: Path, variables: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(save(tmp_path, variables), **given)


def peak(path: Path) -> int:
    """Bytes that reading takes at most, the file itself left out."""
    tracemalloc.start()
    try:
        read_ecg(path, **GIVEN)
        return tracemalloc.get_traced_memory()[1] - path.stat().st_size
    finally:
        tracemalloc.stop()


def test_only_the_recording_is_unpacked(tmp_path: Path) -> None:
    others = {f"x{index}": np.zeros((1, 1, 1 << 18)) for index in range(8)}  # 2 MiB each
    path = save(tmp_path, {**others, "ecg": VALUES}, do_compression=True)
    assert path.stat().st_size < 1 << 16
    read_ecg(path, **GIVEN)
    assert peak(path) < 1 << 20


def repacked(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The file with its one compressed variable changed."""
    content = path.read_bytes()
    packed = zlib.compress(change(zlib.decompress(content[136:])))
    path.write_bytes(content[:128] + struct.pack("<II", 15, len(packed)) + packed)
    return path


@pytest.mark.parametrize("ending", [b"", b"\0" * (1 << 22)], ids=["none", "4 MiB of zeros"])
def test_a_bomb_is_not_unpacked(tmp_path: Path, ending: bytes) -> None:
    path = save(tmp_path, {"val": VALUES}, do_compression=True)
    repacked(path, lambda variable: variable + ending)
    if not ending:
        assert read_ecg(path, **GIVEN).signal.shape == (2, 3)
        return
    with pytest.raises(EcgFormatError, match="a compressed variable is truncated, or longer than it says"):
        read_ecg(path, **GIVEN)


def test_a_compressed_variable_may_not_be_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab_reader, "MAX_UNPACKED", 1000)
    path = save(tmp_path, {"val": np.zeros((2, 63))}, do_compression=True)
    with pytest.raises(EcgFormatError, match="has 1008 bytes, more than 1000; save it without compression"):
        read_ecg(path, **GIVEN)
    path = save(tmp_path, {"val": np.ones((2, 62))}, do_compression=True)
    assert read_ecg(path, **GIVEN).signal.shape == (2, 62)


def test_the_checksum_of_a_compressed_variable_is_verified(tmp_path: Path) -> None:
    path = save(tmp_path, {"val": VALUES}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EcgFormatError, match="damaged or truncated, fetch it again"):
        read_ecg(path, **GIVEN)


@pytest.mark.parametrize("version", ["5", "4"])
def test_truncated_files_are_refused(tmp_path: Path, version: str) -> None:
    path = save(tmp_path, {"val": np.ones((2, 50))}, format=version)
    content = path.read_bytes()
    for length in range(21, len(content) - 8, 37):
        path.write_bytes(content[:length])
        with pytest.raises(EcgFormatError):
            read_ecg(path, **GIVEN)


def test_rates_that_differ_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, {"val": VALUES, "fs": 250.0, "sampling_rate": 500.0})
    with pytest.raises(EcgFormatError, match="two sampling rates: 250 Hz in fs, 500 Hz in sampling_rate"):
        read_ecg(path, leads=["I", "II"], unit="uV")
    path = save(tmp_path, {"val": VALUES, "fs": 250.0, "sampling_rate": 250.0})
    assert read_ecg(path, leads=["I", "II"], unit="uV").sampling_rate == 250.0
