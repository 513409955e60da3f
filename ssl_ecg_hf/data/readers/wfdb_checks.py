"""What is verified of a WFDB record before it is read, and what its headers say of the signals.

wfdb is lenient: of segments it takes names and units from the first, and it reserves the memory that a header
asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..record import EcgFormatError
from .arrays import check_values
from .statement import SAME_RATE


class Signal(NamedTuple):
    """What headers say of a signal: name, unit, and how many samples it has in each frame of the record."""

    name: str
    unit: str
    per_frame: int


def verify(stem: Path) -> list[Signal]:
    """Check sizes, skews and checksums of a record, segment by segment.

    Args:
        stem: path of the header without its suffix.

    Returns:
        The signals, in the order in which wfdb gives them.

    Raises:
        EcgFormatError: if a size is absurd, a checksum wrong, or segments do not fit together.
    """
    import wfdb

    header = wfdb.rdheader(str(stem))
    if not isinstance(header, wfdb.MultiRecord):
        return _verify_segment(stem, header)
    check_values(header.n_sig or 0, sum(header.seg_len))
    if header.layout == "fixed" and "~" in header.seg_name:
        raise EcgFormatError("a segment is empty, which needs a header of the layout as the first segment")
    stored = {name for name, length in zip(header.seg_name, header.seg_len, strict=True) if length}
    segments: dict[str, list[Signal]] = {}
    for name in dict.fromkeys(header.seg_name):
        if name == "~":  # nothing was recorded
            continue
        part = wfdb.rdheader(str(stem.with_name(name)))
        _check_segment(name, part, header)
        segments[name] = _verify_segment(stem.with_name(name), part) if name in stored else _signals(part)
    layout = segments[header.seg_name[0]]
    if len(layout) != header.n_sig:
        raise EcgFormatError(
            f"the header announces {header.n_sig} signals, {header.seg_name[0]} {len(layout)}"
        )
    check_values(sum(signal.per_frame for signal in layout), sum(header.seg_len))
    recorded = {name: signals for name, signals in segments.items() if name in stored}
    return _joined(layout, recorded, is_fixed=header.layout == "fixed")


def _check_segment(name: str, part: Any, whole: Any) -> None:
    import wfdb

    if isinstance(part, wfdb.MultiRecord):
        raise EcgFormatError(f"segment {name} consists of segments itself; read it by itself")
    if not abs(part.fs - whole.fs) <= SAME_RATE * whole.fs:
        raise EcgFormatError(
            f"segment {name} has {part.fs:g} frames a second, the record {whole.fs:g}; read it by itself"
        )
    shifted = zip(part.sig_name or [], part.skew or [], part.samps_per_frame or [], strict=True)
    if leads := [str(lead) for lead, skew, per_frame in shifted if skew and (per_frame or 1) > 1]:
        raise EcgFormatError(
            f"segment {name} shifts {', '.join(leads)} of several samples a frame, which is not read in a "
            "record of segments; read it by itself"
        )


def _verify_segment(stem: Path, header: Any) -> list[Signal]:
    import wfdb

    if not header.n_sig:
        raise EcgFormatError("the record has no signals")
    signals = _signals(header)
    check_values(sum(signal.per_frame for signal in signals), header.sig_len or 0)
    _check_skews(stem, header)
    if header.checksum is None or all(value is None for value in header.checksum):
        return signals
    record = wfdb.rdrecord(str(stem), physical=False, smooth_frames=False, ignore_skew=True)
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
    return signals


def _signals(header: Any) -> list[Signal]:
    return [
        Signal(str(name), str(unit), per_frame or 1)
        for name, unit, per_frame in zip(header.sig_name, header.units, header.samps_per_frame, strict=True)
    ]


def _check_skews(stem: Path, header: Any) -> None:
    """Refuse signals that are shifted beyond their end: wfdb takes memory for the shift all the same."""
    in_frame: Counter[str] = Counter()
    for name, samples in zip(header.file_name, header.samps_per_frame, strict=True):
        in_frame[name] += samples or 1
    for name, lead, skew in zip(header.file_name, header.sig_name, header.skew, strict=True):
        # A sample takes a byte at least; the header may lie about the length, too.
        if skew and skew * in_frame[name] > stem.with_name(name).stat().st_size:
            raise EcgFormatError(
                f"the header shifts {lead} by {skew} samples, more than {name} holds; it is damaged"
            )


def _joined(layout: Sequence[Signal], segments: dict[str, list[Signal]], *, is_fixed: bool) -> list[Signal]:
    """Return the signals of all segments together; refuse those that wfdb would join wrongly."""
    names = [signal.name for signal in layout]
    units: list[dict[str, None]] = [{} for _ in layout]
    for segment, signals in segments.items():
        found = [signal.name for signal in signals]
        if is_fixed and found != names:
            raise EcgFormatError(
                f"segment {segment} holds the signals {found}, the first one {names}; read it by itself"
            )
        places = range(len(names)) if is_fixed else [names.index(name) for name in found if name in names]
        for place, signal in zip(places, (each for each in signals if each.name in names), strict=True):
            if signal.per_frame != layout[place].per_frame:
                raise EcgFormatError(
                    f"segment {segment} holds {signal.per_frame} samples of {signal.name} in a frame, the "
                    f"first one {layout[place].per_frame}; read it by itself"
                )
            units[place][signal.unit] = None
    # Two units of a signal are none that is known: it is left out, or refused if it is a lead.
    return [
        signal._replace(unit=" or ".join(found) or signal.unit)
        for signal, found in zip(layout, units, strict=True)
    ]
