from __future__ import annotations

import base64
import binascii
import importlib
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.ecg_files import (
    EIGHT_LEADS,
    edf_file,
    hl7_file,
    ishne_file,
    mfer_file,
    muse_file,
    philips_file,
    recording,
    rows_of,
    scp_file,
)
from ssl_ecg_hf.data import STANDARD_LEADS, EcgFormatError, EcgRecord, read_ecg
from ssl_ecg_hf.data.readers import arrays, clinical_checks, clinical_reader, errors

pytest.importorskip("ecgdatakit", reason="the extra [formats] is not installed")

REAL = Path(__file__).resolve().parents[4] / "shared" / "formats"
SIGNAL = recording()
MILLIVOLTS = 0.005 * SIGNAL


def write(folder: Path, content: bytes, name: str = "ecg") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def check(record: EcgRecord, leads: tuple[str, ...] = STANDARD_LEADS) -> None:
    assert record.leads == leads
    np.testing.assert_allclose(record.signal, 0.005 * rows_of(SIGNAL, leads), rtol=0, atol=1e-6)


# SCP-ECG --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("huffman", [True, False])
def test_scp(tmp_path: Path, huffman: bool) -> None:
    check(read_ecg(write(tmp_path, scp_file(SIGNAL, huffman=huffman))), EIGHT_LEADS)


def with_record_checksum(content: bytes) -> bytes:
    return struct.pack("<H", binascii.crc_hqx(content[2:], 0xFFFF)) + content[2:]


def test_scp_verifies_checksums_length_and_announced_samples(tmp_path: Path) -> None:
    content = bytearray(scp_file(SIGNAL))
    content[-3] ^= 1
    with pytest.raises(EcgFormatError, match="checksum of the record does not match"):
        read_ecg(write(tmp_path, bytes(content)))
    with pytest.raises(EcgFormatError, match=r"CRC mismatch in: Section 6; .* damaged"):
        read_ecg(write(tmp_path, with_record_checksum(bytes(content))))
    with pytest.raises(EcgFormatError, match=r"the record announces .* bytes, the file has"):
        read_ecg(write(tmp_path, bytes(content[:-10])))
    place = content.index(struct.pack("<IIB", 1, SIGNAL.shape[1], 1))
    content[place + 4 : place + 8] = struct.pack("<I", 2**32 - 1)
    with pytest.raises(EcgFormatError, match=r"announces 429497.* samples in .* bytes"):
        read_ecg(write(tmp_path, with_record_checksum(bytes(content))))


# XML ------------------------------------------------------------------------------------------------------


def test_hl7(tmp_path: Path) -> None:
    check(read_ecg(write(tmp_path, hl7_file(SIGNAL))))


@pytest.mark.parametrize(
    ("increment", "rate"), [(0.002, 500.0), (0.00390625, 256.0), (0.008130081, 123.0), (0.0064, 156.25)]
)
def test_hl7_rates_are_not_rounded(tmp_path: Path, increment: float, rate: float) -> None:
    record = read_ecg(write(tmp_path, hl7_file(SIGNAL, increment=increment)))
    assert record.sampling_rate == rate
    assert record.source.notes == ()


def test_hl7_without_unit_needs_one(tmp_path: Path) -> None:
    path = write(tmp_path, hl7_file(SIGNAL).replace(b'value="5" unit="uV"', b'value="5"'))
    with pytest.raises(EcgFormatError, match=r"does not state its unit \(lead 'I'\); give unit="):
        read_ecg(path)
    check(read_ecg(path, unit="uV"))


def test_muse(tmp_path: Path) -> None:
    check(read_ecg(write(tmp_path, muse_file(SIGNAL))), EIGHT_LEADS)


def test_muse_verifies_checksums_and_units(tmp_path: Path) -> None:
    content = muse_file(SIGNAL)
    with pytest.raises(EcgFormatError, match=r"CRC32 mismatch in lead I "):
        read_ecg(write(tmp_path, re.sub(rb"(<LeadDataCRC32>)\d+", rb"\g<1>1", content)))
    with pytest.raises(EcgFormatError, match="unit 'FURLONGS' is no known voltage"):
        read_ecg(write(tmp_path, content.replace(b"MICROVOLTS", b"FURLONGS")))
    with pytest.raises(EcgFormatError, match="V6 occur more than once"):
        read_ecg(write(tmp_path, content.replace(b"<LeadID>V5<", b"<LeadID>V6<")))


