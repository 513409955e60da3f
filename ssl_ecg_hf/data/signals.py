"""Fast random access to the signal column of a dataset, straight from its Arrow buffers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray

from .schema import MICROVOLT_COLUMN, MILLIVOLT_COLUMN, SIGNAL_COLUMNS


def signal_column(columns: Sequence[str]) -> str:
    """Return which of ``signal_uv`` (microvolts) and ``signal`` (millivolts) is among ``columns``.

    Raises:
        ValueError: if neither or both are there.
    """
    present = [name for name in SIGNAL_COLUMNS if name in columns]
    if len(present) != 1:
        raise ValueError(
            f"the dataset has {'both' if present else 'none'} of the signal columns {list(SIGNAL_COLUMNS)} "
            f"(columns: {list(columns)}); expected exactly one: {MICROVOLT_COLUMN!r} holds integers in "
            f"microvolts, {MILLIVOLT_COLUMN!r} floats in millivolts; rename or remove columns"
        )
    return present[0]


def _peel_list(array: Any, column: str) -> tuple[Any, NDArray[np.int64]]:
    """Return the values inside one list level and the length of each list, without copying values."""
    if not (
        pa.types.is_list(array.type)
        or pa.types.is_large_list(array.type)
        or pa.types.is_fixed_size_list(array.type)
    ):
        raise ValueError(f"column {column!r} holds {array.type}; expected numbers of shape (leads, samples)")
    if array.null_count:
        raise ValueError(f"column {column!r} is empty in {array.null_count} row(s); filter them out first")
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten(), np.full(len(array), array.type.list_size, dtype=np.int64)
    return array.flatten(), np.diff(array.offsets.to_numpy()).astype(np.int64)


def _chunk_view(chunk: Any, column: str) -> NDArray[Any]:
    """Return a read-only view of shape (rows, leads, samples) of one Arrow chunk."""
    storage = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
    rows, leads = _peel_list(storage, column)
    values, samples = _peel_list(rows, column)
    for lengths, what in ((leads, "leads"), (samples, "samples")):
        if len(different := np.unique(lengths)) > 1:
            raise ValueError(
                f"column {column!r} has rows of {different[:5].tolist()} {what}; all recordings must have "
                "one shape: resample, crop or pad them first"
            )
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ValueError(f"column {column!r} holds {values.type}; expected numbers")
    if values.null_count:
        raise ValueError(f"column {column!r} has {values.null_count} missing samples; filter those rows out")
    flat = values.to_numpy(zero_copy_only=True)
    return flat.reshape(len(chunk), int(leads[0]), int(samples[0]))


def _row_mapping(dataset: Dataset) -> NDArray[np.int64] | None:
    """Return which stored row each position stands for after ``select`` or ``shuffle``, else None."""
    mapping = dataset._indices  # has no public accessor
    return None if mapping is None else mapping.column(0).to_numpy().astype(np.int64)


def numeric_column(dataset: Dataset, name: str) -> NDArray[Any]:
    """Load a column of numbers, or of lists of numbers of one length, into memory.

    Args:
        dataset: with or without an indices mapping.
        name: of the column. A missing float becomes NaN, a missing integer -1 - row, so that unknown
            patients are never equal to each other.

    Returns:
        Array of shape (rows,), or (rows, length) for lists, in the stored type.

    Raises:
        ValueError: if the column is absent or holds anything else.
    """
    if name not in dataset.column_names:
        raise ValueError(f"the dataset has no column {name!r}; it has {dataset.column_names}")
    values, rows = _stored_column(dataset.data.column(name), name), _row_mapping(dataset)
    return values if rows is None else values[rows]


def _stored_column(column: Any, name: str) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parts = [_peel_list(chunk, name) for chunk in column.chunks if len(chunk)]
        lengths = np.unique(np.concatenate([part[1] for part in parts])) if parts else np.zeros(1, np.int64)
        if len(lengths) > 1:
            raise ValueError(f"column {name!r} has lists of different lengths: {lengths[:5].tolist()}")
        values = [part[0].to_numpy(zero_copy_only=False) for part in parts]
        return np.concatenate(values).reshape(len(column), -1) if values else np.zeros((0, 0), np.int8)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"column {name!r} holds {kind}; expected numbers or lists of numbers of one length")
    if not column.null_count or pa.types.is_floating(kind):
        return column.to_numpy()
    null = column.is_null().to_numpy()
    filled = column.fill_null(0).to_numpy().astype(np.int64)
    if filled.min() < 0:
        raise ValueError(f"column {name!r} has both negative and missing values; fill the missing ones first")
    return np.where(null, -1 - np.arange(len(filled)), filled)


class SignalTable:
    """A map-style dataset that reads recordings by zero-copy views of a memory-mapped Arrow column.

    Works for ``Array2D`` columns as for plain lists of lists, with or without the indices mapping that
    ``select`` and ``shuffle`` leave behind. Signals stay on disk; only the other columns are held in memory.

    Args:
        dataset: has either ``signal_uv`` (integers, microvolts) or ``signal`` (floats, millivolts), each row
            of the same shape (leads, samples).
        columns: further columns to deliver, e.g. ``("labels", "patient_id")``, see :func:`numeric_column`.

    Raises:
        ValueError: if the signal column is absent, ambiguous or of uneven shape, another column is absent or
            not numeric, or the dataset has a transform of its own, which would be ignored.

    Example:
        >>> from datasets import Dataset
        >>> data = Dataset.from_dict({"signal": [[[0.5, 1.0]], [[1.5, 2.0]]], "labels": [[0, 1], [1, 0]]})
        >>> batch = SignalTable(data, columns=("labels",)).__getitems__([1, 0])
        >>> batch["signal"].tolist(), batch["labels"].tolist()
        ([[[1.5, 2.0]], [[0.5, 1.0]]], [[1, 0], [0, 1]])
    """

    def __init__(self, dataset: Dataset, *, columns: Sequence[str] = ()) -> None:
        if dataset.format["type"] == "custom":
            raise ValueError(
                "the dataset has a transform (set_transform, with_transform), which would be ignored, as "
                "signals are read as stored. Apply it with Dataset.map, or take it away with reset_format()"
            )
        self.signal_name = signal_column(dataset.column_names)
        self._dataset = dataset
        self._rows = _row_mapping(dataset)
        self._columns = {name: numeric_column(dataset, name) for name in columns}
        self._map_signals()

    def _map_signals(self) -> None:
        chunks = [chunk for chunk in self._dataset.data.column(self.signal_name).chunks if len(chunk)]
        self._views = [_chunk_view(chunk, self.signal_name) for chunk in chunks]
        shapes = {view.shape[1:] for view in self._views}
        if len(shapes) > 1:
            raise ValueError(
                f"column {self.signal_name!r} has recordings of different shapes (leads, samples): "
                f"{sorted(shapes)[:5]}; resample, crop or pad them first"
            )
        self.signal_shape: tuple[int, ...] = next(iter(shapes), (0, 0))
        self._ends = np.cumsum([len(view) for view in self._views])
        stored = self._views[0].dtype if self._views else np.dtype(np.int16)
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        if self.signal_name == MILLIVOLT_COLUMN:
            return
        if not np.issubdtype(stored, np.integer):
            raise ValueError(
                f"column {MICROVOLT_COLUMN!r} holds {stored}; microvolts are stored as integers. "
                f"Floats in millivolts belong into a column {MILLIVOLT_COLUMN!r}"
            )
        self._dtype = stored if stored == np.int16 else np.dtype(np.int32)

    @property
    def dataset(self) -> Dataset:
        """The dataset behind the table."""
        return self._dataset

    @property
    def column_names(self) -> list[str]:
        """The requested columns."""
        return list(self._columns)

    def column(self, name: str) -> NDArray[Any]:
        """Return one of the requested columns as a whole, first axis len(self)."""
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitems__(self, indices: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Return one batch.

        Args:
            indices: positions in the dataset.

        Returns:
            ``signal_uv`` (int16, microvolts; int32 where stored wider) or ``signal`` (float32, millivolts)
            of shape (len(indices), leads, samples), and every requested column, first axis len(indices).
        """
        asked = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(asked) and not (-len(self) <= asked.min() and asked.max() < len(self)):
            raise IndexError(f"indices {asked.min()}..{asked.max()} are outside of {len(self)} recordings")
        asked = np.where(asked < 0, asked + len(self), asked)
        rows = asked if self._rows is None else self._rows[asked]
        signal = np.empty((len(rows), *self.signal_shape), dtype=self._dtype)
        chunks = np.searchsorted(self._ends, rows, side="right")
        for target, row, chunk in zip(signal, rows.tolist(), chunks.tolist(), strict=True):
            view = self._views[chunk]
            target[...] = view[row - int(self._ends[chunk])]
        return {self.signal_name: signal, **{name: values[asked] for name, values in self._columns.items()}}

    def __getitem__(self, index: int) -> dict[str, NDArray[Any]]:
        """Return one recording: the signal of shape (leads, samples) and the requested columns."""
        return {name: values[0] for name, values in self.__getitems__([operator.index(index)]).items()}

    def __getstate__(self) -> dict[str, Any]:
        # Views would be pickled by value; a memory-mapped dataset travels as the path of its file.
        return {name: value for name, value in self.__dict__.items() if name != "_views"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map_signals()
