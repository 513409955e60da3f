"""VICReg: views of one recording agree; features vary between recordings and do not repeat each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from .distributed_ssl_ecg import gather_recordings
from .pretraining_ssl_ecg import (
    ProjectionOptions,
    SslEcgForJointEmbedding,
    check_positive,
    check_projections,
)

# gamma and epsilon of equations 1 and 2
TARGET_DEVIATION = 1.0
VARIANCE_FLOOR = 1e-4


def variance_term(centred: Tensor) -> Tensor:
    """Return how far standard deviations over recordings stay below 1, equations 1 and 2 of the paper.

    Args:
        centred: (recordings, views, size), with mean zero over recordings.

    Returns:
        Scalar, the mean over views.
    """
    variance = centred.square().sum(dim=0) / (len(centred) - 1)
    return F.relu(TARGET_DEVIATION - (variance + VARIANCE_FLOOR).sqrt()).mean()


def covariance_term(centred: Tensor) -> Tensor:
    """Return the squared covariances of different features, equations 3 and 4 of the paper.

    Args:
        centred: (recordings, views, size), with mean zero over recordings.

    Returns:
        Scalar, summed over pairs of features, divided by the size, the mean over views.
    """
    terms = []
    for view in centred.unbind(dim=1):
        covariance = view.T @ view / (len(view) - 1)
        terms.append(covariance.square().sum() - covariance.diagonal().square().sum())
    return torch.stack(terms).mean() / centred.shape[-1]


def vicreg_loss(
    projections: Tensor,
    *,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
) -> Tensor:
    """Invariance, variance and covariance over the batches of all processes, equation 6, in float32.

    More than two views: the mean of equation 6 over all pairs of views. Each pair has the variance and the
    covariance terms of both its views.

    The invariance term is the mean squared difference of all numbers, as in algorithm 1 of the paper. In
    equation 5 it is a sum over features, `size` times as much; the paper's weights belong to algorithm 1.

    Args:
        projections: (batch, views, size) with at least two views, the same batch size in every process.
        invariance_weight: lambda.
        variance_weight: mu.
        covariance_weight: nu.

    Returns:
        Scalar, the same in every process.

    Raises:
        ValueError: if there is one recording or one view only.

    Reference:
        Bardes, Ponce and LeCun, VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
        Learning, ICLR 2022.

    Example:
        >>> corners = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
        >>> vicreg_loss(torch.stack([corners, corners], dim=1)).item()  # equal, varied, without correlation
        0.0
        >>> round(vicreg_loss(torch.ones(4, 2, 8)).item(), 2)  # collapsed: 25 * 2 * (1 - 0.01)
        49.5
    """
    check_projections(projections)
    with torch.autocast(projections.device.type, enabled=False):
        everything = gather_recordings(projections)
        pairs = combinations(everything.unbind(dim=1), 2)
        invariance = torch.stack([F.mse_loss(one, other) for one, other in pairs]).mean()
        centred = everything - everything.mean(dim=0)
        of_one_view = variance_weight * variance_term(centred) + covariance_weight * covariance_term(centred)
        return invariance_weight * invariance + 2 * of_one_view


@dataclass(frozen=True, kw_only=True)
class VICRegOptions(ProjectionOptions):
    """Options of [`SslEcgForVICReg`], as `config.objective_options`; see also [`ProjectionOptions`].

    The projection head is the paper's expander, which has three layers of 8192 above a ResNet-50 with 2048
    features. Here they have 2048: still more than the embedding, and cheaper than a small encoder. In the
    paper's code each view has batch statistics of its own (`separate_views`).

    Args:
        invariance_weight: lambda of equation 6.
        variance_weight: mu of equation 6.
        covariance_weight: nu of equation 6.
    """

    projection_size: int = 2048
    projection_layers: int = 3
    invariance_weight: float = 25.0
    variance_weight: float = 25.0
    covariance_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "invariance_weight", "variance_weight", "covariance_weight")


class SslEcgForVICReg(SslEcgForJointEmbedding):
    """Encoder, projection head of three layers and the VICReg loss.

    Reference:
        Bardes, Ponce and LeCun, VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
        Learning, ICLR 2022.

    Example:
        >>> from ssl_ecg_hf.modeling import SslEcgConfig
        >>> model = SslEcgForVICReg(SslEcgConfig(objective_options={"projection_size": 256}))
        >>> model(torch.randn(4, 2, 12, 250)).projections.shape
        torch.Size([4, 2, 256])
    """

    recordings_needed = 2
    options_class = VICRegOptions
    options: VICRegOptions

    def compare(self, projections: Tensor) -> Tensor:
        """Return the loss of (batch, num_views, projection_size), which needs at least two recordings."""
        return vicreg_loss(
            projections,
            invariance_weight=self.options.invariance_weight,
            variance_weight=self.options.variance_weight,
            covariance_weight=self.options.covariance_weight,
        )


__all__ = ["SslEcgForVICReg", "VICRegOptions", "vicreg_loss"]