@pytest.mark.parametrize(
    "name", ["singapore1.xml", "gap", "crc.xml", "time1.xml", "name.xml", "truncated", "ecg in time.xml"]
)
def test_the_name_of_a_file_is_no_remark_of_its_parser(tmp_path: Path, name: str) -> None:
    content = muse_file(SIGNAL)
    [rhythm] = re.findall(rb"<Waveform>.*</Waveform>", content, re.DOTALL)
    record = read_ecg(write(tmp_path, content.replace(rhythm, 2 * rhythm), name))
    assert record.source.notes == ("Additional rhythm waveform ignored",)
    with pytest.raises(EcgFormatError, match=r": CRC32 mismatch in lead I \(rhythm\); the file is damaged"):
        read_ecg(write(tmp_path, re.sub(rb"(<LeadDataCRC32>)\d+", rb"\g<1>1", content), name))


@pytest.mark.parametrize(
    "remark",
    [
        "SCP-ECG CRC mismatch in: Section 6",
        "CRC32 mismatch in lead V1 (rhythm)",
        "ISHNE checksum mismatch: stored=0x0001 computed=0x0002",
        "ISHNE: odd number of data bytes, the last byte is ignored. File may be truncated",
        "ISHNE: incomplete final frame, dropped 3 trailing sample(s) not divisible by 12 leads",
        "EDF file truncated: header declares 9 data records, only 2 are complete; reading those",
        "EDF+D file has gaps between data records; leads are the records joined end to end",
        "MFER: waveform data shorter than the frame definition, 2 missing sample(s) set to NaN",
        "MFER: frame declares 1 sequence(s) with no waveform data, they are left out",
        "MFER: frame 2 starts at pointer 9, expected 10; frames are concatenated without a gap",
        "SCP-ECG: Section 4 QRS subtraction zones are truncated, ignored",
    ],
)
def test_remarks_on_what_is_missing_are_refused(remark: str) -> None:
    assert clinical_reader._REFUSED.search(remark)


@pytest.mark.parametrize(
    ("remark", "is_irrelevant"),
    [
        ("MFER: invalid measurement time 07e40101", True),
        ("MFER: invalid birth date 2020-13-1", True),
        ("Unit 'x' of MDC_ECG_TIME_PD_PR not recognised; value ignored", True),
        ("'datetime.datetime' doesn't allow a value of '60' for the seconds", True),
        ("Invalid value for VR UI: '1.2.'", True),
        ("SCP-ECG: Section 5 amplitude multiplier is 0, median beats left unscaled", True),
        ("Sampling rate 123.4500 Hz is not an integer; rounded to 123 Hz", True),
        ("2 rhythm series found; only the first is read", False),
        ("Unrecognised sequences ignored in the rhythm series: ['UPDATED', 'SINGAPORE']", False),
        ("MFER: no sampling interval (MWF_IVL), using the MFER default of 1000 Hz", False),
    ],
)
def test_remarks_that_are_notes(remark: str, is_irrelevant: bool) -> None:
    assert (clinical_reader._IRRELEVANT.search(remark) is not None) == is_irrelevant
    assert not clinical_reader._REFUSED.search(remark)


def test_leads_that_begin_at_different_times_are_refused(tmp_path: Path) -> None:
    later = b"<LeadTimeOffset>2500</LeadTimeOffset><LeadID>V1<"
    with pytest.raises(EcgFormatError, match="not recorded at the same time and rate"):
        read_ecg(write(tmp_path, muse_file(SIGNAL).replace(b"<LeadID>V1<", later)))


def test_philips(tmp_path: Path) -> None:
    check(read_ecg(write(tmp_path, philips_file(SIGNAL))))


def test_the_calibration_pulse_of_philips_is_cut_off(tmp_path: Path) -> None:
    pulse = np.repeat([[0] * 25 + [200] * 50 + [0] * 25], 12, axis=0)
    record = read_ecg(write(tmp_path, philips_file(np.concatenate([SIGNAL, pulse], axis=1).astype(np.int16))))
    check(record)
    assert record.source.notes == ("the last 0.4 s are a calibration pulse and were cut off",)


