from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.data import EcgFormatError, read_ecg
from ssl_ecg_hf.data.readers import errors, hdf5_reader

h5py = pytest.importorskip("h5py", reason="the extra [formats] is not installed")

GIVEN: dict[str, Any] = {"sampling_rate": 100, "leads": ["I", "II"], "unit": "uV"}
VALUES = np.array([[0, 500, 1000], [1, -2, 3]])


def save(folder: Path, fill: Callable[[Any], object], **options: Any) -> Path:
    with h5py.File(folder / "ecg.h5", "w", **options) as file:
        fill(file)
    return folder / "ecg.h5"


@pytest.mark.parametrize(
    "storage",
    [
        {},
        {"chunks": (1, 2)},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (2, 2)},
        {"chunks": (2, 2), "maxshape": (None, None)},
    ],
)
@pytest.mark.parametrize("dtype", ["int16", ">i4", "float32", "float64"])
def test_arrays_of_any_storage(tmp_path: Path, storage: dict[str, Any], dtype: str) -> None:
    path = save(tmp_path, lambda file: file.create_dataset("group/x", data=VALUES.astype(dtype).T, **storage))
    record = read_ecg(path, **GIVEN)
    assert record.source.format == "HDF5"
    np.testing.assert_allclose(record.signal, VALUES / 1000, rtol=1e-6)


def test_attributes_state_what_else_must_be_given(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.attrs["Sampling_Rate"] = 500
        array = file.create_dataset("ecg", data=VALUES)
        array.attrs.update({"units": "mV", "leads": "V1, V2", "about": "anything", "big": np.ones(1000)})

    record = read_ecg(save(tmp_path, fill))
    assert (record.sampling_rate, record.leads, record.source.unit) == (500.0, ("V1", "V2"), "mV")
    with pytest.raises(EcgFormatError, match="unit='uV' was given, but the file states V1 in mV"):
        read_ecg(tmp_path / "ecg.h5", unit="uV")


@pytest.mark.parametrize("names", [["I", "II"], np.array([b"I", b"II"])])
def test_names_as_lists(tmp_path: Path, names: Any) -> None:
    def fill(file: Any) -> None:
        file.create_dataset("ecg", data=VALUES).attrs["leads"] = names

    assert read_ecg(save(tmp_path, fill), sampling_rate=100, unit="uV").leads == ("I", "II")


def test_a_matlab_file_of_version_7_3(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file["val"] = VALUES.T.astype(float)  # as MATLAB stores it
        file["fs"] = np.array([[250.0]])

    path = save(tmp_path, fill, userblock_size=512)
    content = path.read_bytes()
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM"
    (tmp_path / "ecg.mat").write_bytes(head.ljust(512, b"\0") + content[512:])
    record = read_ecg(tmp_path / "ecg.mat", leads=["I", "II"], unit="uV")
    assert record.sampling_rate == 250.0
    np.testing.assert_allclose(record.signal, VALUES / 1000, rtol=1e-6)


def _external_link(file: Any) -> None:
    file["x"] = h5py.ExternalLink("other.h5", "/x")


def _external_data(file: Any) -> None:
    file.create_dataset("x", (2, 3), "i1", external=[("secret", 0, 6)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2, 3), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 3))
    file.create_virtual_dataset("x", layout)


def _bomb(file: Any) -> None:
    array = file.create_dataset("x", (2, 3), "i8", chunks=(2, 3), compression="gzip")
    array.id.write_direct_chunk((0, 0), zlib.compress(b"\0" * (1 << 24)))


def _huge_pieces(file: Any) -> None:
    file.create_dataset("x", (2, 3), "i8", chunks=(2, 1 << 24), maxshape=(None, None))


def _huge_and_empty(file: Any) -> None:
    file.create_dataset("x", (2, 1 << 40), "i1", chunks=(2, 1 << 20))


def _never_written(file: Any) -> None:
    file.create_dataset("x", (2, 1 << 20), "i1")


def _written_in_part(file: Any) -> None:
    array = file.create_dataset("x", (2, 5), "i1", chunks=(2, 2), compression="gzip", maxshape=(None, None))
    array[:, :3] = 1
    array.resize((2, 7))


def _many(file: Any) -> None:
    for index in range(1001):
        file.create_group(str(index))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (_external_link, "no arrays of two axes"),
        (_external_data, r"lies in another file \(external or virtual\)"),
        (_virtual, r"lies in another file \(external or virtual\)"),
        (_bomb, "a compressed piece grows beyond its stated size"),
        (_huge_pieces, "stored in pieces of 268435456 bytes, more than 67108864"),
        (_huge_and_empty, "announces 2 signals of 1099511627776 samples"),
        (_never_written, r"was never written, or only in part \(0 of 2097152 bytes\)"),
        (_written_in_part, r"was never written, or only in part \(2 of 4 pieces\)"),
        (_many, "more than 1000 objects"),
        (
            lambda file: file.create_dataset("x", data=VALUES, compression="lzf"),
            r"filters \[2, 32000\]|filters",
        ),
        (lambda file: file.create_dataset("x", data=np.ones((1, 2, 3))), r"no arrays .* x \(1, 2, 3\)"),
        (lambda file: file.update({"x": VALUES, "y": VALUES}), "several arrays of two axes"),
        (lambda file: file.create_dataset("x", data=np.array([["a", "b"]], dtype="S1")), "no arrays"),
    ],
)
def test_what_reaches_out_or_blows_up_is_refused(
    tmp_path: Path, fill: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(save(tmp_path, fill), **GIVEN)


def test_without_h5py_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    path = save(tmp_path, lambda file: file.update({"x": VALUES}))
    monkeypatch.setattr(errors, "import_module", fail)
    with pytest.raises(EcgFormatError, match=r'h5py, which is missing: pip install "ssl_ecg_hf\[formats\]"'):
        read_ecg(path, **GIVEN)


def test_larger_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_reader, "MAX_BYTES", 100)
    with pytest.raises(EcgFormatError, match="more than 100; cut it into parts"):
        read_ecg(save(tmp_path, lambda file: file.update({"x": VALUES})), **GIVEN)


