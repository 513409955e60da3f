"""Files of electrocardiographs and Holter recorders, parsed by ecgdatakit and checked here.

======================  ============================================================================
SCP-ECG                 states all; Huffman-coded, with checksums; 8 leads as a rule
HL7 aECG                states all; a median beat lies beside the recording and is not read
GE MUSE XML             states all; 8 leads as a rule, a median beat beside them
Philips Sierra XML      states all; packed by LZW; ends in a calibration pulse, which is cut off
DICOM waveform          states all; a median beat beside the recording
EDF, EDF+               states all; channels may be of any kind and rate
ISHNE Holter            states all, or codes of leads without a name: then ``leads`` must be given
MFER                    states all but perhaps names of leads; channels may be of any kind and rate
======================  ============================================================================

ecgdatakit (Apache-2.0) was compared with the bytes of real files, and with what the files say of themselves,
for units, rates, names and samples. It is right in these; what is made good here is that it

- rounds sampling rates to whole Hz: the exact one is taken from where it keeps it;
- leaves the calibration pulse of Philips, 1 mV in all leads at once, at the end of the signal;
- gives the value of ISHNE for a lead that came off (-32768) as a voltage: here it is NaN;
- goes on with a warning where data are missing or a checksum is wrong: here it is refused;
- renames a lead that occurs twice, so that the second one gets lost: refused, too;
- takes the memory that a header asks for: :mod:`.clinical_checks` looks at the header first.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord, RecordSource
from ..units import MICROVOLTS_PER_UNIT
from . import clinical_checks
from .arrays import check_bytes, check_values, to_millivolts
from .channels import Clock, recorded_together
from .errors import optional_module
from .statement import Given, settle, standard_names

_MIB = 1 << 20
_ISHNE_LEAD_OFF = -32768
_SAME_RATE = 1e-4
_CALIBRATION_SECONDS = 0.05
_AGES = range(131)  # years; some formats have 255 for unknown
# What parsers call a lead that the file does not name.
_UNNAMED = re.compile(r"(Lead ?|Ch|Channel |Unspecified_?)\d*")
_TWICE = re.compile(r"(.+)_\d+")
# Short words stand between other signs than letters: "CRC32" is a "crc", and "Singapore" has no "gap".
_REFUSED = re.compile(
    r"checksum|truncated|missing sample|no waveform data|incomplete|odd number"
    r"|(?<![a-z])(crc|gap|pointer)s?(?![a-z])",
    re.IGNORECASE,
)
_IRRELEVANT = re.compile(
    r"median|representative|reference beat|birth|not an integer"
    r"|(?<![a-z])(date|time|datetime|name|age|vr)s?(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ClinicalFormat:
    """One format: how it is recognised, what is verified first, and what parses it.

    Args:
        name: of the format.
        suffixes: usual ones, in lower case.
        sniff: tells from the first bytes whether a file is one.
        parser: module and class within ``ecgdatakit.parsing.parsers``.
        most: bytes beyond which a file is refused.
        check: verifies that what the file announces fits its length.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, Path], bool]
    parser: tuple[str, str]
    most: int
    check: Callable[[Path], None] = clinical_checks.check_nothing


def _begins(*magic: bytes, at: int = 0) -> Callable[[bytes, Path], bool]:
    return lambda head, _path: head[at:].startswith(magic)


def _xml(pattern: str) -> Callable[[bytes, Path], bool]:
    tag = re.compile(pattern, re.IGNORECASE)

    def sniff(head: bytes, _path: Path) -> bool:
        wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
        return tag.search(head.decode("utf-16" if wide else "latin-1", errors="ignore")) is not None

    return sniff


def _is_scp(head: bytes, _path: Path) -> bool:
    """Section 0 follows the length of the record, and its first pointer is to itself, at byte 7."""
    return len(head) > 32 and head[8:10] == head[22:24] == b"\0\0" and head[28:32] == b"\x07\0\0\0"


def _is_edf(head: bytes, _path: Path) -> bool:
    return head.startswith(b"0       ") and len(head) > 256 and head[252:256].strip().isdigit()


def _is_mfer(head: bytes, _path: Path) -> bool:
    return head[:1] == b"@" and head[2:6] == b"MFR "


