"""Embeddings and predictions of whole datasets by a frozen model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.schema import MILLIVOLT_COLUMN
from ssl_ecg_hf.data.signals import SignalTable, numeric_column
from ssl_ecg_hf.modeling import SslEcgConfig
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import check_amplitude

UNIT_SAMPLE = 32  # recordings whose amplitude is looked at


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
    if table.signal_name == MILLIVOLT_COLUMN and np.asarray(dataset[0][MILLIVOLT_COLUMN]).dtype.kind != "f":
        raise ValueError(
            f"the column {MILLIVOLT_COLUMN!r} holds integers; expected floats in millivolts. Integers in "
            "microvolts belong into a column 'signal_uv'"
        )
    if table.signal_shape[0] != config.num_leads:
        raise ValueError(
            f"the dataset has recordings of {table.signal_shape[0]} leads, the model expects "
            f"{config.num_leads}: {list(config.leads)}"
        )
    _check_unit(table)
    if "sampling_rate" in dataset.column_names:
        rates = np.unique(numeric_column(dataset, "sampling_rate"))
        if not np.allclose(rates, config.sampling_rate, rtol=1e-6):
            raise ValueError(
                f"the dataset is sampled at {rates[:5].tolist()} Hz, the model at {config.sampling_rate} Hz; "
                "load the recordings at the model's rate or set sampling_rate of the configuration"
            )
    return table


def _check_unit(table: SignalTable) -> None:
    """Look at some recordings: is their size that of ECGs in the unit that their column stands for?"""
    rows = np.unique(np.linspace(0, len(table) - 1, UNIT_SAMPLE).astype(int))
    signals = to_millivolts(collate(table.__getitems__(rows.tolist()))).numpy()
    try:
        check_amplitude(signals.reshape(-1, signals.shape[-1]))
    except ValueError as error:
        raise ValueError(f"column {table.signal_name!r} of the dataset: {error}") from error


def _signals(
    dataset: Dataset, config: SslEcgConfig, *, batch_size: int, description: str, progress: bool
) -> Iterator[Tensor]:
    table = signal_table(dataset, config)
    starts = range(0, len(table), batch_size)
    for start in tqdm(starts, desc=description, unit="batch", disable=not progress, leave=False):
        rows = range(start, min(start + batch_size, len(table)))
        yield to_millivolts(collate(table.__getitems__(rows)))


@torch.no_grad()
def embed(
    model: Any, dataset: Dataset, *, batch_size: int = 256, progress: bool = False
) -> NDArray[np.float32]:
    """Embed recordings without augmentation, in evaluation mode and float32.

    Args:
        model: any SslEcg model; its mode is restored afterwards.
        dataset: with a signal column.
        batch_size: recordings per forward pass.
        progress: whether to show a progress bar.

    Returns:
        (recordings, embedding_size).
    """
    was_training = model.training
    model.eval()
    parts = [
        model.embed(signal.to(model.device)).cpu().numpy()
        for signal in _signals(
            dataset, model.config, batch_size=batch_size, description="embedding", progress=progress
        )
    ]
    model.train(was_training)
    return np.concatenate(parts)


@torch.no_grad()
def predict_logits(
    model: Any, dataset: Dataset, *, batch_size: int = 256, progress: bool = False
) -> NDArray[np.float32]:
    """Classify recordings without augmentation, in evaluation mode and float32.

    Args:
        model: a classifier; its mode is restored afterwards.
        dataset: with a signal column.
        batch_size: recordings per forward pass.
        progress: whether to show a progress bar.

    Returns:
        logits (recordings, labels).
    """
    was_training = model.training
    model.eval()
    parts = [
        model(signal.to(model.device)).logits.cpu().numpy()
        for signal in _signals(
            dataset, model.config, batch_size=batch_size, description="predicting", progress=progress
        )
    ]
    model.train(was_training)
    return np.concatenate(parts)