def codes_of_10_bits(codes: list[int]) -> bytes:
    bits = "".join(f"{code:010b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_lengths_of_packed_leads_are_those_of_the_decoder() -> None:
    lzw = importlib.import_module("ecgdatakit.parsing.codecs.lzw")
    rng = np.random.default_rng(0)
    for _ in range(5):
        codes = [int(rng.integers(256))]
        for place in range(1, 1500):
            codes.append(int(rng.integers(min(256 + place, 1023))))
        packed = codes_of_10_bits(codes)
        assert clinical_checks._unpacked_bytes(packed) == len(lzw.LzwDecoder(packed, bits=10).read_all())


def test_a_bomb_in_a_philips_file_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_VALUES", 1 << 20)
    packed = codes_of_10_bits([0, *range(256, 1023), *[1022] * 3000])
    data = struct.pack("<ihh", len(packed), 0, 0) + packed
    path = write(tmp_path, philips_file(SIGNAL, data=data, compression='compression="XLI"'))
    with pytest.raises(
        EcgFormatError, match=r"announces 1 signals of 12.* samples, more than 1048576 values"
    ):
        read_ecg(path)


ENTITIES = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10 if k else "ha"}">' for k in range(9))


@pytest.mark.parametrize("entity", [ENTITIES, '<!ENTITY a8 SYSTEM "file:///etc/passwd">'])
@pytest.mark.parametrize("writer", [hl7_file, muse_file, philips_file])
def test_entities_are_refused(tmp_path: Path, writer: Any, entity: str) -> None:
    content = writer(SIGNAL).decode().replace("?>", f"?><!DOCTYPE x [{entity}]>", 1)
    with pytest.raises(EcgFormatError, match=r"[Ee]ntit"):
        read_ecg(write(tmp_path, re.sub(r"(</\w+>)$", r"&a8;\1", content).encode()))


def test_absurdly_many_elements_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinical_checks, "_MAX_ELEMENTS", 1000)
    with pytest.raises(EcgFormatError, match="nests 1000 elements or more"):
        read_ecg(write(tmp_path, b"<AnnotatedECG>" + b"<a/>" * 1000 + b"</AnnotatedECG>"))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    for head in (b"<AnnotatedECG>", b"<RestingECG>", b"<restingecgdata>"):
        with pytest.raises(EcgFormatError, match="nests more than 100 deep"):
            read_ecg(write(tmp_path, head + b"<a>" * 500_000))


# Binary ---------------------------------------------------------------------------------------------------


def test_edf(tmp_path: Path) -> None:
    record = read_ecg(write(tmp_path, edf_file(SIGNAL)))
    check(record)
    assert record.source.dropped == ("SpO2",)


def test_edf_as_long_as_it_says(tmp_path: Path) -> None:
    content = edf_file(SIGNAL)
    for damaged in (
        content[:-1],
        content.replace(b"2       1       13", b"9999    1       13"),
        content.replace(b"2       1       13", b"999999991       13"),
    ):
        with pytest.raises(EcgFormatError, match="announces"):
            read_ecg(write(tmp_path, damaged))
    with pytest.raises(EcgFormatError, match="unit 'uV without scale' is no known voltage"):
        read_ecg(write(tmp_path, content.replace(b"-1000   " * 12, b"1000    " * 12)))


def edf_plus(*onsets: int) -> bytes:
    """Return an EDF+D file of one lead, 50 samples a second, whose records begin at the given seconds."""
    fields = [
        ["ECG II", "EDF Annotations"],
        ["", ""],
        ["mV", ""],
        ["-1", "-1"],
        ["1", "1"],
        ["-1000", "-32768"],
    ]
    fields += [["1000", "32767"], ["", ""], ["50", "10"], ["", ""]]
    widths = [16, 80, 8, 8, 8, 8, 8, 80, 8, 32]
    first = [
        "0",
        "X X X X",
        "Startdate X X X X",
        "01.01.20",
        "00.00.00",
        "768",
        "EDF+D",
        str(len(onsets)),
        "1",
        "2",
    ]
    head = "".join(
        f"{text:<{width}}" for text, width in zip(first, [8, 80, 80, 8, 8, 8, 44, 8, 8, 4], strict=True)
    )
    head += "".join(f"{text:<{width}}" for texts, width in zip(fields, widths, strict=True) for text in texts)
    samples = np.arange(50, dtype="<i2").tobytes()
    return head.encode() + b"".join(
        samples + f"+{onset}\x14\x14".encode().ljust(20, b"\0") for onset in onsets
    )


