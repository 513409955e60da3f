"""Gathering embeddings and ids from all processes without cutting the gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _GatherWithGradient(torch.autograd.Function):
    """Concatenate along the batch; the backward pass sums what every process owes to the local slice."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        ctx.batch = local.shape[0]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        start = dist.get_rank() * ctx.batch
        return total[start : start + ctx.batch]


def num_processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather_batch(local: Tensor) -> tuple[Tensor, int]:
    """Concatenate a tensor over all processes, with gradient.

    Every process must hold the same batch size (`dataloader_drop_last=True`). In a single process
    the tensor itself is returned.

    Args:
        local: (batch, ...) of this process; integers have no gradient.

    Returns:
        (batch * processes, ...) in rank order, and the index of the first local row in it.
    """
    if num_processes() == 1:
        return local, 0
    return _GatherWithGradient.apply(local), dist.get_rank() * local.shape[0]


def check_several(recordings: int) -> None:
    """Refuse a batch, that of all processes together, in which there is nothing to compare a recording with.

    Args:
        recordings: in the batches of all processes.

    Raises:
        ValueError: if there is one recording only.
    """
    if recordings < 2:
        raise ValueError(
            "this loss compares the recordings of a batch and got one recording; give at least two, better "
            "hundreds: raise the batch size"
        )


def gather_recordings(projections: Tensor) -> Tensor:
    """Gather the projections of all processes, for statistics over recordings.

    Args:
        projections: (batch, views, size) of this process.

    Returns:
        (recordings, views, size) in float32, with gradient.

    Raises:
        ValueError: if there is one recording only.
    """
    everything, _ = gather_batch(projections.float())
    check_several(len(everything))
    return everything


__all__ = ["check_several", "gather_batch", "gather_recordings", "num_processes"]
