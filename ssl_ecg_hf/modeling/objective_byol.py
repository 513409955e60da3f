"""BYOL: predicting a slowly moving target network's projection of another view, without negatives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from .modeling_ssl_ecg import build_encoder
from .pooling_ssl_ecg import POOLINGS
from .pretraining_ssl_ecg import (
    ProjectionOptions,
    SslEcgForJointEmbedding,
    SslEcgForPreTrainingOutput,
    check_projections,
    over_views,
    projection_head,
    view_groups,
)

UNMOVED = 100  # training passes with the target where it was, after which the weights are looked at


def byol_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of unit vectors, 2 - 2 cos, over all ordered pairs of different views, in float32.

    With two views this is half of equation 2 of the paper, symmetrised: its two terms are averaged, not
    added.

    Args:
        predictions: (batch, views, size) of the online network.
        targets: (batch, views, size) of the target network; no gradient flows into it.

    Returns:
        Scalar in [0, 4].

    Raises:
        ValueError: if there are fewer than two views.

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.

    Example:
        >>> same = torch.ones(3, 2, 8)
        >>> round(float(byol_loss(same, same)), 5)
        0.0
    """
    check_projections(predictions)
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
class BYOLOptions(ProjectionOptions):
    """Options of [`SslEcgForBYOL`], given as `config.objective_options`; see also [`ProjectionOptions`].

    Widths are those of projector and predictor. In the paper each view has batch statistics of its own
    (`separate_views`).

    Args:
        ema_decay: decay of the target network at the start of training.
    """

    projection_size: int = 256
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ema_decay <= 1:
            raise ValueError(f"objective_options: ema_decay must lie in [0, 1]; got {self.ema_decay}")


class SslEcgForBYOL(SslEcgForJointEmbedding):
    """Online encoder, projector and predictor; target encoder and projector that follow them.

    The target starts as a copy of the online network and moves towards it after each optimizer step
    ([`after_optimizer_step`]), parameters and BatchNorm statistics alike. As in the paper it normalises
    with the statistics of the batch while training.

    Something must call that method: the Trainer of this package does, the plain one of Transformers with
    `callbacks=model.trainer_callbacks()` ([`AfterOptimizerStep`]). A target that never moves is a random
    network to be predicted; there is a warning where many passes went by without it.

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.

    Example:
        >>> from ssl_ecg_hf.modeling import SslEcgConfig
        >>> model = SslEcgForBYOL(SslEcgConfig())
        >>> bool(model(torch.randn(4, 2, 12, 250)).loss > 0)
        True
    """

    # A checkpoint of an encoder has no target: it becomes a copy of the online network.
    _keys_to_ignore_on_load_missing = [r"^target_", r"^num_target_updates$"]  # noqa: RUF012

    options_class = BYOLOptions
    options: BYOLOptions

    def add_parts(self) -> None:
        """Build the predictor and the target network."""
        hidden_size, projection_size = self.options.hidden_size, self.options.projection_size
        self.predictor = projection_head(projection_size, hidden_size, projection_size)
        self.target_encoder = build_encoder(self.config)
        self.target_pooling = POOLINGS[self.config.pooling](self.target_encoder.output_size)
        self.target_projector = self.new_projector()
        for _, target in self._online_and_target():
            target.requires_grad_(False)
            for module in target.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.momentum = 0.0  # its running statistics come from the online network alone
        self._passes_unmoved, self._weights_unmoved, self._told_unmoved = 0, 0.0, False
        # Also what makes Transformers call `_init_weights` for this class itself.
        self.register_buffer("num_target_updates", torch.zeros((), dtype=torch.int64))

    def _online_and_target(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        yield self.encoder, self.target_encoder
        yield self.pooling, self.target_pooling
        yield self.projector, self.target_projector

    def train(self, mode: bool = True) -> SslEcgForBYOL:
        """Set training mode; the target never asks for gradients (`from_pretrained` would turn them on)."""
        super().train(mode)
        for _, target in self._online_and_target():
            target.requires_grad_(False)
        return self

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            for online, target in self._online_and_target():
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
        for part, target_part in self._online_and_target():
            for online, target in zip(
                part.state_dict().values(), target_part.state_dict().values(), strict=True
            ):
                if target.is_floating_point():
                    target.lerp_(online, 1 - decay)
                else:
                    target.copy_(online)
        self.num_target_updates += 1
        self._passes_unmoved = 0

    def _watch_target(self) -> None:
        """Warn where the optimizer goes on and the target stays.

        Passes whose gradients are only added up change no weight, however many they are.
        """
        if not (self.training and torch.is_grad_enabled()) or torch.compiler.is_compiling():
            return
        self._passes_unmoved += 1
        if self._passes_unmoved % UNMOVED:
            return
        weights = next(self.predictor.parameters()).detach().abs().sum().item()
        changed = self._passes_unmoved > UNMOVED and weights != self._weights_unmoved
        if changed and not self._told_unmoved:
            self._told_unmoved = True
            warnings.warn(
                f"the optimizer has changed the weights, but in {self._passes_unmoved} passes the target has "
                "not moved: give the Trainer callbacks=model.trainer_callbacks(), or call "
                "model.after_optimizer_step(progress) after each step of a training loop of your own",
                stacklevel=3,
            )
        self._weights_unmoved = weights

    @torch.no_grad()
    def project_target(self, views: Tensor) -> Tensor:
        """Project a group of views with the target network.

        Args:
            views: (batch, num_views, leads, samples) in mV.

        Returns:
            (batch, num_views, projection_size), without gradient.
        """
        embeddings = self.embed_views(views, self.target_encoder, self.target_pooling)
        return over_views(self.target_projector, embeddings)

    def forward(self, views: Tensor, return_loss: bool = True) -> SslEcgForPreTrainingOutput:
        """Predict the target's projection of each other view.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.
            return_loss: whether to run the target and compute the loss.

        Returns:
            `loss`, `projections` (the online ones; batch, num_views, projection_size) and `pooler_output`
            (batch, num_views, embedding_size).
        """
        embeddings, projections = self.project_views(views)
        loss = None
        if return_loss:
            self._watch_target()
            separate = self.options.separate_views
            predictions = [
                over_views(self.predictor, each) for each in view_groups(projections, separate=separate)
            ]
            targets = [self.project_target(each) for each in view_groups(views, separate=separate)]
            loss = byol_loss(torch.cat(predictions, dim=1), torch.cat(targets, dim=1))
        return SslEcgForPreTrainingOutput(loss=loss, projections=projections, pooler_output=embeddings)


__all__ = ["BYOLOptions", "SslEcgForBYOL", "byol_loss", "ema_decay"]
