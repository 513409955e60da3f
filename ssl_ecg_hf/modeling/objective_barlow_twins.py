"""Barlow Twins: a feature agrees between views of a recording and is correlated with no other feature."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from .distributed_ssl_ecg import gather_recordings
from .pretraining_ssl_ecg import (
    ProjectionOptions,
    SslEcgForJointEmbedding,
    check_positive,
    check_projections,
)

VARIANCE_FLOOR = 1e-5  # as in batch normalisation


def barlow_twins_loss(projections: Tensor, *, redundancy_weight: float = 5e-3) -> Tensor:
    """Distance of cross-correlations from the identity over the batches of all processes, in float32.

    Equation 1 of the paper, with the correlations of equation 2 between features of one view and features of
    another, over recordings. More than two views: the mean over all pairs. A small number is added to
    variances, as in the batch normalisation of the paper's code: a feature that is the same for all
    recordings is correlated with nothing and costs 1.

    Args:
        projections: (batch, views, size) with at least two views, the same batch size in every process.
        redundancy_weight: lambda, the weight of correlations between different features.

    Returns:
        Scalar, the same in every process: a sum over features, so its size goes with theirs.

    Raises:
        ValueError: if there is one recording or one view only.

    Reference:
        Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021.

    Example:
        >>> corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> bool(barlow_twins_loss(torch.stack([corners, corners], dim=1)) < 1e-6)
        True
        >>> barlow_twins_loss(torch.ones(4, 2, 8)).item()  # collapsed
        8.0
    """
    check_projections(projections)
    with torch.autocast(projections.device.type, enabled=False):
        everything = gather_recordings(projections)
        variance, mean = torch.var_mean(everything, dim=0, correction=0)
        standardised = (everything - mean) * (variance + VARIANCE_FLOOR).rsqrt()
        losses = []
        for one, other in combinations(standardised.unbind(dim=1), 2):
            correlation = one.T @ other / len(one)
            agreement = correlation.diagonal()
            redundancy = correlation.square().sum() - agreement.square().sum()
            losses.append((1 - agreement).square().sum() + redundancy_weight * redundancy)
        return torch.stack(losses).mean()


def dealt_leads(draws: Tensor, views: int) -> Tensor:
    """Deal the leads of each recording out to its views, like cards.

    Args:
        draws: (batch, leads), random numbers; their order in a recording decides.
        views: number of views, at most that of leads.

    Returns:
        (batch, views, leads), boolean: each lead is in one view, and views differ by one lead at most.

    Example:
        >>> dealt_leads(torch.tensor([[0.9, 0.1, 0.3, 0.5]]), 2).tolist()
        [[[False, True, False, True], [True, False, True, False]]]
    """
    rank = draws.argsort(dim=-1).argsort(dim=-1)
    return (rank % views).unsqueeze(1) == torch.arange(views, device=draws.device).unsqueeze(-1)


@dataclass(frozen=True, kw_only=True)
class BarlowTwinsOptions(ProjectionOptions):
    """Options of [`SslEcgForBarlowTwins`], as `config.objective_options`; see also [`ProjectionOptions`].

    The head of the paper has three layers of 8192, above a ResNet-50 with 2048 features. Here they have 2048,
    as in LFBT: still more than the embedding, and cheaper than a small encoder. In the paper each view has
    batch statistics of its own (`separate_views`).

    Args:
        redundancy_weight: lambda of equation 1.
        lead_wise: probability that the leads of a recording are dealt out to its views, so that no two views
            have a lead in common: 0 is the paper. See [`SslEcgForBarlowTwins`].
    """

    projection_size: int = 2048
    projection_layers: int = 3
    redundancy_weight: float = 5e-3
    lead_wise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "redundancy_weight")
        if not 0 <= self.lead_wise <= 1:
            raise ValueError(f"objective_options: lead_wise must lie in [0, 1]; got {self.lead_wise}")


class SslEcgForBarlowTwins(SslEcgForJointEmbedding):
    """Encoder, projection head of three layers and the Barlow Twins loss.

    With the option `lead_wise`, [`make_inputs`] deals the leads of some recordings out to their views; in a
    view, the leads of other views are zero, as absent leads are. Such views can agree only in what different
    leads tell of the same heart. The idea is that of LFBT, lead-fusion Barlow Twins, which weighs the losses
    of views of the same lead (0.8 or 0.6) against those of views of different leads. There each lead has an
    encoder and a head of its own, and all pairs of single leads are compared. Here one encoder sees groups of
    leads, and a share of the recordings takes the place of the weight of different leads.

    Reference:
        Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021.
        Liu et al., Lead-fusion Barlow twins: A fused self-supervised learning method for multi-lead
        electrocardiograms, Information Fusion 114, 2025.

    Example:
        >>> from ssl_ecg_hf.modeling import SslEcgConfig
        >>> model = SslEcgForBarlowTwins(SslEcgConfig(objective_options={"lead_wise": 1.0}))
        >>> inputs = model.make_inputs(torch.ones(4, 2, 12, 250), generator=torch.Generator())
        >>> inputs["views"].any(dim=-1).sum(dim=-1)[0].tolist()  # leads of the views of the first recording
        [6, 6]
    """

    recordings_needed = 2
    options_class = BarlowTwinsOptions
    options: BarlowTwinsOptions

    def make_inputs(self, views: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Deal leads out to views, where the option `lead_wise` says so.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            generator: on the device of `views`.

        Raises:
            ValueError: if there are more views than leads.
        """
        if self.options.lead_wise == 0:
            return super().make_inputs(views, generator=generator)
        batch, num_views, leads, _ = views.shape
        if num_views > leads:
            raise ValueError(
                f"objective_options has lead_wise={self.options.lead_wise}, but {leads} leads cannot be "
                f"dealt out to {num_views} views: give no more views than leads, or set lead_wise to 0"
            )
        draws = torch.rand(batch, 1 + leads, device=views.device, generator=generator)
        whole = draws[:, :1] >= self.options.lead_wise
        kept = dealt_leads(draws[:, 1:], num_views) | whole.unsqueeze(-1)
        return {"views": views * kept.unsqueeze(-1)}

    def compare(self, projections: Tensor) -> Tensor:
        """Return the loss of (batch, num_views, projection_size), which needs at least two recordings."""
        return barlow_twins_loss(projections, redundancy_weight=self.options.redundancy_weight)


__all__ = ["BarlowTwinsOptions", "SslEcgForBarlowTwins", "barlow_twins_loss"]
