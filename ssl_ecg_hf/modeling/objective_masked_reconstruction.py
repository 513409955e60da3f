"""Masked reconstruction: blocks of the signal are hidden from the encoder, and predicted from the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .configuration_ssl_ecg import SslEcgConfig
from .modeling_ssl_ecg import build_encoder, checked_options
from .pretraining_ssl_ecg import (
    SslEcgForPreTraining,
    SslEcgForPreTrainingOutput,
    check_positive,
    check_views,
)

# Strides up to 45 samples, and all powers of two up to this number, are measured exactly.
MEASURED_SAMPLES = 2048


def draw_mask(
    shape: tuple[int, int, int, int],
    *,
    block: int,
    ratio: float,
    together: bool = True,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Choose at random which blocks of time are hidden, the same number of them in every recording.

    Args:
        shape: of the views, (batch, num_views, leads, samples).
        block: length of a block in samples; the last one may be shorter.
        ratio: share of the blocks that is hidden; at least one is, and at least one is not.
        together: whether a block is hidden in all leads at once; else each lead has blocks of its own.
        device: of the mask.
        generator: on that device; default: the global one.

    Returns:
        (batch, num_views, 1 or leads, samples), true where a sample is hidden.

    Raises:
        ValueError: if the samples are not more than a block.

    Example:
        >>> mask = draw_mask((1, 1, 12, 6), block=2, ratio=0.3, generator=torch.Generator().manual_seed(0))
        >>> mask.shape, int(mask.sum())
        (torch.Size([1, 1, 1, 6]), 2)
    """
    batch, num_views, leads, samples = shape
    blocks = math.ceil(samples / block)
    if blocks < 2:
        raise ValueError(
            f"views of {samples} samples are one block of {block}: nothing would be left to see; choose "
            "shorter blocks (block_seconds) or longer recordings"
        )
    hidden = min(max(round(ratio * blocks), 1), blocks - 1)
    rows = 1 if together else leads
    order = torch.rand(batch, num_views, rows, blocks, device=device, generator=generator).argsort(dim=-1)
    return (order < hidden).repeat_interleave(block, dim=-1)[..., :samples]


def checked_mask(mask: Tensor, views: Tensor) -> Tensor:
    """Return a mask that says for every sample of the views, or for all leads at once, whether it is hidden.

    Raises:
        ValueError: if it is no such mask.
    """
    batch, num_views, leads, samples = views.shape
    wanted = [(batch, num_views, rows, samples) for rows in (1, leads)]
    if mask.dtype != torch.bool or tuple(mask.shape) not in wanted:
        raise ValueError(
            f"mask is {mask.dtype} of shape {tuple(mask.shape)}; expected torch.bool of shape {wanted[0]} "
            f"or {wanted[1]}, true where a sample is hidden"
        )
    return mask