def with_attributes(folder: Path, file_too: dict[str, Any] | None = None, **attributes: Any) -> Path:
    def fill(file: Any) -> None:
        file.create_dataset("ecg", data=np.array([[1, 2], [3, 4], [5, 6]])[:, [0, 1, 1, 0]]).attrs.update(
            attributes
        )
        file.attrs.update(file_too or {})

    return save(folder, fill)


def test_each_lead_may_have_a_unit(tmp_path: Path) -> None:
    path = with_attributes(tmp_path, fs=500, leads=["I", "II", "V1"], units=["mV", "uV", "V"])
    record = read_ecg(path)
    assert record.signal[:, 0].tolist() == pytest.approx([1, 0.003, 5000])
    assert record.source.unit == "mV, uV, V"
    with pytest.raises(EcgFormatError, match="unit='mV' was given, but the file states II in uV, V1 in V"):
        read_ecg(path, unit="mV")


@pytest.mark.parametrize("stated", [True, False])
def test_rows_that_are_no_voltages_are_left_out(tmp_path: Path, stated: bool) -> None:
    names = ["I", "ABP", "V1"]
    path = with_attributes(tmp_path, {"unit": ["mV", "mmHg", "uV"]}, **({"leads": names} if stated else {}))
    record = read_ecg(path, sampling_rate=100, leads=None if stated else names)
    assert (record.leads, record.source.dropped) == (("I", "V1"), ("ABP",))
    assert record.signal[:, 0].tolist() == pytest.approx([1, 0.005])
    if stated:
        assert read_ecg(path, sampling_rate=100, leads=["I", "V1"]).leads == ("I", "V1")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"units": ["mV", "uV", "mmHg"]}, "unit 'mmHg' is no known voltage"),
        (
            {"units": ["mV", "uV"]},
            r"states 2 units \['mV', 'uV'\] of 3 leads .* one of each lead, or one of all",
        ),
        ({"units": ["mmHg"]}, "unit 'mmHg' is no known voltage"),
    ],
)
def test_units_that_fit_no_leads_are_refused(
    tmp_path: Path, attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(with_attributes(tmp_path, fs=500, leads=["I", "II", "V1"], **attributes))


def test_units_of_leads_without_names_need_them(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match="does not state its lead names; give leads="):
        read_ecg(with_attributes(tmp_path, fs=500, units=["mV", "uV", "V"]))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("fs", "two sampling rates: 500 Hz in the attribute g/ecg.sampling_rate, 250 Hz in fs;"),
        ("g/fs", "500 Hz in the attribute g/ecg.sampling_rate, 250 Hz in g/fs;"),
        (None, "500 Hz in the attribute g/ecg.sampling_rate, 250 Hz in the attribute sampling_rate;"),
    ],
)
def test_rates_that_differ_are_refused(tmp_path: Path, path: str | None, message: str) -> None:
    def fill(file: Any) -> None:
        file.create_dataset("g/ecg", data=VALUES).attrs["sampling_rate"] = 500
        if path is None:
            file.attrs["sampling_rate"] = 250
        else:
            file[path] = 250.0

    with pytest.raises(EcgFormatError, match=message):
        read_ecg(save(tmp_path, fill), leads=["I", "II"], unit="uV")


def test_a_rate_beside_the_array_is_that_of_the_array(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.update({"g/ecg": VALUES, "g/fs": 250.0, "other/fs": 125.0})

    assert read_ecg(save(tmp_path, fill), leads=["I", "II"], unit="uV").sampling_rate == 250.0
