from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from ssl_ecg_hf.data import EcgFormatError, read_ecg
from ssl_ecg_hf.data.readers.wfdb_reader import _read_plain, _to_record

# wfdb writes by means of pandas that new versions of pandas deprecate.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

SIGNAL = np.array([[0.0, 1.0], [0.5, -1.0], [0.25, 2.0], [-0.5, 0.125]])


def write(
    folder: Path, *, unit: str = "mV", fmt: str = "16", gain: float = 1000.0, name: str = "rec"
) -> Path:
    wfdb.wrsamp(
        name, fs=250, units=[unit, unit], sig_name=["II", "AVR"], p_signal=SIGNAL, fmt=[fmt, fmt],
        adc_gain=[gain, gain], baseline=[0, 0], write_dir=str(folder), comments=["a comment"],
    )  # fmt: skip
    return folder / name


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_record_by_any_of_its_names(tmp_path: Path, suffix: str) -> None:
    record = read_ecg(str(write(tmp_path)) + suffix)
    assert record.leads == ("II", "aVR")
    assert record.sampling_rate == 250.0
    assert record.record_id == "rec"
    assert record.signal.dtype == np.float32
    assert record.signal.tolist() == SIGNAL.T.tolist()
    assert record.metadata == {"comments": ["a comment"]}


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1.0), ("uV", 0.001), ("V", 1000.0)])
def test_units_become_millivolts(tmp_path: Path, unit: str, scale: float) -> None:
    record = read_ecg(write(tmp_path, unit=unit))
    np.testing.assert_allclose(record.signal, SIGNAL.T * scale, rtol=1e-6)


@pytest.mark.parametrize("unit", ["mmHg", "MV", "NU"])
def test_other_units_are_refused(tmp_path: Path, unit: str) -> None:
    with pytest.raises(EcgFormatError, match=f"unit '{unit}' is no known voltage"):
        read_ecg(write(tmp_path, unit=unit))


@pytest.mark.parametrize("fmt", ["16", "24", "32", "212"])
def test_storage_formats(tmp_path: Path, fmt: str) -> None:
    record = read_ecg(write(tmp_path, fmt=fmt, gain=200.0 if fmt == "212" else 1000.0))
    np.testing.assert_allclose(record.signal, SIGNAL.T, atol=0.0026)


def test_invalid_samples_stay_nan(tmp_path: Path) -> None:
    stem = write(tmp_path)
    adc = np.frombuffer(stem.with_suffix(".dat").read_bytes(), "<i2").copy()
    header = stem.with_suffix(".hea").read_text().replace(f" {adc[::2].sum() % 65536} ", " {sum} ")
    adc[2] = -32768
    stem.with_suffix(".dat").write_bytes(adc.tobytes())
    stem.with_suffix(".hea").write_text(header.format(sum=int(adc[::2].astype(int).sum()) % 65536))
    assert np.isnan(read_ecg(stem).signal).tolist() == [[False, True, False, False], [False] * 4]


def test_checksum_is_verified(tmp_path: Path) -> None:
    stem = write(tmp_path)
    content = bytearray(stem.with_suffix(".dat").read_bytes())
    content[2] ^= 1
    stem.with_suffix(".dat").write_bytes(content)
    with pytest.raises(EcgFormatError, match=r"rec.dat does not match in lead\(s\) AVR; .* fetch it again"):
        read_ecg(stem)


def test_checksum_of_every_segment_is_verified(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, name=name)
    (tmp_path / "multi.hea").write_text("multi/2 2 250 8\none 4\ntwo 4\n")
    assert read_ecg(tmp_path / "multi.hea").signal.shape == (2, 8)
    content = bytearray((tmp_path / "two.dat").read_bytes())
    content[0] ^= 1
    (tmp_path / "two.dat").write_bytes(content)
    with pytest.raises(EcgFormatError, match="checksum of two does not match"):
        read_ecg(tmp_path / "multi.hea")


def test_truncated_signal_file(tmp_path: Path) -> None:
    stem = write(tmp_path)
    stem.with_suffix(".dat").write_bytes(stem.with_suffix(".dat").read_bytes()[:-6])
    with pytest.raises(
        EcgFormatError, match=r"rec.dat is truncated: 10 bytes, expected 16; .* fetch it again"
    ):
        read_ecg(stem)


def test_what_stands_behind_the_announced_samples_is_left_out(tmp_path: Path) -> None:
    stem = write(tmp_path)
    stem.with_suffix(".dat").write_bytes(stem.with_suffix(".dat").read_bytes() + b"trailing")
    assert read_ecg(stem).signal.tolist() == SIGNAL.T.tolist()


def test_truncated_signal_file_of_another_format(tmp_path: Path) -> None:
    stem = write(tmp_path, fmt="212", gain=200.0)
    stem.with_suffix(".dat").write_bytes(stem.with_suffix(".dat").read_bytes()[:-6])
    with pytest.raises(
        EcgFormatError, match=r"header or signal file are damaged or truncated, fetch both again"
    ):
        read_ecg(stem)


@given(
    adc=hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)),
    gain=st.sampled_from([1.0, 200.0, 1000.0, 4.88]),
    baseline=st.integers(-2000, 2000),
    unit=st.sampled_from(["mV", "uV"]),
    comments=st.lists(st.sampled_from(["age: 50", "# twice", "  spaces "]), max_size=2),
)
def test_the_fast_reader_gives_what_wfdb_gives(
    adc: NDArray[np.int16], gain: float, baseline: int, unit: str, comments: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "rec"
        stem.with_suffix(".dat").write_bytes(adc.astype("<i2").tobytes())
        sums = (adc.sum(axis=0, dtype=np.int64) % 65536).tolist()
        signals = [
            f"rec.dat 16 {gain:g}({baseline})/{unit} 16 0 0 {checksum} 0 L{index}"
            for index, checksum in enumerate(sums)
        ]
        lines = [f"rec {adc.shape[1]} 250 {len(adc)}", *signals, *(f"#{comment}" for comment in comments)]
        stem.with_suffix(".hea").write_text("\n".join(lines) + "\n")
        fast = _read_plain(stem.with_suffix(".hea"))
        assert fast is not None
        slow = _to_record(wfdb.rdrecord(str(stem), m2s=True), stem)
    np.testing.assert_array_equal(fast.signal, slow.signal)
    assert (fast.leads, fast.sampling_rate, fast.record_id, fast.metadata) == (
        slow.leads,
        slow.sampling_rate,
        slow.record_id,
        slow.metadata,
    )


def test_missing_signal_file(tmp_path: Path) -> None:
    stem = write(tmp_path)
    stem.with_suffix(".dat").unlink()
    with pytest.raises(EcgFormatError, match=r"names the signal file .*rec\.dat, which is missing"):
        read_ecg(stem.with_suffix(".hea"))


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    stem = write(tmp_path)
    header = stem.with_suffix(".hea")
    header.write_text(header.read_text().replace("rec 2 250 4", "rec 2 250 999999999999"))
    with pytest.raises(EcgFormatError, match="announces 2 signals of 999999999999 samples"):
        read_ecg(stem)


def test_what_the_header_states_cannot_be_given(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match="sampling_rate, unit cannot be given for a WFDB record"):
        read_ecg(write(tmp_path), sampling_rate=500, unit="uV")
