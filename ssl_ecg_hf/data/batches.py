"""From a batch of stored recordings to a tensor in millivolts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .schema import MICROVOLT_COLUMN, MILLIVOLT_COLUMN


def _integers(values: Any, name: str) -> NDArray[np.int64]:
    """Return whole numbers as such; a missing one (None, NaN) becomes -1."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.array([-1 if value is None else value for value in array])
    fits = array.dtype.kind in "iu"
    if array.dtype.kind == "f":  # integers with gaps often come as floats
        array = np.where(np.isnan(array), -1, array)
        exact = np.abs(array) < 2 / np.finfo(array.dtype).eps
        fits = bool(np.all(exact & (array == np.rint(array))))
    if not fits:
        raise ValueError(
            f"column {name!r} holds {array.dtype}, here {array[:3].tolist()}; expected integers, each exact "
            "in its type: number the values, or store them as int64"
        )
    return array.astype(np.int64)


def _stack(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[Any]:
    """Put one column of rows together, first axis the batch."""
    values = [np.asarray(row[name]) for row in rows]
    if len(shapes := sorted({value.shape for value in values})) > 1:
        raise ValueError(
            f"column {name!r} has rows of different shapes in one batch: {shapes[:5]}; all must have one "
            "shape: make them equal with map (crop or pad signals), or leave some out with filter"
        )
    return np.stack(values)


def collate(
    batch: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, integers: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Turn a batch of arrays, or a list of rows, into tensors; signals keep their stored type and unit.

    Args:
        batch: what a `SignalTable` delivers, or rows with a signal column and perhaps `labels`; other
            columns of rows are left out.
        integers: further columns, which must be there, of whole numbers. They become int64, a missing
            number -1.

    Returns:
        tensors whose first axis is the batch.

    Raises:
        ValueError: if a sample is NaN or infinite, rows have different shapes, or a column of `integers` is
            absent or holds others.

    Example:
        >>> rows = [{"signal": [[0.5]], "patient_id": 7}, {"signal": [[0.2]], "patient_id": None}]
        >>> collate(rows, integers=["patient_id"])["patient_id"].tolist()
        [7, -1]
    """
    first: Mapping[str, Any] = batch if isinstance(batch, Mapping) else batch[0]
    if absent := [name for name in integers if name not in first]:
        raise ValueError(
            f"the recordings have no column {absent}, which the model's objective asks for; they have "
            f"{sorted(first)}"
        )
    if not isinstance(batch, Mapping):
        wanted = (MICROVOLT_COLUMN, MILLIVOLT_COLUMN, "labels", *integers)
        names = [name for name in first if name in wanted]
        batch = {name: _stack(batch, name) for name in names}
    batch = {**batch, **{name: _integers(batch[name], name) for name in integers}}
    tensors = {name: torch.as_tensor(values) for name, values in batch.items()}
    # Here, on the CPU, it costs no synchronisation; one NaN would spoil every weight of the model.
    if MILLIVOLT_COLUMN in tensors and (broken := int((~tensors[MILLIVOLT_COLUMN].isfinite()).sum())):
        raise ValueError(
            f"{broken} samples in a batch of recordings are NaN or infinite; repair these recordings, or "
            "remove them with Dataset.filter"
        )
    return tensors


def to_millivolts(batch: Mapping[str, Tensor]) -> Tensor:
    """Return the signals of a batch.

    Args:
        batch: holds `signal_uv` (integers, microvolts) or `signal` (floats, millivolts).

    Returns:
        float32 (batch, leads, samples) in mV.

    Raises:
        ValueError: if neither is there or a column holds numbers of the other kind.

    Example:
        >>> to_millivolts({"signal_uv": torch.tensor([[[500, -250]]], dtype=torch.int16)}).tolist()
        [[[0.5, -0.25]]]
    """
    if MICROVOLT_COLUMN in batch:
        signal, wants_float = batch[MICROVOLT_COLUMN], False
    elif MILLIVOLT_COLUMN in batch:
        signal, wants_float = batch[MILLIVOLT_COLUMN], True
    else:
        raise ValueError(
            f"the batch has columns {sorted(batch)}; expected {MILLIVOLT_COLUMN!r} (floats in millivolts) "
            f"or {MICROVOLT_COLUMN!r} (integers in microvolts)"
        )
    if signal.is_floating_point() != wants_float:
        raise ValueError(
            f"the signals are {signal.dtype}; integers in microvolts belong into a column "
            f"{MICROVOLT_COLUMN!r}, floats in millivolts into {MILLIVOLT_COLUMN!r}"
        )
    return signal.float() if wants_float else signal.float() / 1000
