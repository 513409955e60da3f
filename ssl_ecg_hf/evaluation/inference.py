"""Embeddings and predictions of whole datasets by a frozen model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, IterableDataset
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.schema import MILLIVOLT_COLUMN
from ssl_ecg_hf.data.signals import SignalTable, numeric_column, signal_column
from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.modeling import SslEcgConfig
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import check_amplitude
from ssl_ecg_hf.modeling.windows_ssl_ecg import (
    average_over_windows,
    pad_to_window,
    split_windows,
    window_starts,
)

UNIT_SAMPLE = 128  # recordings of a dataset whose amplitude is looked at, spread over all of it
FIRST_ROWS = 32  # recordings of a stream that are looked at


def signal_table(dataset: Dataset, config: SslEcgConfig, *, columns: Sequence[str] = ()) -> SignalTable:
    """Wrap recordings for fast reading and check that they fit a model.

    Args:
        dataset: with a column `signal` (floats, mV) or `signal_uv` (integers, microvolts).
        config: of the model; its lead count and sampling rate count.
        columns: further columns to deliver.

    Raises:
        ValueError: if lead count, sampling rate, unit or the kind of numbers does not fit.
    """
    table = SignalTable(dataset, columns=columns)
    if not len(table):
        return table
    rows = np.unique(np.linspace(0, len(table) - 1, UNIT_SAMPLE).astype(int)).tolist()
    if table.signal_name == MILLIVOLT_COLUMN:
        _check_floats(np.asarray(dataset[0][MILLIVOLT_COLUMN]))
    _check_leads(table.signal_shape[0], config)
    _check_unit(table.signal_name, to_millivolts(collate(table.__getitems__(rows))), rows)
    if "sampling_rate" in dataset.column_names:
        _check_rates(numeric_column(dataset, "sampling_rate"), config)
    return table


def checked_stream(dataset: IterableDataset, config: SslEcgConfig) -> IterableDataset:
    """Let a stream give arrays, and check that its first recordings fit a model.

    Args:
        dataset: with a column `signal` (floats, mV) or `signal_uv` (integers, microvolts).
        config: of the model; its lead count and sampling rate count.

    Raises:
        ValueError: if lead count, sampling rate, unit or the kind of numbers does not fit.
    """
    stream = dataset.with_format("numpy")
    rows = list(stream.take(FIRST_ROWS))
    if not rows:
        return stream
    name = signal_column(list(rows[0]))
    for row in rows:
        if name == MILLIVOLT_COLUMN:
            _check_floats(row[name])
        _check_leads(len(row[name]), config)
        if "sampling_rate" in row:
            _check_rates(np.array(row["sampling_rate"], dtype=np.float64), config)
    _check_unit(name, [to_millivolts(collate([row]))[0] for row in rows], range(len(rows)))
    return stream


def _check_floats(signal: NDArray[Any]) -> None:
    if signal.dtype.kind != "f":
        raise ValueError(
            f"the column {MILLIVOLT_COLUMN!r} holds integers; expected floats in millivolts. Integers in "
            "microvolts belong into a column 'signal_uv'"
        )


def _check_leads(count: int, config: SslEcgConfig) -> None:
    if count != config.num_leads:
        raise ValueError(
            f"the dataset has recordings of {count} leads, the model expects {config.num_leads}: "
            f"{list(config.leads)}"
        )


def _check_rates(rates: NDArray[Any], config: SslEcgConfig) -> None:
    if not np.allclose(rates, config.sampling_rate, rtol=1e-6):
        raise ValueError(
            f"the dataset is sampled at {np.unique(rates)[:5].tolist()} Hz, the model at "
            f"{config.sampling_rate} Hz; load the recordings at the model's rate or set sampling_rate of the "
            "configuration"
        )


def _check_unit(column: str, signals: Iterable[Tensor], rows: Sequence[int]) -> None:
    """Is the size of each recording that of an ECG in the unit of its column? Flat leads do not count.

    Args:
        column: its name.
        signals: of each recording (leads, samples) in mV.
        rows: of these recordings in the dataset.
    """
    found = 0
    for row, signal in zip(rows, signals, strict=True):
        alive = signal.numpy()[np.ptp(signal.numpy(), axis=-1) > 0]
        if not len(alive):
            continue
        found += 1
        try:
            check_amplitude(alive)
        except ValueError as error:
            raise ValueError(f"column {column!r} of the dataset, row {row}: {error}") from error
    if not found:
        raise ValueError(
            f"column {column!r} of the dataset: every lead of the {len(rows)} recordings that were looked at "
            "is flat, so there is nothing to see; check how the signals were read"
        )


def recordings_at_once(table: SignalTable, config: SslEcgConfig, *, batch_size: int) -> int:
    """Return how many recordings of a table have `batch_size` windows; at least one."""
    samples = table.signal_shape[1] or config.num_samples  # an empty table has none
    return max(1, batch_size // len(window_starts(samples, config.num_samples)))


def over_windows(
    function: Callable[[Tensor, Tensor | None], Tensor],
    signal: Tensor,
    lead_mask: Tensor | None = None,
    *,
    length: int,
    batch_size: int,
) -> Tensor:
    """Apply a function to recordings through windows.

    Those longer than a window are divided and the results averaged, shorter ones padded with zeros on the
    right.

    Args:
        function: maps (batch, leads, samples) in mV and a mask (batch, leads) or None to (batch, size).
        signal: (batch, leads, samples) in mV.
        lead_mask: (batch, leads), true where a lead is present.
        length: of a window in samples.
        batch_size: windows that the function is given at once.

    Returns:
        (batch, size).
    """
    if signal.shape[-1] <= length:
        return function(pad_to_window(signal, length), lead_mask)
    windows = split_windows(signal, length).unbind()
    return average_over_windows(function, windows, lead_mask, batch_size=batch_size)


def require_labelled(dataset: Dataset) -> Dataset:
    """Return the labelled recordings of a split.

    Raises:
        ValueError: if there are none.
    """
    known = labelled(dataset)
    if not len(known):
        raise ValueError(f"none of {len(dataset)} recordings has a label: nothing to measure the model on")
    return known


@torch.no_grad()
def over_dataset(
    function: Callable[[Tensor, Tensor | None], Tensor],
    model: Any,
    dataset: Dataset,
    *,
    batch_size: int,
    description: str,
    progress: bool,
    change: Callable[[Tensor, range], tuple[Tensor, Tensor | None]] | None = None,
) -> NDArray[np.float32]:
    """Apply a function to all recordings, with the model in evaluation mode; its mode is restored afterwards.

    Args:
        function: maps (batch, leads, samples) in mV and a mask (batch, leads) or None, both on the model's
            device, to (batch, size).
        model: any SslEcg model.
        dataset: with a signal column.
        batch_size: windows per forward pass; a recording no longer than the model's window is one.
        description: of the progress bar.
        progress: whether to show one, on a terminal.
        change: what is done to a batch of signals first, given their rows; returns them with a mask or None.

    Returns:
        (recordings, size).
    """
    table = signal_table(dataset, model.config)
    step = recordings_at_once(table, model.config, batch_size=batch_size)
    starts = range(0, len(table), step)
    bar = tqdm(starts, desc=description, unit="batch", disable=None if progress else True, leave=False)
    parts = []
    was_training = model.training
    model.eval()
    try:
        for start in bar:
            rows = range(start, min(start + step, len(table)))
            signal, lead_mask = to_millivolts(collate(table.__getitems__(rows))), None
            if change is not None:
                signal, lead_mask = change(signal, rows)
            values = over_windows(
                lambda windows, mask: function(windows.to(model.device), mask),
                signal,
                None if lead_mask is None else lead_mask.to(model.device),
                length=model.config.num_samples,
                batch_size=batch_size,
            )
            parts.append(values.cpu().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(parts)


def embed(
    model: Any, dataset: Dataset, *, batch_size: int = 256, progress: bool = False
) -> NDArray[np.float32]:
    """Embed recordings without augmentation, in evaluation mode and float32.

    The embedding of a recording longer than `config.num_samples` is the mean over its windows of that length.

    Args:
        model: any SslEcg model; its mode is restored afterwards.
        dataset: with a signal column.
        batch_size: windows per forward pass; a recording no longer than the model's window is one.
        progress: whether to show a progress bar.

    Returns:
        (recordings, embedding_size).
    """
    return over_dataset(
        model.embed, model, dataset, batch_size=batch_size, description="embedding", progress=progress
    )


def predict_logits(
    model: Any, dataset: Dataset, *, batch_size: int = 256, progress: bool = False
) -> NDArray[np.float32]:
    """Classify recordings without augmentation, in evaluation mode and float32.

    The logits of a recording longer than `config.num_samples` are the mean over its windows of that length:
    what the classification layer makes of the recording's embedding, see `embed`.

    Args:
        model: a classifier; its mode is restored afterwards.
        dataset: with a signal column.
        batch_size: windows per forward pass; a recording no longer than the model's window is one.
        progress: whether to show a progress bar.

    Returns:
        logits (recordings, labels).
    """
    return over_dataset(
        lambda signal, mask: model(signal, lead_mask=mask).logits,
        model,
        dataset,
        batch_size=batch_size,
        description="predicting",
        progress=progress,
    )