CLINICAL: tuple[ClinicalFormat, ...] = (
    ClinicalFormat(
        "SCP-ECG", (".scp",), _is_scp, ("scp_ecg", "SCPECGParser"), 4 * _MIB, clinical_checks.check_scp
    ),
    ClinicalFormat(
        "HL7 aECG",
        (".xml",),
        _xml(r"<([a-z_][\w.-]*:)?AnnotatedECG\b"),
        ("hl7_aecg", "HL7aECGParser"),
        16 * _MIB,
        clinical_checks.check_xml,
    ),
    ClinicalFormat(
        "Philips Sierra XML",
        (".xml",),
        _xml(r"<restingecgdata\b"),
        ("sierra_xml", "SierraXMLParser"),
        16 * _MIB,
        clinical_checks.check_philips,
    ),
    ClinicalFormat(
        "GE MUSE XML",
        (".xml",),
        _xml(r"<RestingECG[\s>]"),
        ("ge_muse_xml", "GEMuseXMLParser"),
        16 * _MIB,
        clinical_checks.check_xml,
    ),
    ClinicalFormat(
        "DICOM",
        (".dcm", ".dicom"),
        _begins(b"DICM", at=128),
        ("dicom_waveform", "DICOMWaveformParser"),
        32 * _MIB,
        clinical_checks.check_dicom,
    ),
    ClinicalFormat("EDF", (".edf",), _is_edf, ("edf", "EDFParser"), 256 * _MIB, clinical_checks.check_edf),
    ClinicalFormat(
        "ISHNE",
        (".ecg",),
        _begins(b"ISHNE1.0"),
        ("ishne_holter", "ISHNEHolterParser"),
        256 * _MIB,
        clinical_checks.check_ishne,
    ),
    ClinicalFormat(
        "MFER",
        (".mwf", ".mfer", ".mfr"),
        _is_mfer,
        ("mfer", "MFERParser"),
        64 * _MIB,
        clinical_checks.check_mfer,
    ),
)
"""In the order in which they are tried."""


def read_clinical(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
    of: ClinicalFormat,
) -> EcgRecord:
    """Read a file of one of the formats above.

    Args:
        path: the file.
        sampling_rate: in Hz; needless, and must agree with the file.
        leads: names of the channels that are voltages, where the file has no names; else they must agree.
        unit: where the file does not state it; else it must agree.
        of: the format, one of ``CLINICAL``.

    Returns:
        The recording, float32 (leads, samples) in mV, NaN where invalid. Channels that are no voltages, or of
        another rate or length than the leads, are left out.

    Raises:
        EcgFormatError: if ecgdatakit is not installed, the file is damaged, or something is not known.
    """
    check_bytes(path, of.most)
    module, name = of.parser
    module = f"ecgdatakit.parsing.parsers.{module}"
    parser = getattr(optional_module(module, what=of.name), name)
    if of.name == "DICOM":
        optional_module("pydicom", what=of.name)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            of.check(path)
            parsed = parser().parse(path)
            channels = _channels(parsed, of.name)
        except EcgFormatError:
            raise
        except Exception as error:  # of any type, on files that lie
            raise clinical_checks.damaged(error) from error
    remarks = [
        _without_name(str(warning.message), path)
        for warning in caught
        if issubclass(warning.category, UserWarning)
    ]
    if refused := [remark for remark in remarks if _REFUSED.search(remark)]:
        raise EcgFormatError(f"{refused[0]}; the file is damaged or incomplete, fetch it again")
    notes = [remark for remark in remarks if not _IRRELEVANT.search(remark)]
    return _to_record(parsed, channels, notes, path, Given(sampling_rate, leads, unit), of.name)


def _without_name(remark: str, path: Path) -> str:
    """Cut the name of the file, which may be any word, off a remark that ends in it."""
    for name in (str(path), path.name):
        remark = remark.removesuffix(f" in {name}").removesuffix(f" of {name}")
    return remark


@dataclass(frozen=True)
class _Channel:
    """A channel as a parser gives it: ``values * scale + offset`` is in ``unit``, None where not stated."""

    name: str
    rate: float
    unit: str | None
    values: NDArray[np.float64]
    scale: float
    offset: float
    start: str


def _channels(parsed: Any, form: str) -> list[_Channel]:
    """Return what the file holds beside median beats, with exact rates."""
    rates = _exact_rates(parsed, form)
    channels = []
    for index, lead in enumerate(parsed.leads):
        values = np.asarray(lead.samples, dtype=np.float64)
        if form == "ISHNE":
            values[values == _ISHNE_LEAD_OFF] = np.nan
        raw = bool(lead.is_raw)
        channels.append(
            _Channel(
                name=str(lead.label).strip(),
                rate=float(rates.get(index, lead.sampling_rate)),
                unit=_unit(lead),
                values=values,
                scale=float(lead.resolution) if raw else 1.0,
                offset=float(lead.offset) if raw else 0.0,
                start=str(lead.annotations.get("start_sample", lead.annotations.get("LeadTimeOffset", ""))),
            )
        )
    return channels


def _unit(lead: Any) -> str | None:
    """Return the unit of a lead; None where there is none, and no known unit where its scale is senseless."""
    if lead.resolution_unit:
        return str(lead.resolution_unit)
    # Here parsers leave a unit that is no voltage, and one whose scale is senseless.
    unit = str(lead.adc_resolution_unit)
    return f"{unit} without scale" if unit in MICROVOLTS_PER_UNIT else unit or None


