"""Is a self-supervised representation alive and useful? Collapse monitors and frozen probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ssl_ecg_hf.evaluation.metrics import macro_auroc

Array = torch.Tensor | NDArray[np.generic]

L2_GRID: tuple[float, ...] = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
"""Weights of the penalty that :func:`linear_probe` tries."""


def alignment(first: Array, second: Array) -> float:
    """Mean squared distance of the two views of a record, on the unit sphere.

    Args:
        first: (records, features), embeddings of one view.
        second: (records, features), embeddings of the other view, in the same order.

    Returns:
        A number in [0, 4]; 0 where both views agree.

    Raises:
        ValueError: if the shapes differ or are not (records, features).

    Reference:
        Wang & Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on
        the Hypersphere, ICML 2020; with exponent 2.
    """
    a, b = _embeddings(first, name="first"), _embeddings(second, name="second")
    if a.shape != b.shape:
        raise ValueError(
            f"views have shapes {tuple(a.shape)} and {tuple(b.shape)}; expected two views of the same records"
        )
    return float((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1).mean())


def uniformity(embeddings: Array, *, t: float = 2.0) -> float:
    """Logarithm of the mean Gaussian potential of all pairs of different records, on the unit sphere.

    Args:
        embeddings: (records, features), from two records to a few thousand: memory grows with the
            square of their number.
        t: sharpness of the potential.

    Returns:
        0 where all records coincide (collapse); the more negative, the more evenly they fill the sphere,
        down to about ``-2 * t`` in many dimensions.

    Raises:
        ValueError: if the shape is not (records, features) or there are fewer than two records.

    Reference:
        Wang & Isola, ICML 2020.
    """
    x = F.normalize(_embeddings(embeddings, name="embeddings", at_least=2), dim=1)
    return float(torch.pdist(x).square().mul(-t).exp().mean().log())


def effective_rank(embeddings: Array) -> float:
    """Number of directions that the embeddings use: exp of the entropy of their singular values.

    Args:
        embeddings: (records, features), at least two records; centred here.

    Returns:
        A number from 1 (all records on one line) to min(records - 1, features); 0 where all records
        coincide.

    Raises:
        ValueError: if the shape is not (records, features) or there are fewer than two records.

    Reference:
        Roy & Vetterli, The Effective Rank: A Measure of Effective Dimensionality, EUSIPCO 2007, on the
        singular values of the centred embeddings.

    Example:
        >>> round(effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
        2.0
    """
    x = _embeddings(embeddings, name="embeddings", at_least=2).double()
    values = torch.linalg.svdvals(x - x.mean(dim=0))
    # Centring equal rows leaves rounding errors, whose singular values would look like full rank.
    values = values[values > torch.finfo(torch.float32).eps * max(x.shape) * x.abs().max()]
    if len(values) == 0:
        return 0.0
    share = values / values.sum()
    return float(torch.exp(-(share * share.log()).sum()))


def normalized_std(embeddings: Array) -> float:
    """Standard deviation of the unit-length embeddings over records, averaged over features.

    Args:
        embeddings: (records, features), at least two records.

    Returns:
        About ``1 / sqrt(features)`` for a healthy representation, 0 for a collapsed one.

    Raises:
        ValueError: if the shape is not (records, features) or there are fewer than two records.

    Reference:
        Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021, section 4.1.
    """
    x = F.normalize(_embeddings(embeddings, name="embeddings", at_least=2), dim=1)
    return float(x.std(dim=0, correction=0).mean())


def knn_scores(
    train_x: Array, train_y: Array, x: Array, *, k: int = 20, temperature: float = 0.07
) -> NDArray[np.float64]:
    """Score records by the labels of their nearest training records in cosine similarity.

    The neighbours vote with weight ``exp(similarity / temperature)``.

    Args:
        train_x: (training records, features).
        train_y: (training records, classes), 0 or 1.
        x: (records, features).
        k: number of neighbours.
        temperature: the smaller, the more the nearest ones count.

    Returns:
        (records, classes) in [0, 1].

    Raises:
        ValueError: if shapes do not fit together or there are fewer than ``k`` training records.

    Reference:
        Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018.
    """
    known, labels = _labelled(train_x, train_y)
    asked = _embeddings(x, name="x").to(known)
    if not 1 <= k <= len(known):
        raise ValueError(
            f"k = {k} neighbours of {len(known)} training records; expected 1 <= k <= {len(known)}"
        )
    known, asked = F.normalize(known, dim=1), F.normalize(asked, dim=1)
    scores = []
    for chunk in asked.split(1024):  # (1024, training records) stays small
        similarity, neighbours = (chunk @ known.T).topk(k, dim=1)
        weights = torch.softmax(similarity / temperature, dim=1)
        scores.append((weights.unsqueeze(-1) * labels[neighbours]).sum(dim=1))
    return torch.cat(scores).clamp(0, 1).cpu().numpy().astype(np.float64)


def knn_probe(train_x: Array, train_y: Array, val_x: Array, val_y: Array, *, k: int = 20) -> float | None:
    """Macro AUROC of a k-nearest-neighbour vote (cosine similarity) on frozen embeddings.

    Args:
        train_x: (training records, features).
        train_y: (training records, classes), 0 or 1.
        val_x: (validation records, features).
        val_y: (validation records, classes), 0 or 1.
        k: number of neighbours.

    Returns:
        A number in [0, 1]; None if no class has positive and negative validation records.

    Raises:
        ValueError: if shapes do not fit together or there are fewer than ``k`` training records.
    """
    return macro_auroc(_numpy(val_y), knn_scores(train_x, train_y, val_x, k=k))


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    """A fitted logistic regression on frozen embeddings.

    Args:
        macro_auroc: on the validation records; None if no class has positive and negative ones there.
        l2: the penalty that was chosen.
        validation_scores: (validation records, classes) in [0, 1].
        weight: (features, classes), for standardised features.
        bias: (classes,).
        mean: (features,), of the training records.
        std: (features,), of the training records; 1 where a feature is constant.
    """

    macro_auroc: float | None
    l2: float
    validation_scores: NDArray[np.float64]
    weight: torch.Tensor
    bias: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def logits(self, x: Array) -> NDArray[np.float64]:
        """Logits of other embeddings, (records, features) -> (records, classes)."""
        standardised = (_embeddings(x, name="x").to(self.mean) - self.mean) / self.std
        return (standardised @ self.weight + self.bias).cpu().numpy().astype(np.float64)

    def scores(self, x: Array) -> NDArray[np.float64]:
        """Probabilities of other embeddings, (records, features) -> (records, classes) in [0, 1]."""
        return torch.from_numpy(self.logits(x)).sigmoid().numpy()


def linear_probe(
    train_x: Array,
    train_y: Array,
    val_x: Array,
    val_y: Array,
    *,
    l2_grid: Sequence[float] = L2_GRID,
    max_iterations: int = 100,
) -> LinearProbe:
    """Fit a multi-label logistic regression on frozen embeddings; choose its penalty on validation.

    Features are standardised with the training records. The loss is the mean cross-entropy of a record,
    summed over classes, plus ``l2 / 2`` times the squared weights; the bias is free. The fit (L-BFGS) walks
    the grid from the strongest penalty to the weakest, each starting where the last one ended, and has no
    randomness.

    Args:
        train_x: (training records, features).
        train_y: (training records, classes), 0 or 1.
        val_x: (validation records, features).
        val_y: (validation records, classes), 0 or 1.
        l2_grid: penalties to try; of equal ones the strongest is taken.
        max_iterations: L-BFGS iterations for each penalty.

    Returns:
        The fitted probe with its macro AUROC and scores on the validation records.

    Raises:
        ValueError: if shapes do not fit together or the grid is empty or not positive.
    """
    x, y = _labelled(train_x, train_y)
    if not l2_grid or min(l2_grid) <= 0:
        raise ValueError(
            f"l2_grid {list(l2_grid)} is empty or not positive; expected penalties such as {L2_GRID}"
        )
    mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
    std = torch.where(std > 1e-6 * x.abs().amax(dim=0).clamp_min(1e-12), std, 1.0)
    x = (x - mean) / std
    weight = x.new_zeros(x.shape[1], y.shape[1])
    share = y.mean(dim=0).clamp(1e-4, 1 - 1e-4)
    bias = torch.log(share / (1 - share))  # the best fit with zero weights
    best: LinearProbe | None = None
    for l2 in sorted(l2_grid, reverse=True):
        weight, bias = _fit_logistic(x, y, weight, bias, l2=l2, max_iterations=max_iterations)
        fitted = LinearProbe(
            macro_auroc=None,
            l2=l2,
            validation_scores=np.empty(0),
            weight=weight,
            bias=bias,
            mean=mean,
            std=std,
        )
        scores = fitted.scores(val_x)
        auroc = macro_auroc(_numpy(val_y), scores)
        if best is None or (auroc or 0.0) > (best.macro_auroc or 0.0):
            best = LinearProbe(
                macro_auroc=auroc,
                l2=l2,
                validation_scores=scores,
                weight=weight,
                bias=bias,
                mean=mean,
                std=std,
            )
    assert best is not None
    return best


def _fit_logistic(
    x: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    *,
    l2: float,
    max_iterations: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=max_iterations,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=1e-8,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="sum") / len(x)
        loss = loss + 0.5 * l2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach(), bias.detach()


def _numpy(values: Array) -> NDArray[np.generic]:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _embeddings(values: Array, *, name: str, at_least: int = 1) -> torch.Tensor:
    x = torch.as_tensor(values).detach().float()
    if x.ndim != 2 or x.shape[0] < at_least or x.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; "
            f"expected (records, features) with at least {at_least} record(s)"
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"{name} holds NaN or infinite values; expected finite embeddings: the model may have diverged"
        )
    return x


def _labelled(train_x: Array, train_y: Array) -> tuple[torch.Tensor, torch.Tensor]:
    x = _embeddings(train_x, name="train_x")
    y = torch.as_tensor(train_y).to(x)
    if y.ndim != 2 or len(y) != len(x):
        raise ValueError(
            f"train_y has shape {tuple(y.shape)} for {len(x)} records; "
            "expected multi-hot labels (records, classes)"
        )
    return x, y
