"""NumPy arrays: numbers and nothing else, so rate, leads and unit must be given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError, EcgRecord
from ..units import millivolts_per


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
    if sampling_rate is None or leads is None or unit is None:
        given = {"sampling_rate": sampling_rate, "leads": leads, "unit": unit}
        absent = [name for name, value in given.items() if value is None]
        raise EcgFormatError(
            f"a .npy file holds numbers only; give {', '.join(f'{name}=' for name in absent)} "
            f"(on the command line {', '.join(f'--{name}' for name in absent)})"
        )
    scale = millivolts_per(unit)
    try:
        # Mapped, so that a header of absurd size costs no memory.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, OverflowError, SyntaxError, TypeError) as error:
        reason = str(error).partition(". ")[0]  # the rest tells how to load pickled code
        raise EcgFormatError(
            f"the file cannot be read as a NumPy .npy array of numbers, write it with numpy.save ({reason})"
        ) from error
    if not isinstance(array, np.ndarray):
        raise EcgFormatError("the file is an archive of arrays; expected one array (numpy.save)")
    if array.dtype.kind not in "iuf":
        raise EcgFormatError(f"the array holds {array.dtype}; expected integers or floats")
    if array.ndim != 2 or array.size == 0:
        raise EcgFormatError(
            f"the array has shape {array.shape}; expected one recording: (leads, samples) or (samples, leads)"
        )
    axes = [axis for axis, length in enumerate(array.shape) if length == len(leads)]
    if len(axes) != 1:
        problem = "both axes fit" if axes else "no axis fits"
        raise EcgFormatError(
            f"the array has shape {array.shape} for {len(leads)} leads {list(leads)}: {problem}; expected "
            "(leads, samples) or (samples, leads) with one name per lead"
        )
    millivolts: NDArray[Any] = (array if axes[0] == 0 else array.T).astype(np.float64) * scale
    return EcgRecord(
        signal=millivolts,
        sampling_rate=sampling_rate,
        leads=tuple(leads),
        record_id=path.stem,
    )
