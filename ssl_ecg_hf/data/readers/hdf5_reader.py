"""HDF5, and with it MATLAB files of version 7.3: arrays in a tree of groups, read by h5py.

A file states what its attributes say, on the array or on the file: ``sampling_rate`` (or ``fs``), ``leads``
and ``unit``, one for all leads or one of each; a scalar dataset ``fs`` states the rate, too. The rest must be
given. Followed are neither links to other files nor virtual or external arrays, and compressed pieces are
unpacked within the bounds that the file itself states for them before the library may.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..record import EcgFormatError, EcgRecord, RecordSource
from .arrays import RATE_NAMES, check_bytes, check_values, choose_signal, lead_rows, to_millivolts
from .errors import optional_module
from .statement import Given, Settled, agreeing_rate, settle, voltages

T = TypeVar("T")

FORMAT = "HDF5"
MAX_BYTES = 1 << 31
MAX_CHUNK = 1 << 26  # bytes
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS, _MAX_DEPTH = 1000, 4
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_FILTERS = [
    [*first, *second, *third]
    for first in ([], [_SHUFFLE])
    for second in ([], [_DEFLATE])
    for third in ([], [_FLETCHER32])
]
_MAX_NAMES = 4096  # characters


def sniff(head: bytes, _path: Path) -> bool:
    """Tell whether the file is HDF5, perhaps behind the 512 bytes that MATLAB writes first."""
    return head.startswith(_SIGNATURE) or head[512:520] == _SIGNATURE


def read_hdf5(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read an HDF5 file, or a ``.mat`` file of version 7.3, with one recording.

    Args:
        path: the file; its only array of two axes, or the one that is called ``val``, ``data``, ``ecg`` or
            ``signal``, is the recording, of shape (leads, samples) or (samples, leads).
        sampling_rate: in Hz; required unless the file states it.
        leads: name of each lead; required unless the file states them.
        unit: ``"mV"``, ``"uV"`` or ``"V"``; required unless the file states it.

    Returns:
        The recording, float32 (leads, samples) in mV. Rows in a unit that is no voltage are left out.

    Raises:
        EcgFormatError: if something is not known, or stated differently in two places, h5py is not installed,
            or the file holds no such array.
    """
    h5py = optional_module("h5py", what=FORMAT)
    check_bytes(path, MAX_BYTES)
    given = Given(sampling_rate, leads, unit)
    try:
        with h5py.File(path, "r") as file:
            arrays = dict(_arrays(h5py, file))
            chosen = choose_signal({name: array.shape for name, array in arrays.items()})
            dataset = arrays[chosen]
            stated = [_Attributes(h5py, dataset, f"{chosen}."), _Attributes(h5py, file, "")]
            rates = [*(each.rates() for each in stated), _rates(arrays, chosen)]
            known, rows, kept = _settle_rows(
                given,
                agreeing_rate({place: rate for each in rates for place, rate in each.items()}),
                _first(each.leads() for each in stated),
                _first(each.units() for each in stated) or [None],
            )
            check_values(*dataset.shape)
            _check_chunks(dataset)
            array = lead_rows(dataset[()], rows)
            signal = to_millivolts((array[index] for index in kept), known.millivolts)
    except EcgFormatError:
        raise
    except Exception as error:  # h5py raises errors of many types on damaged files
        raise EcgFormatError(f"the HDF5 file is damaged or truncated, fetch it again ({error})") from error
    return EcgRecord(
        signal=signal,
        sampling_rate=known.sampling_rate,
        leads=known.leads,
        record_id=path.stem,
        source=RecordSource(
            format=FORMAT,
            unit=known.unit,
            dropped=tuple(name for index, name in enumerate(rows) if index not in kept),
        ),
    )


