"""A fast reader for the plainest WFDB layout, the one PTB-XL uses: one file of interleaved int16 samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .record import EcgFormatError, standard_lead_name
from .units import MICROVOLTS_PER_UNIT

INVALID_SAMPLE = -32768
"""What WFDB format 16 stores where there is no valid sample."""

_RECORD_LINE = re.compile(
    r"(?P<name>[\w-]+) (?P<leads>\d{1,3}) (?P<rate>\d+(?:\.\d+)?) (?P<samples>\d{1,9})(?: .*)?"
)
_SIGNAL_LINE = re.compile(
    r"(?P<file>[\w.-]+) 16 (?P<gain>\d{1,9}(?:\.\d{1,9})?)(?:\((?P<baseline>-?\d{1,9})\))?(?:/(?P<unit>\S+))?"
    r" \d{1,9} (?P<zero>-?\d{1,9}) -?\d{1,9} (?P<checksum>-?\d{1,9}) 0 (?P<lead>\S.*)"
)


@dataclass(frozen=True)
class Format16Header:
    """What the header says; ``gains`` in ADC units per ``units``, ``checksums`` modulo 65536."""

    file_name: str
    sampling_rate: float
    num_samples: int
    leads: tuple[str, ...]
    units: tuple[str, ...]
    gains: tuple[float, ...]
    baselines: tuple[int, ...]
    checksums: tuple[int, ...]


def parse_header(text: str) -> Format16Header | None:
    """Parse a WFDB header, or return None if it is anything but one plain format 16 file.

    Args:
        text: content of the ``.hea`` file.

    Returns:
        The header, or None: then the complete reader (:func:`ssl_ecg_hf.data.read_ecg`) is needed.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not (record := _RECORD_LINE.fullmatch(lines[0])):
        return None
    signals = [match for line in lines[1:] if (match := _SIGNAL_LINE.fullmatch(line))]
    if not signals or not len(signals) == len(lines) - 1 == int(record["leads"]):
        return None
    if len({signal["file"] for signal in signals}) > 1 or any(
        float(signal["gain"]) == 0 for signal in signals
    ):
        return None
    return Format16Header(
        file_name=signals[0]["file"],
        sampling_rate=float(record["rate"]),
        num_samples=int(record["samples"]),
        leads=tuple(signal["lead"].strip() for signal in signals),
        units=tuple(signal["unit"] or "mV" for signal in signals),
        gains=tuple(float(signal["gain"]) for signal in signals),
        baselines=tuple(int(signal["baseline"] or signal["zero"]) for signal in signals),
        checksums=tuple(int(signal["checksum"]) % 65536 for signal in signals),
    )


@lru_cache(maxsize=64)
def lead_order(available: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    """Return the positions of ``wanted`` leads among ``available`` ones, matched by name.

    Raises:
        EcgFormatError: if a lead is missing or occurs twice.

    Example:
        >>> lead_order(("V1", "AVR", "I"), ("I", "aVR"))
        (2, 1)
    """
    names = [standard_lead_name(name) for name in available]
    if missing := [name for name in wanted if names.count(name) != 1]:
        raise EcgFormatError(f"lead(s) {missing} are missing or occur more than once; the leads are {names}")
    return tuple(names.index(name) for name in wanted)


def to_microvolts(
    adc: NDArray[np.int16], gain: NDArray[np.float64], baseline: NDArray[np.int64]
) -> NDArray[np.int16]:
    """Convert ADC units to whole microvolts.

    Args:
        adc: shape (leads, samples).
        gain: ADC units per microvolt, shape (leads,).
        baseline: ADC value of 0 V, shape (leads,).

    Returns:
        int16 array of shape (leads, samples) in microvolts, rounded to the nearest.

    Raises:
        EcgFormatError: if a sample is marked invalid or beyond +-32.767 mV.
    """
    if invalid := int((adc == INVALID_SAMPLE).sum()):
        raise EcgFormatError(f"{invalid} samples are marked invalid")
    if (gain == 1.0).all() and not baseline.any():
        return adc
    microvolts = np.rint((adc - baseline[:, None]) / gain[:, None])
    if (largest := float(np.abs(microvolts).max())) > 32767:
        raise EcgFormatError(f"a sample of {largest / 1000:.1f} mV does not fit into 16-bit microvolts")
    return microvolts.astype(np.int16)


def read_adc(header: Format16Header, path: Path) -> NDArray[np.int16]:
    """Read the signal file of ``header``, verify its length and every checksum.

    Args:
        header: see :func:`parse_header`.
        path: the header's own path; the signal file lies beside it.

    Returns:
        int16 array of shape (samples, leads) in ADC units.

    Raises:
        EcgFormatError: if the file is truncated or damaged.
        OSError: if the file cannot be read.
    """
    data = path.with_name(header.file_name).read_bytes()
    expected = 2 * header.num_samples * len(header.leads)
    if len(data) != expected:
        state = "truncated" if len(data) < expected else "longer than its header says"
        raise EcgFormatError(f"{header.file_name} is {state}: {len(data)} bytes, expected {expected}")
    frames = np.frombuffer(data, dtype="<i2").reshape(header.num_samples, len(header.leads))
    sums = frames.sum(axis=0, dtype=np.int64) % 65536
    if damaged := [lead for lead, a, b in zip(header.leads, sums, header.checksums, strict=True) if a != b]:
        raise EcgFormatError(f"checksum of {header.file_name} does not match in lead(s) {', '.join(damaged)}")
    return frames


def read_format16(header: Format16Header, path: Path, leads: tuple[str, ...]) -> NDArray[np.int16]:
    """Read chosen leads of a record in whole microvolts.

    Args:
        header: see :func:`parse_header`.
        path: the header's own path; the signal file lies beside it.
        leads: standard names of the leads to return, in this order.

    Returns:
        int16 array of shape (leads, samples) in microvolts.

    Raises:
        EcgFormatError: if the file is truncated, damaged, or in a unit that is no voltage.
        OSError: if the file cannot be read.
    """
    order = list(lead_order(header.leads, leads))
    if unknown := sorted(set(header.units) - set(MICROVOLTS_PER_UNIT)):
        raise EcgFormatError(f"unit {unknown} is no voltage; expected one of {sorted(MICROVOLTS_PER_UNIT)}")
    frames = read_adc(header, path)
    scale = np.array([MICROVOLTS_PER_UNIT[unit] for unit in header.units])
    adc = np.ascontiguousarray(frames.T[order])
    return to_microvolts(adc, (np.array(header.gains) / scale)[order], np.array(header.baselines)[order])
