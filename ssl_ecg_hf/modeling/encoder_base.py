"""What every encoder offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def unchanged_statistics(module: nn.Module) -> Iterator[None]:
    """Undo what a forward pass does to the buffers of a module: the running statistics of BatchNorm.

    Gradient checkpointing runs a block a second time in the backward pass, and that must not count twice.
    """
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def in_precision_of(module: nn.Module, values: Tensor) -> Tensor:
    """Return values in the precision of a module's weights; under autocast, which sees to it, as they are.

    Args:
        module: with parameters, all of one type.
        values: of any floating type.
    """
    if torch.is_autocast_enabled(values.device.type):
        return values
    return values.to(next(module.parameters()).dtype)


class Encoder(nn.Module):
    """Maps normalised signals (batch, leads, samples) to a sequence (batch, output_size, frames).

    Any length and any number of leads; the constructor takes `num_leads` and keyword options. A subclass
    sends its signal through its blocks by [`run`], which is what makes gradient checkpointing work.
    """

    output_size: int

    gradient_checkpointing = False
    """Set by Transformers' `activation_checkpointing_enable`."""

    def run(self, block: nn.Module, signal: Tensor) -> Tensor:
        """Apply a block; with gradient checkpointing the backward pass computes its activations again."""
        if not (self.gradient_checkpointing and self.training and torch.is_grad_enabled()):
            return block(signal)

        if torch.compiler.is_compiling():
            # A compiled backward pass computes again what gradients need, and no statistics.
            return checkpoint(block, signal, use_reentrant=False)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), unchanged_statistics(block)

        return checkpoint(block, signal, use_reentrant=False, context_fn=contexts)

    def forward(self, signal: Tensor) -> Tensor:
        """Encode signals.

        Args:
            signal: (batch, leads, samples), normalised.

        Returns:
            (batch, output_size, frames).
        """
        raise NotImplementedError


__all__ = ["Encoder", "in_precision_of", "unchanged_statistics"]