def _settle_rows(
    given: Given, rate: float | None, names: Sequence[str] | None, units: Sequence[str | None]
) -> tuple[Settled, Sequence[str], list[int]]:
    """Return what is known of the leads, the names of all rows of the array, and which of them are the leads.

    Args:
        given: by the caller; the leads are those of all rows where the file names none.
        rate: that the file states, in Hz.
        names: that the file states, of all rows.
        units: that the file states, one of all rows or one of each.
    """
    rows = given.leads if names is None else names
    if rows is None or len(units) == 1:
        each = list(units) if names is None else [units[0]] * len(names)
        known = settle(given, sampling_rate=rate, leads=names, units=each)
        return known, known.leads, list(range(len(known.leads)))
    if len(units) != len(rows):
        raise EcgFormatError(
            f"the file states {len(units)} units {list(units)} of {len(rows)} leads {list(rows)}; expected "
            "one of each lead, or one of all"
        )
    kept = voltages(rows, units)
    known = settle(
        replace(given, leads=None) if names is None else given,
        sampling_rate=rate,
        leads=[rows[index] for index in kept],
        units=[units[index] for index in kept],
    )
    return known, rows, kept


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _arrays(h5py: Any, file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of real numbers that lie in the file itself, with their path."""
    seen, waiting = 0, [("", file, 0)]
    while waiting:
        where, group, depth = waiting.pop()
        for name in group:
            seen += 1
            if seen > _MAX_OBJECTS:
                raise EcgFormatError(f"the file holds more than {_MAX_OBJECTS} objects; export one recording")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            found, path = group[name], f"{where}/{name}".lstrip("/")
            if isinstance(found, h5py.Group) and depth < _MAX_DEPTH:
                waiting.append((path, found, depth + 1))
            elif isinstance(found, h5py.Dataset) and found.dtype.kind in "iuf" and found.shape is not None:
                yield path, found


def _rates(arrays: dict[str, Any], chosen: str) -> dict[str, float]:
    """Return the rates by the path of the number: those beside the chosen array, or else all."""
    rates = {
        path: float(array[()].reshape(()))
        for path, array in arrays.items()
        if path.rpartition("/")[2].lower() in RATE_NAMES and set(array.shape) <= {1} and not array.chunks
    }
    group = chosen.rpartition("/")[0]
    return {path: rate for path, rate in rates.items() if path.rpartition("/")[0] == group} or rates


class _Attributes:
    """What the attributes of a file or an array state; those of absurd size are not looked at."""

    def __init__(self, h5py: Any, owner: Any, place: str) -> None:
        self.place = place
        self.values: dict[str, Any] = {}
        for name in list(owner.attrs)[:_MAX_OBJECTS]:
            number = owner.attrs.get_id(name)
            text = h5py.check_string_dtype(number.dtype) is not None
            if int(np.prod(number.shape, dtype=object)) <= 100 and (text or number.dtype.kind in "iufS"):
                self.values[name.lower()] = owner.attrs[name]

    def rates(self) -> dict[str, float]:
        """Return the rates by the place where they stand."""
        return {
            f"the attribute {self.place}{name}": float(
                np.asarray(self.values[name], dtype=np.float64).reshape(())
            )
            for name in RATE_NAMES
            if name in self.values
        }

    def units(self) -> list[str] | None:
        return self._texts("unit", "units")

    def leads(self) -> list[str] | None:
        found = self._texts("leads", "lead_names")
        if found is not None and len(found) == 1:
            return found[0].replace(",", " ").split()
        return found

    def _texts(self, *names: str) -> list[str] | None:
        value = next((self.values[name] for name in names if name in self.values), None)
        if value is None:
            return None
        items = [value] if isinstance(value, (str, bytes)) else list(np.ravel(value))
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in items]
        if not texts or sum(map(len, texts)) > _MAX_NAMES:
            raise EcgFormatError(f"the attribute {names[0]!r} holds no plain names")
        return texts


def _check_chunks(dataset: Any) -> None:
    """Refuse an array whose pieces lie elsewhere, are absent, too large, or grow beyond their stated size."""
    if dataset.external or dataset.is_virtual:
        raise EcgFormatError("the array lies in another file (external or virtual); copy it into this one")
    if dataset.chunks is None:
        _check_written(dataset.id.get_storage_size(), dataset.size * dataset.dtype.itemsize, "bytes")
        return
    size = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
    if size > MAX_CHUNK:
        raise EcgFormatError(
            f"the array is stored in pieces of {size} bytes, more than {MAX_CHUNK}; rewrite it"
        )
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if filters not in _FILTERS:
        raise EcgFormatError(
            f"the array passed the filters {filters}, which are not read; rewrite it with gzip"
        )
    pieces = dataset.id.get_num_chunks()
    # What was never written costs nothing in the file, and all of its memory.
    grid = [-(-length // piece) for length, piece in zip(dataset.shape, dataset.chunks, strict=True)]
    _check_written(pieces, int(np.prod(grid, dtype=object)), "pieces")
    if pieces * size > max(MAX_CHUNK, 4 * dataset.size * dataset.dtype.itemsize):
        raise EcgFormatError(
            f"an array of shape {dataset.shape} in {pieces} pieces of {size} bytes is damaged"
        )
    if _DEFLATE not in filters:
        return
    # The library unpacks a piece to whatever it grows to.
    for index in range(pieces):
        mask, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(index).chunk_offset)
        is_packed = not mask >> filters.index(_DEFLATE) & 1
        if is_packed and len(zlib.decompressobj().decompress(packed, size + 5)) > size + 4:
            raise EcgFormatError("a compressed piece grows beyond its stated size; the file is damaged")


def _check_written(found: int, expected: int, what: str) -> None:
    if found != expected:
        raise EcgFormatError(
            f"the array was never written, or only in part ({found} of {expected} {what}); write all "
            "of it, or fetch the file again"
        )