def masked_reconstruction_loss(reconstruction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Smooth L1 distance over hidden samples, in float32.

    Half the squared error up to an error of 1, and linear beyond it: where the unit is the millivolt, that
    is the squared error of any heartbeat, while an artefact of many millivolts does not rule the gradient.
    Flat leads (absent, or dropped by augmentation) do not count. Every recording counts alike.

    Args:
        reconstruction: (batch, leads, samples), in the unit of the target.
        target: (batch, leads, samples), the normalised signal.
        mask: (batch, leads or 1, samples), true where a sample was hidden.

    Returns:
        Scalar, the mean over recordings of the mean over their hidden samples; a recording without any costs
        nothing.

    Reference:
        Xie et al., SimMIM: a Simple Framework for Masked Image Modeling, CVPR 2022, equation 1 (there with
        the L1 distance; it finds L1, smooth L1 and L2 equally good).

    Example:
        >>> target = torch.tensor([[[0.0, 1.0, 3.0]]])
        >>> mask = torch.tensor([[[False, True, True]]])
        >>> masked_reconstruction_loss(torch.zeros(1, 1, 3), target, mask).item()  # (0.5 + 2.5) / 2
        1.5
    """
    with torch.autocast(reconstruction.device.type, enabled=False):
        target = target.float()
        moving = (target != target[..., :1]).any(dim=-1, keepdim=True)
        counted = (mask & moving).float()
        errors = F.smooth_l1_loss(reconstruction.float(), target, reduction="none") * counted
        of_each = errors.sum(dim=(-2, -1)) / counted.sum(dim=(-2, -1)).clamp_min(1)
        return of_each.mean()


def samples_per_frame(config: SslEcgConfig) -> int:
    """Measure how many samples a frame of the encoder stands for: its total stride.

    Example:
        >>> samples_per_frame(SslEcgConfig())
        8
    """
    # On the CPU even where Transformers builds a model without data, on the meta device.
    with torch.device("cpu"), torch.no_grad():
        encoder = build_encoder(config).eval()
        frames = encoder(torch.zeros(1, config.num_leads, MEASURED_SAMPLES)).shape[-1]
    return math.ceil(MEASURED_SAMPLES / frames)


class PatchDecoder(nn.Module):
    """A linear layer that turns each frame into the samples it stands for.

    It has an output for each of these samples. An interpolation of frames could not draw a QRS complex,
    which is shorter than two frames of a stride of 8 samples at 100 Hz.

    Args:
        channels: of the encoder's sequence.
        num_leads: of the signal.
        samples_per_frame: total stride of the encoder.
    """

    def __init__(self, channels: int, num_leads: int, samples_per_frame: int) -> None:
        super().__init__()
        self.num_leads = num_leads
        self.samples_per_frame = samples_per_frame
        self.linear = nn.Linear(channels, num_leads * samples_per_frame)

    def forward(self, hidden: Tensor, samples: int) -> Tensor:
        """Map (batch, channels, frames) to (batch, leads, samples).

        Frame k of a strided encoder lies at sample k * stride, so what the last one says beyond the end is
        cut off. Where an encoder has frames at other places, they are taken as spread evenly and the patches
        are stretched linearly.
        """
        patches = self.linear(hidden.transpose(1, 2)).unflatten(-1, (self.num_leads, self.samples_per_frame))
        signal = patches.transpose(1, 2).flatten(2)
        if 0 <= signal.shape[-1] - samples < self.samples_per_frame:
            return signal[..., :samples]
        return F.interpolate(signal.float(), size=samples, mode="linear")


@dataclass(frozen=True, kw_only=True)
class MaskedReconstructionOptions:
    """Options of [`SslEcgForMaskedReconstruction`], given as `config.objective_options`.

    Args:
        block_seconds: length of a hidden block in s; 0.3 is the length of ST-MEM's patches.
        mask_ratio: share of the blocks that is hidden.
        mask_leads: `"together"` hides a block in all leads at once, so that it must be told from what comes
            before and after (MTAE of MaeFE); `"independently"` gives each lead blocks of its own, so that
            other leads help (as in ST-MEM), exactly so among the limb leads, which follow from two of them.
    """

    block_seconds: float = 0.3
    mask_ratio: float = 0.5
    mask_leads: Literal["together", "independently"] = "together"

    def __post_init__(self) -> None:
        check_positive(self, "block_seconds")
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"objective_options: mask_ratio must lie between 0 and 1; got {self.mask_ratio}")
        if self.mask_leads not in ("together", "independently"):
            raise ValueError(
                "objective_options: mask_leads must be 'together' or 'independently'; "
                f"got {self.mask_leads!r}"
            )


class SslEcgForMaskedReconstruction(SslEcgForPreTraining):
    """Encoder and a linear decoder that predicts hidden blocks of the normalised signal.

    The design is SimMIM's: hidden samples stay in their place in the encoder's input, any encoder will do,
    and the decoder is as light as can be, so that the encoder has to know. Hidden samples are zero rather
    than a learnt value: so are absent leads and samples lost to augmentation everywhere in this package,
    and a stretch of exact zeros cannot be mistaken for a recorded signal, which is never constant.

    Embeddings, which the monitors watch, are those of the masked recordings. The loss does not reach the
    pooling, whose weights, if any, stay as they are.

    Raises:
        ValueError: if the encoder sees spectra, or a block is shorter than a sample.

    Reference:
        Xie et al., SimMIM: a Simple Framework for Masked Image Modeling, CVPR 2022.
        Zhang et al., MaeFE: Masked Autoencoders Family of Electrocardiogram for Self-Supervised Pretraining
        and Transfer Learning, IEEE Transactions on Instrumentation and Measurement 2022.
        Na et al., Guiding Masked Representation Learning to Capture Spatio-Temporal Relationship of
        Electrocardiogram, ICLR 2024 (ST-MEM).

    Example:
        >>> model = SslEcgForMaskedReconstruction(SslEcgConfig(objective_options={"mask_ratio": 0.4}))
        >>> inputs = model.make_inputs(torch.randn(4, 1, 12, 250), generator=torch.Generator())
        >>> inputs["mask"].shape
        torch.Size([4, 1, 1, 250])
        >>> bool(model(**inputs).loss > 0)
        True
    """

    views_needed = 1
    default_augmentations = None  # what is lost to an augmentation would be lost to the target
    options: MaskedReconstructionOptions

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        given = checked_options("objective_options", config.objective_options, MaskedReconstructionOptions)
        self.options = MaskedReconstructionOptions(**given)
        if config.input_domain != "time":
            raise ValueError(
                f"masked reconstruction hides blocks of time, but the encoder sees the {config.input_domain} "
                "domain, where every value would give the hidden samples away: choose input_domain 'time'"
            )
        self.block = round(self.options.block_seconds * config.sampling_rate)
        if self.block < 1:
            raise ValueError(
                f"objective_options: block_seconds {self.options.block_seconds} is less than a sample at "
                f"{config.sampling_rate} Hz"
            )
        self.pooling.requires_grad_(False)
        self.decoder = PatchDecoder(self.encoder.output_size, config.num_leads, samples_per_frame(config))
        self.post_init()

    def train(self, mode: bool = True) -> SslEcgForMaskedReconstruction:
        """Set training mode; the pooling asks for no gradient (`from_pretrained` would turn it on)."""
        super().train(mode)
        self.pooling.requires_grad_(False)
        return self

    def draw_mask(self, views: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw what is hidden of (batch, num_views, leads, samples), see [`draw_mask`]."""
        batch, num_views, leads, samples = views.shape
        return draw_mask(
            (batch, num_views, leads, samples),
            block=self.block,
            ratio=self.options.mask_ratio,
            together=self.options.mask_leads == "together",
            device=views.device,
            generator=generator,
        )

    def make_inputs(self, views: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw a mask for each view.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            generator: on the device of `views`.

        Returns:
            `views` as they are and `mask`, (batch, num_views, leads or 1, samples), true where hidden.
        """
        return {"views": views, "mask": self.draw_mask(views, generator=generator)}

    def forward(
        self, views: Tensor, mask: Tensor | None = None, return_loss: bool = True
    ) -> SslEcgForPreTrainingOutput:
        """Reconstruct what is hidden of each view.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least one view.
            mask: (batch, num_views, leads or 1, samples), true where a sample is hidden; default: drawn from
                the global generator.
            return_loss: whether to reconstruct and compute the loss.

        Returns:
            `loss`, and the embeddings of the masked views, (batch, num_views, embedding_size), as
            `pooler_output` and, since this objective compares none, as `projections`.

        Raises:
            ValueError: if the mask does not fit the views.
        """
        check_views(views, at_least=1)
        mask = self.draw_mask(views) if mask is None else checked_mask(mask, views)
        mask = mask.flatten(0, 1)
        target = self.prepare(views.flatten(0, 1))
        hidden = self.encoder(target.masked_fill(mask, 0.0))
        embeddings = self.pooling(hidden).unflatten(0, views.shape[:2])
        loss = None
        if return_loss:
            loss = masked_reconstruction_loss(self.decoder(hidden, views.shape[-1]), target, mask)
        return SslEcgForPreTrainingOutput(loss=loss, projections=embeddings, pooler_output=embeddings)


__all__ = [
    "MaskedReconstructionOptions",
    "SslEcgForMaskedReconstruction",
    "draw_mask",
    "masked_reconstruction_loss",
]
