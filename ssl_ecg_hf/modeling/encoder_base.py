"""What every encoder offers."""

from __future__ import annotations

from torch import Tensor, nn


class Encoder(nn.Module):
    """Maps normalised signals (batch, leads, samples) to a sequence (batch, output_size, frames).

    Any length and any number of leads; the constructor takes `num_leads` and keyword options.
    """

    output_size: int

    def forward(self, signal: Tensor) -> Tensor:
        """Encode signals.

        Args:
            signal: (batch, leads, samples), normalised.

        Returns:
            (batch, output_size, frames).
        """
        raise NotImplementedError


__all__ = ["Encoder"]
