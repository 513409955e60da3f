"""The six-block 1D-CNN encoder: small, fast, 538,624 parameters with its default options."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder_base import Encoder


class TimeConv(nn.Conv1d):
    """A bias-free 1-D convolution that also takes `(batch, channels, 1, samples)`.

    The 4-D form runs as a channels-last 2-D convolution over a view of the same `[out, in, kernel]` weight.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve along the last axis."""
        if x.dim() == 3:
            return super().forward(x)
        return F.conv2d(
            x, self.weight.unsqueeze(2), None, stride=(1, self.stride[0]), padding=(0, int(self.padding[0]))
        )


class TimeBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over batch and time of `(batch, channels, samples)` or its 4-D form."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (3, 4):
            raise ValueError(f"expected a 3-D or 4-D tensor, got shape {tuple(input.shape)}")


class CnnBlock(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.conv = TimeConv(in_channels, out_channels, kernel_size, stride)
        self.norm = TimeBatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in, samples) to (batch, out, ceil(samples / stride)), or the 4-D form of it."""
        return F.relu(self.norm(self.conv(x)))


class CnnEncoder(Encoder):
    """Six blocks Conv-BatchNorm-ReLU, after the encoder of SSRL-ECG.

    With the default options: 538,624 parameters, receptive field 83 samples, total stride 8, so that
    `(batch, 12, 1000)` becomes `(batch, 256, 125)`. Any number of leads, any length.

    In bfloat16 and on accelerators the convolutions run channels-last in two dimensions, which is about twice
    as fast there; in float32 on a CPU the one-dimensional form is faster and is used. The parameters are
    the same, the results equal up to rounding.

    Args:
        num_leads: rows of the input.
        hidden_sizes: output channels of each block.
        kernel_sizes: odd kernel length of each block in samples.
        strides: stride of each block in samples.

    Raises:
        ValueError: if the three sequences differ in length or a kernel is even.

    Reference:
        https://github.com/Tumo505/SSL-for-ECG-classification
    """

    def __init__(
        self,
        num_leads: int,
        *,
        hidden_sizes: Sequence[int] = (64, 64, 128, 128, 256, 256),
        kernel_sizes: Sequence[int] = (11, 7, 7, 5, 5, 3),
        strides: Sequence[int] = (2, 1, 2, 1, 2, 1),
    ) -> None:
        super().__init__()
        if not len(hidden_sizes) == len(kernel_sizes) == len(strides) > 0:
            raise ValueError(
                "hidden_sizes, kernel_sizes and strides must have one entry per block; got "
                f"{len(hidden_sizes)}, {len(kernel_sizes)} and {len(strides)} entries"
            )
        if even := [size for size in kernel_sizes if size % 2 == 0]:
            raise ValueError(f"kernel_sizes must be odd so that padding is symmetric; got {even}")
        in_sizes = [num_leads, *hidden_sizes[:-1]]
        self.output_size = hidden_sizes[-1]
        self.blocks = nn.ModuleList(
            CnnBlock(*sizes) for sizes in zip(in_sizes, hidden_sizes, kernel_sizes, strides, strict=True)
        )

    def forward(self, signal: Tensor) -> Tensor:
        """Encode signals.

        Args:
            signal: (batch, leads, samples), normalised.

        Returns:
            (batch, channels, frames) with frames = samples / total stride, rounded up at each block.
        """
        reduced_precision = signal.dtype == torch.bfloat16 or torch.is_autocast_enabled(signal.device.type)
        if signal.device.type == "cpu" and not reduced_precision:
            for block in self.blocks:
                signal = block(signal)
            return signal
        if signal.dtype == torch.float32 and reduced_precision:
            signal = signal.to(torch.get_autocast_dtype(signal.device.type))
        x = signal.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        return x.squeeze(2)


__all__ = ["CnnEncoder"]
