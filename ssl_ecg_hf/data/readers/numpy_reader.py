"""NumPy arrays: numbers and nothing else, so rate, leads and unit must be given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord
from ..units import millivolts_per, require


def read_numpy(
    path: Path,
    *,
    sampling_rate: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str | None = None,
) -> EcgRecord:
    """Read a ``.npy`` file with one recording.

    Args:
        path: the file; an array of shape (leads, samples) or (samples, leads), of integers or floats.
        sampling_rate: in Hz, required.
        leads: name of each lead, required; their number tells which axis is which.
        unit: ``"mV"``, ``"uV"`` or ``"V"``, required.

    Returns:
        The recording, float32 (leads, samples) in mV.

    Raises:
        EcgFormatError: if an argument is missing, or the file is no such array.
    """
    name = path.name
    rate = require(sampling_rate, what="sampling rate", argument="sampling_rate", source=name)
    names = require(leads, what="leads", argument="leads", source=name)
    scale = millivolts_per(require(unit, what="unit", argument="unit", source=name))
    try:
        # Mapped, so that a header of absurd size costs no memory.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, OverflowError, SyntaxError, TypeError) as error:
        raise EcgFormatError(f"{path} cannot be read as a NumPy .npy array of numbers: {error}") from error
    if not isinstance(array, np.ndarray):
        raise EcgFormatError(f"{path} is an archive of arrays; expected one array (numpy.save)")
    if array.dtype.kind not in "iuf":
        raise EcgFormatError(f"{path} holds {array.dtype}; expected integers or floats")
    if array.ndim != 2 or array.size == 0:
        raise EcgFormatError(
            f"{path} has shape {array.shape}; expected one recording: (leads, samples) or (samples, leads)"
        )
    axes = [axis for axis, length in enumerate(array.shape) if length == len(names)]
    if len(axes) != 1:
        problem = "both axes fit" if axes else "no axis fits"
        raise EcgFormatError(
            f"{path} has shape {array.shape} for {len(names)} leads {list(names)}: {problem}"
        )
    millivolts: NDArray[Any] = (array if axes[0] == 0 else array.T).astype(np.float64) * scale
    return EcgRecord(
        signal=millivolts,
        sampling_rate=rate,
        leads=tuple(names),
        record_id=path.stem,
    )