def test_edf_plus_without_gaps_is_read_and_with_gaps_refused(tmp_path: Path) -> None:
    record = read_ecg(write(tmp_path, edf_plus(0, 1, 2)))
    assert (record.leads, record.sampling_rate, record.source.dropped) == (("II",), 50.0, ())
    np.testing.assert_allclose(record.signal, np.tile(np.arange(50), 3)[None] / 1000, atol=1e-6)
    with pytest.raises(EcgFormatError, match="gaps between data records"):
        read_ecg(write(tmp_path, edf_plus(0, 1, 5)))


def test_ishne(tmp_path: Path) -> None:
    signal = SIGNAL.copy()
    signal[3, 7] = -32768
    record = read_ecg(write(tmp_path, ishne_file(signal)))
    assert np.argwhere(np.isnan(record.signal)).tolist() == [[3, 7]]
    assert np.array_equal(np.nan_to_num(record.signal)[4:], MILLIVOLTS[4:].astype(np.float32))


def test_ishne_without_names_needs_them(tmp_path: Path) -> None:
    path = write(tmp_path, ishne_file(SIGNAL, codes=[0] * 12))
    with pytest.raises(EcgFormatError, match="does not state its lead names; give leads="):
        read_ecg(path)
    check(read_ecg(path, leads="standard"))
    with pytest.raises(EcgFormatError, match=r"2 names were given in leads=\['I', 'II'\] for 12 channels"):
        read_ecg(path, leads=["I", "II"])


def test_ishne_as_long_as_it_says(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match="announces 500 samples per lead, the file holds 499"):
        read_ecg(write(tmp_path, ishne_file(SIGNAL)[:-2]))


def test_mfer(tmp_path: Path) -> None:
    check(read_ecg(write(tmp_path, mfer_file(SIGNAL))))


def test_mfer_with_absurd_numbers(tmp_path: Path) -> None:
    content = mfer_file(SIGNAL)
    for old, new in ((b"\x05\x01\x0c", b"\x05\x02\xff\xff"), (b"\x80\x00", b"\x1e\x01\x00" * 5000)):
        with pytest.raises(EcgFormatError, match=r"the file (announces|has) more than"):
            read_ecg(write(tmp_path, content.replace(old, new)))
    with pytest.raises(EcgFormatError, match="definitions nest more than 4 deep"):
        read_ecg(write(tmp_path, content[:34] + b"\x67\x80" * 5000 + content[34:]))
    with pytest.raises(EcgFormatError, match=r"declares .* bytes|shorter than"):
        read_ecg(write(tmp_path, content[:-50]))


# DICOM ----------------------------------------------------------------------------------------------------


def dicom() -> Any:
    return pytest.importorskip("pydicom", reason="the extra [formats] is not installed")


def test_dicom_is_what_pydicom_reads(tmp_path: Path) -> None:
    pydicom = dicom()
    data = importlib.import_module("pydicom.data")
    path = Path(str(data.get_testdata_file("waveform_ecg.dcm")))
    record = read_ecg(path)
    dataset = pydicom.dcmread(path)
    assert record.leads == STANDARD_LEADS
    assert record.sampling_rate == 1000.0
    np.testing.assert_allclose(record.signal, dataset.waveform_array(0).T / 1000, atol=1e-6)
    dataset.WaveformSequence[0].SamplingFrequency = 999.5
    dataset.save_as(tmp_path / "a.dcm")
    assert read_ecg(tmp_path / "a.dcm").sampling_rate == 999.5
    dataset.WaveformSequence = dataset.WaveformSequence[1:]
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(EcgFormatError, match="no recording, at most median beats"):
        read_ecg(tmp_path / "a.dcm")


def test_dicom_with_absurdly_many_items_is_refused(tmp_path: Path) -> None:
    dicom()
    head = b"\0" * 128 + b"DICM" + b"\x00\x54\x00\x01SQ\0\0\xff\xff\xff\xff"
    with pytest.raises(EcgFormatError, match="30000 items, more than 20000"):
        read_ecg(write(tmp_path, head + b"\xfe\xff\x00\xe0\0\0\0\0" * 30_000))


def test_dicom_that_is_deflated_is_refused(tmp_path: Path) -> None:
    dicom()
    head = b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    with pytest.raises(EcgFormatError, match="deflated as a whole"):
        read_ecg(write(tmp_path, head + b"\0" * 100))


