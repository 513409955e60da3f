from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ssl_ecg_hf.training.losses import LOSSES, build_loss

LOGITS = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/2 and 3/4
LABELS = torch.tensor([[1, 0]], dtype=torch.int8)
# Of four records one carries the first class and three the second.
COUNTED = torch.tensor([[1, 0], [0, 1], [0, 1], [0, 1]])
LN2 = math.log(2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce", (LN2 + 2 * LN2) / 2),
        ("weighted_bce", (3 * LN2 + 2 * LN2) / 2),  # only positive terms are weighted
        ("focal", (0.25 * LN2 + 0.5625 * 2 * LN2) / 2),
    ],
)
def test_loss_of_two_terms(name: str, expected: float) -> None:
    assert float(build_loss(name, COUNTED)(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-6)


def test_class_balanced_weights_are_inverse_effective_numbers() -> None:
    counts = (10, 1000)
    labels = torch.zeros(2000, 2)
    for column, count in enumerate(counts):
        labels[:count, column] = 1
    effective = [sum(0.999**power for power in range(count)) for count in counts]
    weights = [1 / number for number in effective]
    weights = [weight * 2 / sum(weights) for weight in weights]
    expected = (weights[0] * LN2 + weights[1] * 2 * LN2) / 2
    assert float(build_loss("class_balanced", labels)(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_hardly_counts_what_is_easy() -> None:
    confident = torch.tensor([[8.0]])
    truth = torch.ones(1, 1)
    focal, plain = (float(build_loss(name, truth)(confident, truth)) for name in ("focal", "bce"))
    assert focal == pytest.approx(plain * (1 - 1 / (1 + math.exp(-8))) ** 2, rel=1e-3)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_is_finite_float32_with_gradient(name: str) -> None:
    labels = torch.tensor([[1, 0], [1, 0]], dtype=torch.int8)  # a class always there, one never
    logits: Tensor = torch.tensor([[50.0, -50.0], [-50.0, 50.0]]).bfloat16().requires_grad_()
    loss = build_loss(name, labels)(logits, labels)
    assert loss.dtype == torch.float32
    loss.backward()
    assert loss.detach().isfinite()
    assert logits.grad.isfinite().all()


def test_unknown_loss_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown loss 'hinge'; known are \['bce', 'class_balanced'"):
        build_loss("hinge", LABELS)
