"""From a sequence of frames to one embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pooling(nn.Module):
    """Maps (batch, channels, frames) to an embedding (batch, output_size) in float32.

    Args:
        channels: of the sequence.
    """

    output_size: int

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.output_size = channels

    def forward(self, hidden: Tensor) -> Tensor:
        """Summarise a sequence over its frames."""
        raise NotImplementedError


def float_frames(hidden: Tensor) -> tuple[Tensor, int]:
    """Return a sequence in float32 and the axis of its frames.

    A sequence that lies channels-last in memory is transposed, so that it gets its gradient in the same
    layout: in another one the backward pass of the encoder's last layer would walk through memory with
    large steps.

    Args:
        hidden: (batch, channels, frames).

    Returns:
        the sequence with axis 2, or (batch, frames, channels) with axis 1.
    """
    values, axis = (hidden.transpose(1, 2), 1) if hidden.stride(1) == 1 else (hidden, 2)
    return values.float(), axis


class MeanPooling(Pooling):
    """The mean over frames.

    Example:
        >>> MeanPooling(2)(torch.tensor([[[1.0, 3.0], [0.0, 4.0]]])).tolist()
        [[2.0, 2.0]]
    """

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (batch, channels, frames) to (batch, channels)."""
        values, frames = float_frames(hidden)
        return values.mean(dim=frames)


class MeanStdPooling(Pooling):
    """The mean over frames, followed by the standard deviation.

    Reference:
        Snyder et al., X-Vectors: Robust DNN Embeddings for Speaker Recognition, ICASSP 2018 (there called
        statistics pooling).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.output_size = 2 * channels

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (batch, channels, frames) to (batch, 2 * channels)."""
        values, frames = float_frames(hidden)
        mean = values.mean(dim=frames)
        deviation = (values.var(dim=frames, correction=0) + 1e-5).sqrt()
        return torch.cat([mean, deviation], dim=1)


class AttentionPooling(Pooling):
    """A weighted mean over frames; a small network says how much each one counts.

    The network's last layer starts at zero, so that a new one is the mean.

    Reference:
        Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning, ICML 2018, equations 7-8.
    """

    HIDDEN_SIZE = 128

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.hidden = nn.Linear(channels, self.HIDDEN_SIZE)
        self.query = nn.Parameter(torch.zeros(self.HIDDEN_SIZE))

    def weights(self, hidden: Tensor) -> Tensor:
        """Return what each frame counts: (batch, frames) in float32, with the sum 1 for each recording.

        Args:
            hidden: (batch, channels, frames).
        """
        values = hidden.transpose(1, 2).to(self.hidden.weight.dtype)
        return (self.hidden(values).tanh() @ self.query).float().softmax(dim=-1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (batch, channels, frames) to (batch, channels)."""
        weights = self.weights(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            return torch.einsum("bcf,bf->bc", hidden.float(), weights)


POOLINGS: dict[str, type[Pooling]] = {
    "mean": MeanPooling,
    "mean_std": MeanStdPooling,
    "attention": AttentionPooling,
}

__all__ = ["POOLINGS", "AttentionPooling", "MeanPooling", "MeanStdPooling", "Pooling"]
