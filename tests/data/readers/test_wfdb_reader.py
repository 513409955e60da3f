from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from ssl_ecg_hf.data import EcgFormatError, read_ecg
from ssl_ecg_hf.data.readers.wfdb_reader import _read_any, _read_plain
from ssl_ecg_hf.data.record import RecordSource

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


@settings(deadline=None)
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
        slow = _read_any(stem)
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


def skewed(folder: Path, skew: int, *, name: str = "rec", samples: int = 4) -> Path:
    stem = write(folder, name=name)
    header = stem.with_suffix(".hea")
    text = header.read_text().replace(f"{name} 2 250 4", f"{name} 2 250 {samples}")
    header.write_text(re.sub(r"\.dat 16 (.*) \d+ 0 AVR", rf".dat 16:{skew} \1 0 0 AVR", text))
    return stem


def test_a_skew_shifts_a_signal(tmp_path: Path) -> None:
    stem = skewed(tmp_path, 1)
    header = stem.with_suffix(".hea")
    header.write_text(header.read_text().replace(" 0 0 AVR", " 2125 0 AVR"))  # of the stored samples
    np.testing.assert_array_equal(read_ecg(stem).signal, [SIGNAL[:, 0], [*SIGNAL[1:, 1], np.nan]])


def test_a_record_without_signals(tmp_path: Path) -> None:
    (tmp_path / "rec.hea").write_text("rec 0 250 0\n")
    with pytest.raises(EcgFormatError, match="the record has no signals"):
        read_ecg(tmp_path / "rec.hea")