# All ------------------------------------------------------------------------------------------------------


def test_without_ecgdatakit_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(errors, "import_module", fail)
    message = r'SCP-ECG files are read by ecgdatakit, which is missing: pip install "ssl_ecg_hf\[formats\]"'
    with pytest.raises(EcgFormatError, match=message):
        read_ecg(write(tmp_path, scp_file(SIGNAL)))


def test_large_files_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(EcgFormatError, match=r"the file has \d+ bytes, more than 16777216"):
        read_ecg(write(tmp_path, hl7_file(SIGNAL) + b" " * (1 << 24)))


@pytest.mark.parametrize(
    "writer", [scp_file, hl7_file, muse_file, philips_file, edf_file, ishne_file, mfer_file]
)
def test_no_file_is_contradicted(tmp_path: Path, writer: Any) -> None:
    path = write(tmp_path, writer(SIGNAL))
    read_ecg(path, sampling_rate=250, unit="uV")
    for given in ({"sampling_rate": 500}, {"unit": "mV"}, {"leads": ["I"]}):
        with pytest.raises(EcgFormatError, match="given, but the file states"):
            read_ecg(path, **given)  # type: ignore[arg-type]


# Real files, each compared with its own bytes -------------------------------------------------------------


def real(name: str) -> Path:
    path = REAL / name
    if not path.is_file():
        pytest.skip("the clinical files are not beside the repository (../shared/formats)")
    return path


def limb_residual(record: EcgRecord) -> float:
    one, two, three = (record.select_leads([lead]).signal[0] for lead in ("I", "II", "III"))
    return float(np.abs(three - (two - one)).max())


def base64_of(text: str | None) -> NDArray[np.int16]:
    return np.frombuffer(base64.b64decode(text or ""), "<i2")


@pytest.mark.real_data
def test_real_dicom() -> None:
    path = real("dicom/anonymous_ecg.dcm")
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal, dicom().dcmread(path).waveform_array(0).T / 1000, atol=1e-6)
    assert (record.leads, record.sampling_rate, record.duration) == (STANDARD_LEADS, 1000.0, 10.0)
    assert limb_residual(record) < 1e-6


@pytest.mark.real_data
def test_real_edf() -> None:
    path = real("edf/rigacci_contec_0000050.edf")
    record = read_ecg(path)
    content = path.read_bytes()
    # One sample of each of 12 signals a record of 1.25 ms; -32768..32767 stand for -1000..1000 mV.
    counts = np.frombuffer(content, "<i2", offset=256 * 13).reshape(-1, 12).T.astype(float)
    np.testing.assert_allclose(record.signal, (counts + 32768) * (2000 / 65535) - 1000, atol=1e-4)
    assert (record.leads, record.sampling_rate, record.source.unit) == (STANDARD_LEADS, 800.0, "mV")
    assert limb_residual(record) < 0.0306  # a step


@pytest.mark.real_data
def test_real_muse() -> None:
    path = real("ge_muse_xml/braveheart_example1.xml")
    record = read_ecg(path)
    root = ET.fromstring(path.read_bytes())
    [rhythm] = [wave for wave in root.findall("Waveform") if wave.findtext("WaveformType") == "Rhythm"]
    stored = {lead.findtext("LeadID"): lead for lead in rhythm.findall("LeadData")}
    assert record.leads == EIGHT_LEADS
    assert record.sampling_rate == float(rhythm.findtext("SampleBase") or 0) == 500.0
    for lead, row in zip(record.leads, record.signal, strict=True):
        assert stored[lead].findtext("LeadAmplitudeUnits") == "MICROVOLTS"
        step = float(stored[lead].findtext("LeadAmplitudeUnitsPerBit") or 0)
        counts = base64_of(stored[lead].findtext("WaveFormData"))
        np.testing.assert_allclose(row, counts * step / 1000, atol=1e-6)


