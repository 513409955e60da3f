"""BYOL: predicting a slowly moving target network's projection of another view, without negatives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from .configuration_ssl_ecg import SslEcgConfig
from .modeling_ssl_ecg import (
    SslEcgForPreTraining,
    SslEcgForPreTrainingOutput,
    build_encoder,
    checked_options,
    over_views,
    projection_head,
)


def byol_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of unit vectors, 2 - 2 cos, over all ordered pairs of different views, in float32.

    With two views this is half of equation 2 of the paper, symmetrised: its two terms are averaged, not
    added.

    Args:
        predictions: (batch, views, size) of the online network.
        targets: (batch, views, size) of the target network; no gradient flows into it.

    Returns:
        Scalar in [0, 4].

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.

    Example:
        >>> same = torch.ones(3, 2, 8)
        >>> round(float(byol_loss(same, same)), 5)
        0.0
    """
    with torch.autocast(predictions.device.type, enabled=False):
        online = F.normalize(predictions.float(), dim=-1)
        target = F.normalize(targets.detach().float(), dim=-1)
        cosine = torch.einsum("bid,bjd->bij", online, target).mean(dim=0)
        views = cosine.shape[0]
        different = ~torch.eye(views, dtype=torch.bool, device=cosine.device)
        return 2 - 2 * cosine[different].mean()


def ema_decay(base: float, progress: float) -> float:
    """Decay of the target network: from `base` to 1 along half a cosine.

    Args:
        base: decay at the start, in [0, 1].
        progress: fraction of training done, in [0, 1].

    Returns:
        1 - (1 - base) (cos(pi progress) + 1) / 2.

    Reference:
        Grill et al. 2020, section 3.2.

    Example:
        >>> ema_decay(0.99, 0.0), ema_decay(0.99, 1.0)
        (0.99, 1.0)
    """
    return 1 - (1 - base) * (math.cos(math.pi * progress) + 1) / 2


@dataclass(frozen=True, kw_only=True)
class BYOLOptions:
    """Options of [`SslEcgForBYOL`], given as `config.objective_options`.

    Args:
        hidden_size: width of the hidden layers of projector and predictor.
        projection_size: width of their outputs.
        ema_decay: decay of the target network at the start of training.
        separate_views: whether each view passes through the networks alone, with batch statistics of its own,
            as in the paper; by default all views share them, which is one pass.
    """

    hidden_size: int = 2048
    projection_size: int = 256
    ema_decay: float = 0.99
    separate_views: bool = False

    def __post_init__(self) -> None:
        if min(self.hidden_size, self.projection_size) <= 0 or not 0 <= self.ema_decay <= 1:
            raise ValueError(f"sizes must be positive and ema_decay in [0, 1]; got {self}")


class SslEcgForBYOL(SslEcgForPreTraining):
    """Online encoder, projector and predictor; target encoder and projector that follow them.

    The target starts as a copy of the online network and moves towards it after each optimizer step
    ([`after_optimizer_step`]), parameters and BatchNorm statistics alike. As in the paper it normalises
    with the statistics of the batch while training.

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.

    Example:
        >>> model = SslEcgForBYOL(SslEcgConfig())
        >>> bool(model(torch.randn(4, 2, 12, 250)).loss > 0)
        True
    """

    # A checkpoint of an encoder has no target: it becomes a copy of the online network.
    _keys_to_ignore_on_load_missing = [r"^target_", r"^num_target_updates$"]  # noqa: RUF012

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        self.options = BYOLOptions(
            **checked_options("objective_options", config.objective_options, BYOLOptions)
        )
        hidden_size, projection_size = self.options.hidden_size, self.options.projection_size
        self.encoder = build_encoder(config)
        self.projector = projection_head(self.embedding_size, hidden_size, projection_size)
        self.predictor = projection_head(projection_size, hidden_size, projection_size)
        self.target_encoder = build_encoder(config)
        self.target_projector = projection_head(self.embedding_size, hidden_size, projection_size)
        for module in [*self.target_encoder.modules(), *self.target_projector.modules()]:
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.0  # its running statistics come from the online network alone
        # Also what makes Transformers call `_init_weights` for this class itself.
        self.register_buffer("num_target_updates", torch.zeros((), dtype=torch.int64))
        self.post_init()
        self.train()

    def train(self, mode: bool = True) -> SslEcgForBYOL:
        """Set training mode; the target never asks for gradients (`from_pretrained` would turn them on)."""
        super().train(mode)
        self.target_encoder.requires_grad_(False)
        self.target_projector.requires_grad_(False)
        return self

    def _target_pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        for target, online in (
            (self.target_encoder, self.encoder),
            (self.target_projector, self.projector),
        ):
            yield from zip(target.state_dict().values(), online.state_dict().values(), strict=True)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            for online, target in (
                (self.encoder, self.target_encoder),
                (self.projector, self.target_projector),
            ):
                for name, parameter in target.named_parameters():
                    init.copy_(parameter, online.get_parameter(name))
                for name, buffer in target.named_buffers():
                    init.copy_(buffer, online.get_buffer(name))

    @torch.no_grad()
    def after_optimizer_step(self, progress: float) -> None:
        """Move the target towards the online network.

        Args:
            progress: fraction of training done, in [0, 1].
        """
        decay = ema_decay(self.options.ema_decay, progress)
        for target, online in self._target_pairs():
            if target.is_floating_point():
                target.lerp_(online, 1 - decay)
            else:
                target.copy_(online)
        self.num_target_updates += 1

    @torch.no_grad()
    def project_target(self, views: Tensor) -> Tensor:
        """Project a group of views with the target network.

        Args:
            views: (batch, num_views, leads, samples) in mV.

        Returns:
            (batch, num_views, projection_size), without gradient.
        """
        return over_views(self.target_projector, self.embed_views(views, self.target_encoder))

    def forward(self, views: Tensor, return_loss: bool = True) -> SslEcgForPreTrainingOutput:
        """Predict the target's projection of each other view.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.
            return_loss: whether to run the target and compute the loss.

        Returns:
            `loss`, `projections` (the online ones; batch, num_views, projection_size) and `pooler_output`
            (batch, num_views, embedding_size).
        """
        groups = self.view_groups(views, separate=self.options.separate_views)
        embeddings = [self.embed_views(group, self.encoder) for group in groups]
        projections = [over_views(self.projector, group) for group in embeddings]
        loss = None
        if return_loss:
            predictions = torch.cat([over_views(self.predictor, group) for group in projections], dim=1)
            loss = byol_loss(predictions, torch.cat([self.project_target(group) for group in groups], dim=1))
        return SslEcgForPreTrainingOutput(
            loss=loss, projections=torch.cat(projections, dim=1), pooler_output=torch.cat(embeddings, dim=1)
        )


__all__ = ["BYOLOptions", "SslEcgForBYOL", "byol_loss", "ema_decay"]
