"""From a batch of stored recordings to a tensor in millivolts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .schema import MICROVOLT_COLUMN, MILLIVOLT_COLUMN


def collate(batch: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Turn a batch of arrays, or a list of rows, into tensors; signals keep their stored type and unit.

    Args:
        batch: what a `SignalTable` delivers, or rows with a signal column and perhaps `labels`; other
            columns of rows are left out.

    Returns:
        tensors whose first axis is the batch.

    Raises:
        ValueError: if a sample is NaN or infinite.
    """
    if not isinstance(batch, Mapping):
        names = [name for name in batch[0] if name in (MICROVOLT_COLUMN, MILLIVOLT_COLUMN, "labels")]
        batch = {name: np.stack([np.asarray(row[name]) for row in batch]) for name in names}
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
