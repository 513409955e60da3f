"""SimCLR: agreement between views of one recording, against all other recordings of the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .configuration_ssl_ecg import SslEcgConfig
from .distributed_ssl_ecg import gather_batch
from .modeling_ssl_ecg import (
    SslEcgForPreTraining,
    SslEcgForPreTrainingOutput,
    build_encoder,
    checked_options,
    over_views,
)

# More similarities than these (64 MiB in float32) are computed in chunks, and again in the backward pass.
CHUNK_SIMILARITIES = 2**24


def _anchor_losses(
    anchors: Tensor, candidates: Tensor, first_id: int, views: int, temperature: float
) -> Tensor:
    """The loss of each anchor; anchor k is candidate `first_id` + k, views of a recording are neighbours."""
    anchor_id = first_id + torch.arange(len(anchors), device=anchors.device).unsqueeze(-1)
    similarity = (anchors @ candidates.T / temperature).scatter(1, anchor_id, -torch.inf)
    positive_id = anchor_id // views * views + torch.arange(views, device=anchors.device)
    positives = similarity.gather(1, positive_id).masked_fill(positive_id == anchor_id, 0.0)
    return similarity.logsumexp(dim=-1) - positives.sum(dim=-1) / (views - 1)


def nt_xent_loss(projections: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Normalised temperature-scaled cross-entropy over the batches of all processes, in float32.

    For an anchor the positives are the other views of the same recording, the negatives all views of all
    other recordings; each positive is scored against all candidates but the anchor itself, and
    anchors and positives are averaged. With two views this is equation 1 of the paper. The matrix of
    similarities is never held whole for large batches, which bounds memory and changes no result.

    Args:
        projections: (batch, views, size) with at least two views, the same batch size in every process.
        temperature: divisor of the cosine similarities, > 0.

    Returns:
        Scalar, the mean over the anchors of this process; the mean over processes is the loss of the whole
        batch.

    Reference:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.

    Example:
        >>> identical = torch.eye(4).unsqueeze(1).repeat(1, 2, 1)
        >>> bool(nt_xent_loss(identical, temperature=0.05) < 1e-6)
        True
    """
    with torch.autocast(projections.device.type, enabled=False):
        local = F.normalize(projections.float(), dim=-1)
        everything, first = gather_batch(local)
        views = local.shape[1]
        anchors, candidates = local.flatten(0, 1), everything.flatten(0, 1)
        rows = max(1, CHUNK_SIMILARITIES // len(candidates))
        losses = []
        for start in range(0, len(anchors), rows):
            arguments = (anchors[start : start + rows], candidates, first * views + start, views, temperature)
            if rows < len(anchors):
                losses.append(checkpoint(_anchor_losses, *arguments, use_reentrant=False))
            else:
                losses.append(_anchor_losses(*arguments))
        return torch.cat(losses).mean()


@dataclass(frozen=True, kw_only=True)
class SimCLROptions:
    """Options of [`SslEcgForSimCLR`], given as `config.objective_options`.

    Args:
        temperature: divisor of the cosine similarities.
        hidden_size: width of the hidden layer of the projection head.
        projection_size: width of its output.
        separate_views: whether each view passes through encoder and head alone, with batch statistics of its
            own; by default all views share them, which is one pass.
    """

    temperature: float = 0.1
    hidden_size: int = 2048
    projection_size: int = 128
    separate_views: bool = False

    def __post_init__(self) -> None:
        if min(self.temperature, self.hidden_size, self.projection_size) <= 0:
            raise ValueError(f"temperature, hidden_size and projection_size must be positive; got {self}")


class SslEcgForSimCLR(SslEcgForPreTraining):
    """Encoder, projection head Linear-BatchNorm-ReLU-Linear and the NT-Xent loss.

    Reference:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.

    Example:
        >>> model = SslEcgForSimCLR(SslEcgConfig(objective_options={"temperature": 0.2}))
        >>> model(torch.randn(4, 2, 12, 250)).projections.shape
        torch.Size([4, 2, 128])
    """

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        self.options = SimCLROptions(
            **checked_options("objective_options", config.objective_options, SimCLROptions)
        )
        self.encoder = build_encoder(config)
        self.projector = nn.Sequential(
            nn.Linear(self.embedding_size, self.options.hidden_size, bias=False),
            nn.BatchNorm1d(self.options.hidden_size),
            nn.ReLU(),
            nn.Linear(self.options.hidden_size, self.options.projection_size),
        )
        self.post_init()

    def forward(self, views: Tensor, return_loss: bool = True) -> SslEcgForPreTrainingOutput:
        """Compare views.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.
            return_loss: whether to compute the loss.

        Returns:
            `loss`, `projections` (batch, num_views, projection_size) and `pooler_output` (batch, num_views,
            embedding_size).
        """
        groups = self.view_groups(views, separate=self.options.separate_views)
        embeddings = [self.embed_views(group, self.encoder) for group in groups]
        projections = torch.cat([over_views(self.projector, group) for group in embeddings], dim=1)
        loss = nt_xent_loss(projections, temperature=self.options.temperature) if return_loss else None
        return SslEcgForPreTrainingOutput(
            loss=loss, projections=projections, pooler_output=torch.cat(embeddings, dim=1)
        )


__all__ = ["SimCLROptions", "SslEcgForSimCLR", "nt_xent_loss"]
