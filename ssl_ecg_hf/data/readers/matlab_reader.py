"""MATLAB files of version 5 and 4 (``save -v7``, ``-v6``, ``-v4``); those of version 7.3 are HDF5.

A file states names, shapes and numbers of its variables; a scalar ``fs`` or ``sampling_rate`` states the
rate. Names of leads and unit must be given. Only arrays of real numbers are read: what holds code or
references (objects, functions, cells, structures) is never looked into.

Reference: "MAT-File Format", The MathWorks (the layout of levels 4 and 5).
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord, RecordSource
from .arrays import RATE_NAMES, check_bytes, check_values, choose_signal, lead_rows, to_millivolts
from .statement import Given, agreeing_rate, settle

FORMAT = "MATLAB"
MAX_BYTES = 1 << 30
"""Of a file."""

MAX_UNPACKED = 1 << 28
"""Bytes of a compressed variable after it is unpacked; only what is read is."""

_HEAD = 1024  # bytes of a compressed variable in which its name and shape lie
_COMPRESSED, _MATRIX = 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)  # double, single and the integers
_COMPLEX = 0x08
_LEVEL4 = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}
_NAME4 = re.compile(rb"[A-Za-z]\w{0,62}\0")


@dataclass(frozen=True)
class Variable:
    """One array of real numbers in a file, not read yet.

    Args:
        shape: of the array.
        dtype: of a number.
        content: bytes that hold it, perhaps packed by zlib.
        place: of the numbers in these bytes once unpacked, column after column.
        packed: whether they are.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    content: memoryview
    place: slice
    packed: bool = False

    def read(self) -> NDArray[Any]:
        """Return the array.

        Raises:
            EcgFormatError: if the file holds fewer or more numbers than the shape needs.
        """
        expected = math.prod(self.shape) * self.dtype.itemsize
        if (size := self.place.stop - self.place.start) != expected:
            raise EcgFormatError(
                f"a variable of shape {self.shape} has {size} bytes, expected {expected}; the file is "
                "damaged or truncated"
            )
        if self.packed and size > MAX_UNPACKED:
            raise EcgFormatError(
                f"a compressed variable has {size} bytes, more than {MAX_UNPACKED}; save it without "
                "compression"
            )
        content = _unpacked(self.content, self.place.stop) if self.packed else self.content
        return np.frombuffer(content[self.place], self.dtype).reshape(self.shape, order="F")


def sniff(head: bytes, _path: Path) -> bool:
    """Tell whether the file begins as one of version 5 or 4 does."""
    if head.startswith(b"MATLAB 5.0 MAT-file"):
        return True
    return _header4(memoryview(head)) is not None


