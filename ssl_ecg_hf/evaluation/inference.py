"""Embeddings and predictions of whole datasets by a frozen model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.modeling.modeling_ssl_ecg import pool


def _signals(dataset: Dataset, *, batch_size: int, description: str, progress: bool) -> Iterator[Tensor]:
    table = SignalTable(dataset)
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
        (recordings, channels).
    """
    was_training = model.training
    model.eval()
    parts = [
        pool(model.encoder(model.prepare(signal.to(model.device)))).cpu().numpy()
        for signal in _signals(dataset, batch_size=batch_size, description="embedding", progress=progress)
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
        for signal in _signals(dataset, batch_size=batch_size, description="predicting", progress=progress)
    ]
    model.train(was_training)
    return np.concatenate(parts)