@pytest.mark.parametrize("samples", [4, 100_000_000])
def test_a_skew_beyond_the_end_is_refused_before_memory_is_taken(tmp_path: Path, samples: int) -> None:
    skewed(tmp_path, 20_000_000, samples=samples)
    message = r"shifts AVR by 20000000 samples, more than rec\.dat holds; it is damaged"
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(tmp_path / "rec")
    (tmp_path / "multi.hea").write_text("multi/1 2 250 4\nrec 4\n")
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(tmp_path / "multi.hea")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sampling_rate": 500}, "sampling_rate=500 Hz was given, but the file states 250 Hz; leave it out"),
        ({"unit": "uV"}, "unit='uV' was given, but the file states II in mV, AVR in mV"),
        ({"leads": ["I", "II"]}, r"leads=\['I', 'II'\] were given, but the file states \['II', 'AVR'\]"),
        ({"leads": "all"}, "expected a list of names, or 'standard'"),
    ],
)
def test_the_header_is_not_contradicted(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(write(tmp_path), **given)


def test_what_is_given_and_stated_alike_is_no_contradiction(tmp_path: Path) -> None:
    record = read_ecg(write(tmp_path), sampling_rate=250, unit="mV", leads=["ii", "aVR"])
    assert record.leads == ("II", "aVR")
    assert record.source == RecordSource(format="WFDB", unit="mV")


def test_a_mat_file_beside_its_header_is_a_wfdb_record(tmp_path: Path) -> None:
    signal = np.array([[100, -200, 300], [4, 5, 6]], dtype=np.int16)
    scipy.io.savemat(tmp_path / "A0001.mat", {"val": signal}, format="4")
    lines = ["A0001 2 500 3", *(f"A0001.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in ("I", "V1"))]
    header = "\n".join(lines).replace(" 0 0 0 I", " 100 200 0 I").replace(" 0 0 0 V1", " 4 15 0 V1")
    (tmp_path / "A0001.hea").write_text(header + "\n#Age: 55\n")
    for name in ("A0001.mat", "A0001.hea", "A0001"):
        record = read_ecg(tmp_path / name)
        assert record.source.format == "WFDB"
        assert record.leads == ("I", "V1")
        np.testing.assert_allclose(record.signal, signal / 1000, rtol=1e-6)


def test_signals_that_are_no_voltages_are_left_out(tmp_path: Path) -> None:
    wfdb.wrsamp(
        "rec", fs=250, units=["mV", "mmHg", "NU"], sig_name=["II", "ABP", "PLETH"], fmt=["16"] * 3,
        p_signal=np.array([[0.5, 80.0, 1.0], [0.25, 90.0, 2.0]]), adc_gain=[1000.0, 10.0, 10.0],
        baseline=[0, 0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    record = read_ecg(tmp_path / "rec")
    assert record.leads == ("II",)
    assert record.signal.tolist() == [[0.5, 0.25]]
    assert record.source.dropped == ("ABP", "PLETH")


def test_a_header_reaches_for_no_other_folder(tmp_path: Path) -> None:
    stem = write(tmp_path / "..", name="outside")
    header = stem.with_suffix(".hea").read_text().replace("outside.dat", "../outside.dat")
    (tmp_path / "rec.hea").write_text(header)
    with pytest.raises(EcgFormatError, match="invalid syntax in signal line"):
        read_ecg(tmp_path / "rec.hea")


# Several samples in a frame --------------------------------------------------------------------------------

FAST = np.round(1000 * np.sin(2 * np.pi * 40 * np.arange(400) / 250)).astype(np.int64)  # uV, 40 Hz at 250 Hz


def framed(
    folder: Path, signals: dict[str, tuple[str, int, Any]], *, name: str = "rec", rate: str = "62.5"
) -> Path:
    """Write a record whose signals are (unit, samples in a frame, 1/1000 of the unit); "II:3" has a skew."""
    columns = [np.asarray(values).reshape(-1, per_frame) for _, per_frame, values in signals.values()]
    lines = [f"{name} {len(signals)} {rate} {len(columns[0])}"]
    for (lead, (unit, per_frame, _)), column in zip(signals.items(), columns, strict=True):
        lead, _, skew = lead.partition(":")
        form = f"16x{per_frame}" + (f":{skew}" if skew else "")
        lines.append(f"{name}.dat {form} 1000/{unit} 16 0 {column[0, 0]} {column.sum() % 65536} 0 {lead}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.dat").write_bytes(np.concatenate(columns, axis=1).astype("<i2").tobytes())
    return folder / f"{name}.hea"


def test_all_samples_of_a_frame_are_read(tmp_path: Path) -> None:
    signals = {"II": ("mV", 4, FAST), "Resp": ("V", 1, np.arange(100)), "V": ("mV", 4, -FAST)}
    record = read_ecg(framed(tmp_path, signals))
    assert (record.leads, record.sampling_rate) == (("II", "V"), 250.0)
    assert record.signal.tolist() == (np.array([FAST, -FAST]) / 1000).astype(np.float32).tolist()
    assert record.source.dropped == ("Resp",)
    assert read_ecg(tmp_path / "rec", sampling_rate=250, leads=["II", "V"]).leads == ("II", "V")
    with pytest.raises(EcgFormatError, match=r"sampling_rate=62\.5 Hz was given, but the file states 250 Hz"):
        read_ecg(tmp_path / "rec", sampling_rate=62.5)


def test_an_invalid_sample_of_a_frame_is_that_sample_alone(tmp_path: Path) -> None:
    values = FAST.copy()
    values[5] = -32768
    record = read_ecg(framed(tmp_path, {"II": ("mV", 4, values)}))
    assert np.flatnonzero(np.isnan(record.signal[0])).tolist() == [5]


def test_a_skew_counts_frames(tmp_path: Path) -> None:
    record = read_ecg(framed(tmp_path, {"I": ("mV", 4, FAST), "II:3": ("mV", 4, FAST)}))
    expected = np.append(FAST[12:] / 1000, [np.nan] * 12).astype(np.float32)
    np.testing.assert_array_equal(record.signal[1], expected)
    assert not np.isnan(record.signal[0]).any()


def test_leads_of_different_rates_are_refused(tmp_path: Path) -> None:
    path = framed(tmp_path, {"I": ("mV", 4, FAST), "II": ("mV", 2, FAST[:200])})
    with pytest.raises(
        EcgFormatError, match=r"same time and rate \(I: 400 samples at 250 Hz; II: 200 samples at 125 Hz\)"
    ):
        read_ecg(path)


@pytest.mark.parametrize("segment", [False, True])
def test_the_samples_of_all_frames_are_bounded(tmp_path: Path, segment: bool) -> None:
    path = framed(tmp_path, {"I": ("mV", 4, FAST), "II": ("mV", 4, FAST)})
    path.write_text(path.read_text().replace("rec 2 62.5 100", "rec 2 62.5 40000000"))
    if segment:
        path = tmp_path / "multi.hea"
        path.write_text("multi/1 2 62.5 40000000\nrec 40000000\n")
    with pytest.raises(EcgFormatError, match="announces 8 signals of 40000000 samples"):
        read_ecg(path)


def test_segments_of_one_layout_are_joined(tmp_path: Path) -> None:
    for name, sign in (("one", 1), ("two", -1)):
        framed(tmp_path, {"II": ("mV", 4, sign * FAST), "Resp": ("V", 1, np.arange(100))}, name=name)
    (tmp_path / "multi.hea").write_text("multi/2 2 62.5 200\none 100\ntwo 100\n")
    record = read_ecg(tmp_path / "multi.hea")
    assert (record.leads, record.sampling_rate, record.source.dropped) == (("II",), 250.0, ("Resp",))
    assert record.signal[0].tolist() == (np.append(FAST, -FAST) / 1000).astype(np.float32).tolist()


def variable(folder: Path, second: dict[str, tuple[str, int, Any]], **options: Any) -> Path:
    """Write two segments with 10 frames of nothing between them, II and V1 in their layout."""
    framed(folder, {"II": ("mV", 4, FAST), "Resp": ("V", 1, np.arange(100))}, name="one")
    framed(folder, second, name="two", **options)
    layout = ["layout 3 62.5 0", *(f"~ 0x{n} 200/mV 8 0 0 0 0 {lead}" for n, lead in ((4, "II"), (4, "V1")))]
    (folder / "layout.hea").write_text("\n".join([*layout, "~ 0 200/V 8 0 0 0 0 Resp"]) + "\n")
    (folder / "multi.hea").write_text("multi/4 3 62.5 210\nlayout 0\none 100\n~ 10\ntwo 100\n")
    return folder / "multi.hea"


def test_segments_of_various_layouts_are_joined(tmp_path: Path) -> None:
    record = read_ecg(variable(tmp_path, {"V1": ("mV", 4, 2 * FAST), "II": ("mV", 4, -FAST)}))
    assert (record.leads, record.sampling_rate, record.source.dropped) == (("II", "V1"), 250.0, ("Resp",))
    gap = np.full(40, np.nan)
    expected = np.array([[*FAST, *gap, *-FAST], [*np.full(440, np.nan), *(2 * FAST)]]) / 1000
    np.testing.assert_array_equal(record.signal, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"II": ("uV", 4, FAST)}, "unit 'mV or uV' is no known voltage"),
        ({"II": ("mV", 2, FAST[:200])}, "segment two holds 2 samples of II in a frame, the first one 4"),
        ({"II:1": ("mV", 4, FAST)}, "segment two shifts II of several samples a frame"),
    ],
)
def test_segments_of_various_layouts_that_do_not_fit_are_refused(
    tmp_path: Path, second: dict[str, tuple[str, int, Any]], message: str
) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(variable(tmp_path, second))


def test_segments_of_another_rate_are_refused(tmp_path: Path) -> None:
    path = variable(tmp_path, {"II": ("mV", 4, FAST)}, rate="125")
    with pytest.raises(EcgFormatError, match=r"segment two has 125 frames a second, the record 62\.5"):
        read_ecg(path)


def test_a_signal_whose_segments_have_units_of_their_own_is_left_out(tmp_path: Path) -> None:
    record = read_ecg(variable(tmp_path, {"II": ("mV", 4, FAST), "Resp": ("Ohm", 1, np.arange(100))}))
    assert (record.leads, record.source.dropped) == (("II", "V1"), ("Resp",))


def test_what_is_no_record_of_segments_is_refused(tmp_path: Path) -> None:
    for name, lead in (("one", "II"), ("two", "V1")):
        framed(tmp_path, {lead: ("mV", 4, FAST)}, name=name)
    for text, message in {
        "multi/2 1 62.5 200\none 100\ntwo 100\n": r"segment two holds the signals \['V1'\], the first",
        "multi/2 1 62.5 200\none 100\n~ 100\n": "a segment is empty, which needs a header of the layout",
        "multi/1 1 62.5 100\nmulti 100\n": "segment multi consists of segments itself",
        "multi/1 2 62.5 100\none 100\n": "the header announces 2 signals, one 1",
    }.items():
        (tmp_path / "multi.hea").write_text(text)
        with pytest.raises(EcgFormatError, match=message):
            read_ecg(tmp_path / "multi.hea")