def read_matlab(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a ``.mat`` file with one recording.

    Args:
        path: the file; its only variable of two axes, or the one that is called ``val``, ``data``, ``ecg`` or
            ``signal``, is the recording, of shape (leads, samples) or (samples, leads).
        sampling_rate: in Hz; required unless a number ``fs`` or ``sampling_rate`` stands beside it.
        leads: name of each lead, required; their number tells which axis is which.
        unit: ``"mV"``, ``"uV"`` or ``"V"``, required.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if an argument is missing, two rates differ, or the file holds no such array.
    """
    check_bytes(path, MAX_BYTES)
    content = memoryview(path.read_bytes())
    try:
        variables = dict(_level5(content) if bytes(content[:6]) == b"MATLAB" else _level4(content))
        rates = {
            name: float(variable.read().reshape(()))
            for name, variable in variables.items()
            if name.lower() in RATE_NAMES and set(variable.shape) == {1}
        }
        chosen = variables[choose_signal({name: variable.shape for name, variable in variables.items()})]
        given = Given(sampling_rate, leads, unit)
        known = settle(given, sampling_rate=agreeing_rate(rates), units=[None])
        check_values(*chosen.shape)
        array = chosen.read()
    except EcgFormatError:
        raise
    except (struct.error, zlib.error, ValueError, KeyError, OverflowError) as error:
        raise EcgFormatError(
            f"the MATLAB file is damaged or truncated, fetch it again ({type(error).__name__}: {error})"
        ) from error
    return EcgRecord(
        signal=to_millivolts(lead_rows(array, known.leads), known.millivolts),
        sampling_rate=known.sampling_rate,
        leads=known.leads,
        record_id=path.stem,
        source=RecordSource(format=FORMAT, unit=known.unit),
    )


def _level5(content: memoryview) -> Iterator[tuple[str, Variable]]:
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if order is None:
        raise EcgFormatError(
            "the header of the MATLAB file ends before its mark of byte order; it is damaged"
        )
    content = content[128:]
    for kind, place in _elements(content, order):
        data = content[place]
        if len(data) < (size := place.stop - place.start):
            raise EcgFormatError(
                f"an element announces {size} bytes where {len(data)} are left; the MATLAB file is damaged "
                "or truncated"
            )
        packed = kind == _COMPRESSED
        head, start = data, 0
        if packed:
            head = memoryview(zlib.decompressobj().decompress(data, _HEAD))
            kind, start = struct.unpack_from(f"{order}I", head)[0], 8
        if kind == _MATRIX and (found := _matrix(head, start, order)) is not None:
            name, shape, dtype, numbers = found
            yield name, Variable(shape, dtype, data, numbers, packed)


def _elements(content: memoryview, order: str, position: int = 0) -> Iterator[tuple[int, slice]]:
    """Yield type and place of one element after the other; the last may end beyond what is there."""
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        if kind >> 16:  # four bytes at most are stored in the tag itself
            kind, size, start, end = kind & 0xFFFF, kind >> 16, position + 4, position + 8
            if size > 4:
                raise EcgFormatError(f"a small element has {size} bytes; the MATLAB file is damaged")
        else:
            start = position + 8
            end = start + size if kind == _COMPRESSED else start + -(-size // 8) * 8
        yield kind, slice(start, start + size)
        position = end


def _unpacked(data: memoryview, most: int) -> memoryview:
    """Unpack a variable that has ``most`` bytes, and up to 7 to fill it up."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, most + 8)
    if not unpacker.eof:
        raise EcgFormatError(
            "a compressed variable is truncated, or longer than it says; fetch the file again"
        )
    return memoryview(content)


def _matrix(
    head: memoryview, start: int, order: str
) -> tuple[str, tuple[int, ...], np.dtype[Any], slice] | None:
    """Return name, shape, type and place of the numbers of a matrix; None where they are not real numbers."""
    parts = _elements(head, order, start)
    nothing = (0, slice(0, 0))
    word = struct.unpack_from(f"{order}I", head[next(parts, nothing)[1]])[0]
    if word & 0xFF not in _NUMERIC_CLASSES or word >> 8 & _COMPLEX:
        return None
    sizes, name = head[next(parts, nothing)[1]], head[next(parts, nothing)[1]]
    shape = tuple(struct.unpack(f"{order}{len(sizes) // 4}i", sizes[: len(sizes) // 4 * 4]))
    kind, numbers = next(parts, nothing)
    if kind not in _NUMBERS or not shape or min(shape) < 0 or len(shape) > 32:
        raise EcgFormatError(f"a variable of shape {shape} and type {kind} is damaged")
    return bytes(name).decode("latin-1"), shape, np.dtype(order + _NUMBERS[kind]), numbers


def _header4(content: memoryview) -> tuple[str, str, tuple[int, int], int] | None:
    """Return byte order, number type, shape and length of the name; None where there is no header."""
    if len(content) < 20:
        return None
    for order, mark in (("<", 0), (">", 1)):
        mopt, rows, columns, imaginary, length = struct.unpack_from(f"{order}5i", content)
        machine, reserved, kind, matrix = mopt // 1000, mopt // 100 % 10, mopt // 10 % 10, mopt % 10
        if (machine, reserved, matrix, imaginary) != (mark, 0, 0, 0) or kind not in _LEVEL4:
            continue
        if rows > 0 and columns > 0 and _NAME4.fullmatch(bytes(content[20 : 20 + max(0, min(length, 64))])):
            return order, _LEVEL4[kind], (rows, columns), length
    return None


def _level4(content: memoryview) -> Iterator[tuple[str, Variable]]:
    while content:
        header = _header4(content)
        if header is None:
            raise EcgFormatError(
                "the MATLAB file (version 4) holds something other than full matrices of real numbers, or is "
                "damaged; save the recording alone"
            )
        order, kind, shape, length = header
        dtype = np.dtype(order + kind)
        name, content = content[20 : 20 + length - 1], content[20 + length :]
        size = shape[0] * shape[1] * dtype.itemsize
        yield bytes(name).decode("latin-1"), Variable(shape, dtype, content, slice(0, size))
        content = content[size:]
