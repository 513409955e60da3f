"""WFDB records (PhysioNet): a ``.hea`` header beside one or more signal files, ``.dat``, ``.mat`` or others.

The header states everything: sampling rate, unit, gain and name of each signal, and mostly a checksum.
A frame of a record may hold several samples of a signal: its rate is as many times that of the frames.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..format16 import INVALID_SAMPLE, parse_header, read_adc
from ..record import EcgFormatError, EcgRecord, RecordSource
from .arrays import check_values, to_millivolts
from .channels import Clock, recorded_together
from .statement import Given, settle
from .wfdb_checks import verify

FORMAT = "WFDB"
MISSING_SIGNAL = "the header names the signal file {}, which is missing; put it beside the header"
_MAX_HEADER = 1 << 20  # bytes
# Name, signals, and mostly rate and length.
_RECORD_LINE = re.compile(r"[^\s/]+(/\d+)? +\d+( +\d[\d.e+-]*(/[\d.e+-]+)?(\([\d.+-]+\))?( +\d+.*)?)?")


def sniff(head: bytes, path: Path) -> bool:
    """Tell whether the file is a WFDB header, or a signal file that the header beside it names."""
    if path.suffix == ".hea":  # as wfdb requires; a table of numbers may look like one
        return _is_header(head)
    header = header_of(path)
    return header != path and header.is_file() and path.name in first_words(header)


def header_of(path: Path) -> Path:
    """Return the header of a record that is named by its header, a signal file, or without suffix."""
    whole = path.with_name(f"{path.name}.hea")
    return whole if whole.is_file() or not path.suffix else path.with_suffix(".hea")


def _is_header(head: bytes) -> bool:
    lines = (line.strip() for line in head.decode("latin-1").splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return head.isascii() and _RECORD_LINE.fullmatch(first) is not None


def first_words(header: Path) -> list[str]:
    """Return what the lines of a header begin with: the name of the record, then those of its files."""
    with header.open("rb") as file:
        lines = file.read(_MAX_HEADER).decode("latin-1").splitlines()
    return [line.split(maxsplit=1)[0] for line in lines if line.strip() and not line.startswith("#")]


def read_wfdb(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a WFDB record; rate, leads and units come from its header.

    Args:
        path: the header, a signal file that lies beside it, or the name without suffix.
        sampling_rate: in Hz; needless, and must agree with the header.
        leads: needless, and must agree with the header.
        unit: needless, and must agree with the header.

    Returns:
        The record, float32 (leads, samples) in mV; samples marked invalid are NaN. Signals that are no
        voltages, a pressure say, or of another rate than the leads, are left out.

    Raises:
        EcgFormatError: if a file is missing, truncated, damaged, or one of the twelve leads is no voltage or
            of another rate than the others.
    """
    given = Given(sampling_rate, leads, unit)
    header_path = header_of(path)
    if not header_path.is_file():
        raise EcgFormatError(f"{header_path.name} does not exist; a WFDB record needs its .hea header")
    if header_path.stat().st_size > _MAX_HEADER:
        raise EcgFormatError(f"the header has more than {_MAX_HEADER} bytes; it is damaged")
    if (plain := _read_plain(header_path, given)) is not None:
        return plain
    return _read_any(header_path.with_suffix(""), given)


def _read_any(stem: Path, given: Given = Given()) -> EcgRecord:  # noqa: B008  (frozen)
    """Read a record of any layout by wfdb."""
    import wfdb  # takes a second, with pandas and matplotlib: only where a record needs it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of wfdb and numpy on damaged input; the checks decide
            signals = verify(stem)
            record = wfdb.rdrecord(str(stem), m2s=True, smooth_frames=False)
        for row, signal, skew in zip(record.e_p_signal, signals, record.skew or [], strict=False):
            if skew:  # at the end wfdb marks as many samples, not frames
                row[-skew * signal.per_frame :] = np.nan
    except EcgFormatError:
        raise
    except FileNotFoundError as error:
        raise EcgFormatError(MISSING_SIGNAL.format(error.filename)) from error
    except Exception as error:  # wfdb raises errors of many types on damaged input
        raise EcgFormatError(
            f"header or signal file are damaged or truncated, fetch both again (wfdb says: {error})"
        ) from error
    return _build(
        record.e_p_signal,
        names=[signal.name for signal in signals],
        units=[signal.unit for signal in signals],
        rates=[float(record.fs) * signal.per_frame for signal in signals],
        record_id=stem.name,
        comments=list(record.comments or []),
        given=given,
    )


def _read_plain(header_path: Path, given: Given = Given()) -> EcgRecord | None:  # noqa: B008  (frozen)
    """Read the plainest layout, one file of int16 samples, fifty times as fast; None if it is another one."""
    try:
        text = header_path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        return None
    header = parse_header(text)
    if header is None:
        return None
    check_values(len(header.leads), header.num_samples)
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
    return _build(
        list(physical),
        names=header.leads,
        units=header.units,
        rates=[header.sampling_rate] * len(header.leads),
        record_id=header_path.stem,
        comments=[line.strip(" \t#") for line in text.splitlines() if line.startswith("#")],
        given=given,
    )


def _build(
    rows: Sequence[NDArray[np.float64]],
    *,
    names: Sequence[str],
    units: Sequence[str],
    rates: Sequence[float],
    record_id: str,
    comments: list[str],
    given: Given,
) -> EcgRecord:
    clocks = [Clock(rate, len(row)) for rate, row in zip(rates, rows, strict=True)]
    kept = recorded_together(names, units, clocks)
    known = settle(
        given,
        sampling_rate=rates[kept[0]],
        leads=[names[index] for index in kept],
        units=[units[index] for index in kept],
    )
    return EcgRecord(
        signal=to_millivolts((rows[index] for index in kept), known.millivolts),
        sampling_rate=known.sampling_rate,
        leads=known.leads,
        record_id=record_id,
        metadata={"comments": comments},
        source=RecordSource(
            format=FORMAT,
            unit=known.unit,
            dropped=tuple(name for index, name in enumerate(names) if index not in kept),
        ),
    )