@pytest.mark.real_data
def test_real_hl7() -> None:
    path = real("hl7_aecg/FDA_subject1_0.xml")
    record = read_ecg(path)
    space = "{urn:hl7-org:v3}"
    series = ET.fromstring(path.read_bytes()).find(f"{space}component/{space}series")
    assert series is not None
    stored = {}
    for sequence in series.findall(f"{space}component/{space}sequenceSet/{space}component/{space}sequence"):
        code, digits = sequence.find(f"{space}code"), sequence.find(f".//{space}digits")
        scale = sequence.find(f".//{space}scale")
        if code is not None and digits is not None and scale is not None:
            name = code.attrib["code"].removeprefix("MDC_ECG_LEAD_")
            assert scale.attrib["unit"] == "uV"
            stored[name] = np.array((digits.text or "").split(), float) * float(scale.attrib["value"])
    assert len(record.leads) == len(stored) == 12
    for lead, row in zip(record.leads, record.signal, strict=True):
        np.testing.assert_allclose(row, stored[lead.upper()] / 1000, atol=1e-6)
    assert (record.sampling_rate, record.duration) == (500.0, 10.0)
    assert limb_residual(record) < 1e-6


@pytest.mark.real_data
def test_real_ishne() -> None:
    path = real("ishne/ECG_P28.01.ecg")
    record = read_ecg(path)
    counts = np.frombuffer(path.read_bytes(), "<i2", offset=522).reshape(-1, 12).T
    np.testing.assert_allclose(record.signal, counts * 0.005, atol=1e-6)
    assert (record.leads, record.sampling_rate) == (STANDARD_LEADS, 1000.0)
    assert limb_residual(record) < 1e-6


@pytest.mark.real_data
def test_real_mfer() -> None:
    record = read_ecg(real("mfer/monk_test-file.MWF"))
    assert (record.leads, record.sampling_rate) == (("II", "V5"), 250.0)
    assert record.signal.shape == (2, 178337)
    assert not np.isnan(record.signal).any()
    assert record.source.dropped == ("Code49162", "Code49170", "Code49171")  # pressures in mmHg
    assert record.source.notes == ("6.65 s at the ends hold no samples and were cut off",)
    assert 0.6 < record.signal.max() < 0.8
    # Steps of 2 uV.
    np.testing.assert_allclose(record.signal * 500, np.rint(record.signal * 500), atol=1e-3)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "seconds", "steps"), [("129DYPRG.XML", 10.528, 2), ("2020-5-18_15-48-11.xml", 10.6, 0)]
)
def test_real_philips(name: str, seconds: float, steps: int) -> None:
    path = real(f"philips_xml/{name}")
    record = read_ecg(path)
    assert (record.leads, record.sampling_rate, record.duration) == (STANDARD_LEADS, 500.0, seconds)
    assert "calibration pulse" in record.source.notes[0]
    assert limb_residual(record) < 0.005 * (steps + 0.01)
    # What the cart measured itself, in uV: the highest wave of a beat; baseline and beats vary.
    content = path.read_bytes()
    text = content.decode("utf-16" if content[:2] == b"\xff\xfe" else "latin-1")
    waves = re.findall(
        r'<leadmeasurement leadname="(\w+)".*?<ramp>(\d+)</ramp>.*?<tamp>(-?\d+)</tamp>', text, re.DOTALL
    )
    assert len(waves) == 12
    for lead, *amplitudes in waves:
        row = record.select_leads([lead]).signal[0]
        top = float(np.percentile(row, 99.8) - np.median(row))
        assert top == pytest.approx(max(map(int, amplitudes)) / 1000, rel=0.3, abs=0.2)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "leads"),
    [
        ("farhad_ECG_20060620_112352_ANON000002.SCP", ("I", "II", "V3R", "V1", "V2", "V4", "V6", "V7")),
        ("farhad_ECG_20081029_105642_ANON000010.SCP", EIGHT_LEADS),
    ],
)
def test_real_scp(name: str, leads: tuple[str, ...]) -> None:
    path = real(f"scp/{name}")
    record = read_ecg(path)
    assert (record.leads, record.sampling_rate, record.duration) == (leads, 600.0, 10.0)
    assert record.source.unit == "uV"
    # Steps of 3.75 uV.
    np.testing.assert_allclose(record.signal / 0.00375, np.rint(record.signal / 0.00375), atol=1e-3)
    assert 0.5 < np.ptp(record.signal, axis=1).min() < np.ptp(record.signal, axis=1).max() < 3.5


@pytest.mark.real_data
def test_other_real_files_are_refused() -> None:
    with pytest.raises(
        EcgFormatError, match=r"the beats of an ISHNE recording, which lies in the \.ecg file"
    ):
        read_ecg(real("ishne/ECG_P28.01.ann"))
