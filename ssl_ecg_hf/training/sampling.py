"""Orders in which a labelled training set is visited; each a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

EpochOrder = Callable[[NDArray[np.int8], np.random.Generator], NDArray[np.int64]]


def shuffled(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Every record once, in random order."""
    return rng.permutation(len(labels))


def oversampled(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many draws as records, with replacement, a record weighing as much as its rarest class asks for.

    A record weighs 1 / (frequency of its rarest positive class); a record without any label weighs as if
    "no label" were a class of its own.
    """
    extended = np.column_stack([labels, ~labels.any(axis=1)]).astype(np.float64)
    frequency = extended.mean(axis=0)
    weight = np.where(extended > 0, 1 / np.maximum(frequency, 1e-12), 0).max(axis=1)
    return rng.choice(len(labels), size=len(labels), p=weight / weight.sum())


def stratified(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
    """Every record once, each combination of labels spread evenly, so that batches keep the prevalence."""
    _, group = np.unique(labels, axis=0, return_inverse=True)
    position = np.empty(len(labels))
    for index in range(group.max() + 1):
        members = rng.permutation(np.flatnonzero(group == index))
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(position, kind="stable")


SAMPLERS: dict[str, EpochOrder] = {
    "standard": shuffled,
    "oversample": oversampled,
    "stratified": stratified,
}


class LabelSampler(Sampler[int]):
    """Visits a training set in the order of one of `SAMPLERS`, anew in each epoch.

    Args:
        labels: (records, labels) multi-hot.
        name: key of `SAMPLERS`.
        seed: with the epoch it determines the order, so that a resumed run repeats it.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> sampler = LabelSampler(np.eye(3, dtype=np.int8), "standard", seed=0)
        >>> sorted(sampler)
        [0, 1, 2]
    """

    def __init__(self, labels: NDArray[np.int8], name: str, *, seed: int) -> None:
        if name not in SAMPLERS:
            raise ValueError(f"unknown sampler {name!r}; known are {sorted(SAMPLERS)}")
        self.labels, self.order, self.seed, self.epoch = labels, SAMPLERS[name], seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next (called by the Trainer)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[int]:
        yield from self.order(self.labels, np.random.default_rng([self.seed, self.epoch])).tolist()
