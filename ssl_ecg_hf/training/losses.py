"""Supervised losses for multi-hot labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

MultiLabelLoss = Callable[[Tensor, Tensor], Tensor]
"""Maps logits (batch, labels) and multi-hot labels (batch, labels) to a scalar, in float32."""


def binary_cross_entropy(counts: Tensor, total: int) -> MultiLabelLoss:
    """Plain binary cross-entropy; the label counts are not used."""
    del counts, total
    return lambda logits, labels: F.binary_cross_entropy_with_logits(logits.float(), labels.float())


def weighted_binary_cross_entropy(counts: Tensor, total: int) -> MultiLabelLoss:
    """Binary cross-entropy whose positive terms weigh negatives / positives of their class."""
    positive_weight = (total - counts).clamp_min(1) / counts.clamp_min(1)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            logits.float(), labels.float(), pos_weight=positive_weight.to(logits.device)
        )

    return loss


def class_balanced(counts: Tensor, total: int, *, beta: float = 0.999) -> MultiLabelLoss:
    """Binary cross-entropy with classes weighted by their effective number of samples, mean weight 1.

    Reference:
        Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, equation 2.
    """
    del total
    weight = (1 - beta) / (1 - beta ** counts.clamp_min(1).double())
    weight = (weight / weight.mean()).float()

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            logits.float(), labels.float(), weight=weight.to(logits.device)
        )

    return loss


def focal(counts: Tensor, total: int, *, gamma: float = 2.0) -> MultiLabelLoss:
    """Sigmoid focal loss: cross-entropy times (1 - probability of the truth) ** gamma.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 4.
    """
    del counts, total

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        logits, labels = logits.float(), labels.float()
        cross_entropy = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return ((1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy).mean()

    return loss


LOSSES: dict[str, Callable[[Tensor, int], MultiLabelLoss]] = {
    "bce": binary_cross_entropy,
    "weighted_bce": weighted_binary_cross_entropy,
    "class_balanced": class_balanced,
    "focal": focal,
}


def build_loss(name: str, labels: Tensor) -> MultiLabelLoss:
    """Return a loss fitted to the label counts of a training set.

    Args:
        name: key of `LOSSES`.
        labels: (records, labels) multi-hot, the training set.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> loss = build_loss("weighted_bce", torch.tensor([[1], [0], [0], [0]]))
        >>> round(float(loss(torch.zeros(1, 1), torch.ones(1, 1))), 4)  # 3 ln 2
        2.0794
    """
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; known are {sorted(LOSSES)}")
    return LOSSES[name](labels.sum(dim=0).float(), len(labels))