def _exact_rates(parsed: Any, form: str) -> dict[int, float]:
    """Return the sampling rates in Hz, by index, that the parser has rounded."""
    kept, leads = parsed.raw_metadata, parsed.leads
    rates: dict[int, float] = {}
    if not leads:
        return rates
    if form == "EDF":
        exact = kept.get("exact_sampling_rates", {})
        rates = {index: exact[lead.label] for index, lead in enumerate(leads) if lead.label in exact}
    elif form == "MFER":
        rates = dict(enumerate(kept.get("sampling_rates", [])))
    elif form == "DICOM":
        group = next(
            each
            for each in kept["multiplex_groups"]
            if each["samples"] == len(leads[0].samples)
            and round(each["sampling_frequency"]) == leads[0].sampling_rate
        )
        rates = dict.fromkeys(range(len(leads)), group["sampling_frequency"])
    elif form == "HL7 aECG":
        rates = dict.fromkeys(range(len(leads)), kept["rhythm_time"]["sampling_rate_exact"])
    # An interval of 0.002 s is 500 Hz, and its inverse not quite.
    return {
        index: round(rate) if abs(rate - round(rate)) < _SAME_RATE * rate else rate
        for index, rate in rates.items()
    }


def _to_record(
    parsed: Any, channels: list[_Channel], notes: list[str], path: Path, given: Given, form: str
) -> EcgRecord:
    if not channels:
        raise EcgFormatError("the file holds no recording, at most median beats")
    names = [channel.name for channel in channels]
    kept = _leads(channels)
    known = settle(
        given,
        sampling_rate=channels[kept[0]].rate,
        leads=_stated_names([names[index] for index in kept]),
        units=[channels[index].unit for index in kept],
    )
    check_values(len(kept), len(channels[kept[0]].values))
    scales = [
        channels[index].scale * millivolts for index, millivolts in zip(kept, known.millivolts, strict=True)
    ]
    offsets = [
        channels[index].offset * millivolts for index, millivolts in zip(kept, known.millivolts, strict=True)
    ]
    signal = to_millivolts((channels[index].values for index in kept), scales, offsets)
    signal = _without_ends(signal, known.sampling_rate, form, notes)
    patient = parsed.patient
    return EcgRecord(
        signal=signal,
        sampling_rate=known.sampling_rate,
        leads=known.leads,
        record_id=path.stem,
        patient_id=patient.patient_id or None,
        metadata={
            "age": patient.age if patient.age in _AGES else None,
            "sex": {"M": "male", "F": "female"}.get(patient.sex),
        },
        source=RecordSource(
            format=form,
            unit=known.unit,
            dropped=tuple(name for index, name in enumerate(names) if index not in kept),
            notes=tuple(notes),
        ),
    )


def _leads(channels: list[_Channel]) -> list[int]:
    """Return which channels are the recording."""
    names = [channel.name for channel in channels]
    if twice := [
        match[1] for name in names if (match := _TWICE.fullmatch(name)) and standard_names([match[1]])
    ]:
        raise EcgFormatError(f"lead(s) {', '.join(twice)} occur more than once; export one recording a file")
    return recorded_together(
        names,
        [channel.unit for channel in channels],
        [Clock(channel.rate, len(channel.values), channel.start) for channel in channels],
    )


def _stated_names(names: list[str]) -> list[str] | None:
    """Return the names, or None where the file has none."""
    unnamed = [name for name in names if not name or _UNNAMED.fullmatch(name)]
    return names if len(unnamed) < len(names) else None


def _without_ends(
    signal: NDArray[np.float32], rate: float, form: str, notes: list[str]
) -> NDArray[np.float32]:
    """Cut off what is no recording: ends without any sample, and the calibration pulse of Philips."""
    present = np.flatnonzero(~np.isnan(signal).all(axis=0))
    if not len(present):
        raise EcgFormatError("no lead holds a valid sample")
    first, last = int(present[0]), int(present[-1]) + 1
    if first or last < signal.shape[1]:
        notes.append(
            f"{(signal.shape[1] - last + first) / rate:.3g} s at the ends hold no samples and were cut off"
        )
        signal = signal[:, first:last]
    if form == "Philips Sierra XML" and len(signal) > 1:
        # Leads are sums and differences of each other: all alike, none is measured.
        differ = np.flatnonzero((signal != signal[:1]).any(axis=0))
        end = int(differ[-1]) + 1 if len(differ) else 0
        pulse = signal[:, end:]
        if pulse.shape[1] > _CALIBRATION_SECONDS * rate and end and np.abs(pulse).max() > 0:
            notes.append(f"the last {pulse.shape[1] / rate:.3g} s are a calibration pulse and were cut off")
            signal = signal[:, :end]
    return signal
