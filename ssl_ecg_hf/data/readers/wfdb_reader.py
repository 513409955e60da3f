"""WFDB records (PhysioNet): a ``.hea`` header beside one or more signal files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..format16 import INVALID_SAMPLE, parse_header, read_adc
from ..record import EcgFormatError, EcgRecord
from ..units import millivolts_per

MISSING_SIGNAL = "the header names the signal file {}, which is missing; put it beside the header"
MAX_SAMPLES = 500_000_000
"""A header that asks for more values than this (leads x samples) is taken for damaged."""


def _verify_checksums(stem: Path, header: Any) -> None:
    """Compare the checksum of every signal with the header, segment by segment."""
    import wfdb

    if isinstance(header, wfdb.MultiRecord):
        for name, length in zip(header.seg_name, header.seg_len, strict=True):
            if name != "~" and length:
                segment = stem.with_name(name)
                _verify_checksums(segment, wfdb.rdheader(str(segment)))
        return
    if header.checksum is None or all(value is None for value in header.checksum):
        return
    record = wfdb.rdrecord(str(stem), physical=False, smooth_frames=False)
    sums = record.calc_checksum(expanded=True)
    damaged = [
        str(lead)
        for lead, found, stated in zip(record.sig_name, sums, header.checksum, strict=True)
        if stated is not None and found % 65536 != stated % 65536
    ]
    if damaged:
        raise EcgFormatError(
            f"checksum of {stem.name} does not match in lead(s) {', '.join(damaged)}: the signal file was "
            "damaged or changed; fetch it again"
        )


def _refuse_overrides(sampling_rate: float | None, leads: Sequence[str] | None, unit: str | None) -> None:
    given = {"sampling_rate": sampling_rate, "leads": leads, "unit": unit}
    if stated := [name for name, value in given.items() if value is not None]:
        raise EcgFormatError(
            f"{', '.join(stated)} cannot be given for a WFDB record, its header states that; "
            "leave the argument out, and correct the header if it is wrong"
        )


def read_wfdb(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a WFDB record; rate, leads and units come from its header.

    Args:
        path: the ``.hea`` or ``.dat`` file, or the name without suffix.
        sampling_rate: must be None, the header states it (Hz).
        leads: must be None, the header states them.
        unit: must be None, the header states it.

    Returns:
        The record, float32 (leads, samples) in mV; samples marked invalid are NaN.

    Raises:
        EcgFormatError: if a file is missing, truncated, damaged, or a signal is no voltage.
    """
    _refuse_overrides(sampling_rate, leads, unit)
    stem = path.with_suffix("") if path.suffix.lower() in {".hea", ".dat"} else path
    header_path = stem.with_name(stem.name + ".hea")
    if not header_path.is_file():
        raise EcgFormatError(f"{header_path.name} does not exist; a WFDB record needs its .hea header")
    if (plain := _read_plain(header_path)) is not None:
        return plain
    import wfdb  # takes a second, with pandas and matplotlib: only where a record needs it

    try:
        header = wfdb.rdheader(str(stem))
        if (header.sig_len or 0) * (header.n_sig or 0) > MAX_SAMPLES:
            raise EcgFormatError(
                f"the header announces {header.n_sig} signals of {header.sig_len} samples, more than "
                f"{MAX_SAMPLES} values; it is damaged, or cut the record into parts"
            )
        _verify_checksums(stem, header)
        record = wfdb.rdrecord(str(stem), m2s=True)
    except EcgFormatError:
        raise
    except FileNotFoundError as error:
        raise EcgFormatError(MISSING_SIGNAL.format(error.filename)) from error
    except Exception as error:  # wfdb raises errors of many types on damaged input
        raise EcgFormatError(
            f"header or signal file are damaged or truncated, fetch both again (wfdb says: {error})"
        ) from error
    return _to_record(record, stem)


def _read_plain(header_path: Path) -> EcgRecord | None:
    """Read the plainest layout, one file of int16 samples, fifty times as fast; None if it is another one."""
    try:
        text = header_path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        return None
    header = parse_header(text)
    if header is None or header.num_samples * len(header.leads) > MAX_SAMPLES:
        return None
    data = header_path.with_name(header.file_name)
    if data.is_file() and data.stat().st_size > 2 * header.num_samples * len(header.leads):
        return None  # what stands behind the announced samples is left to wfdb
    try:
        adc = read_adc(header, header_path).T
    except FileNotFoundError as error:
        raise EcgFormatError(MISSING_SIGNAL.format(header.file_name)) from error
    except EcgFormatError as error:
        raise EcgFormatError(f"{error}; the signal file was damaged or changed, fetch it again") from error
    baselines, gains = (np.array(values, dtype=np.float64) for values in (header.baselines, header.gains))
    physical = (adc - baselines[:, None]) / gains[:, None]
    physical[adc == INVALID_SAMPLE] = np.nan
    millivolts = np.array([millivolts_per(unit) for unit in header.units])
    return EcgRecord(
        signal=physical * millivolts[:, None],
        sampling_rate=header.sampling_rate,
        leads=header.leads,
        record_id=header_path.stem,
        metadata={"comments": [line.strip(" \t#") for line in text.splitlines() if line.startswith("#")]},
    )


def _to_record(record: Any, stem: Path) -> EcgRecord:
    if record.p_signal is None or not record.n_sig:
        raise EcgFormatError("the record has no signals")
    millivolts = np.array([millivolts_per(str(unit)) for unit in record.units])
    return EcgRecord(
        signal=(record.p_signal * millivolts).T,
        sampling_rate=float(record.fs),
        leads=tuple(str(name) for name in record.sig_name),
        record_id=stem.name,
        metadata={"comments": list(record.comments or [])},
    )
