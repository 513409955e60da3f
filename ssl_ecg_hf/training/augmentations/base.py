"""The common part of all augmentations: checks, the per-recording gate, and composition."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


def check_number(name: str, value: float, *, low: float, high: float = float("inf")) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in [low, high]."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and low <= value <= high):
        raise ValueError(f"{name}={value!r}: expected a number in [{low:g}, {high:g}]")


def check_range(name: str, value: tuple[float, float], *, low: float, high: float = float("inf")) -> None:
    """Raise ``ValueError`` unless ``value`` is a pair ``(from, to)`` with low <= from <= to <= high."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name}={value!r}: expected a pair (from, to) within [{low:g}, {high:g}]")
    for bound in value:
        check_number(name, bound, low=low, high=high)
    if value[0] > value[1]:
        raise ValueError(f"{name}={value!r}: the first number is larger than the second; swap them")


def check_count(name: str, value: int) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: expected a whole number of at least 1")


def check_signal(signal: Tensor, *, sampling_rate: float, generator: torch.Generator) -> None:
    """Raise unless ``signal`` is a float32 batch that ``generator`` can draw for."""
    if signal.ndim != 3 or 0 in signal.shape[:2] or signal.shape[2] < 2:
        raise ValueError(
            f"signal has shape {tuple(signal.shape)}; expected (batch, leads, samples) with at least one "
            "recording, one lead and two samples: add the batch dimension with signal[None]"
        )
    if signal.dtype != torch.float32:
        raise ValueError(
            f"signal is {signal.dtype}; expected torch.float32 in mV: convert with signal.float()"
        )
    if not 0 < sampling_rate < float("inf"):
        raise ValueError(f"sampling_rate={sampling_rate!r}: expected a positive number of Hz")
    if generator.device.type != signal.device.type:
        raise ValueError(
            f"generator lives on {generator.device}, signal on {signal.device}; "
            f"create it with torch.Generator(device={str(signal.device)!r})"
        )


@dataclass(frozen=True, kw_only=True)
class Augmentation(ABC):
    """A random change of recordings, drawn anew for each recording of a batch.

    A subclass holds the parameters and draws random numbers in ``apply``; the mathematics is a pure function
    beside it. Nothing here waits for the accelerator: no ``.item()``, no boolean indexing.

    Args:
        p: probability that a recording is changed, drawn for each recording on its own.

    Raises:
        ValueError: if a parameter lies outside its range.
    """

    keeps_einthoven: ClassVar[bool]
    """Whether lead III = II - I still holds in a standard 12-lead recording afterwards."""

    simulates: ClassVar[str]
    """What happens to the recording, in a few words."""

    p: float = 1.0

    def __post_init__(self) -> None:
        check_number("p", self.p, low=0, high=1)

    @property
    def needs_lead_order(self) -> bool:
        """Whether 12 leads are taken for the standard ones in their order."""
        return False

    def __call__(self, signal: Tensor, *, sampling_rate: float, generator: torch.Generator) -> Tensor:
        """Return changed recordings; the input is never written to.

        Args:
            signal: float32 tensor of shape (batch, leads, samples) in mV.
            sampling_rate: samples per second in Hz.
            generator: source of all randomness, on the device of ``signal``.

        Returns:
            Tensor of the same shape, type and device, in mV; ``signal`` itself if ``p`` is 0.

        Raises:
            ValueError: if shape, type, device or sampling rate is wrong.
        """
        return Compose(self)(signal, sampling_rate=sampling_rate, generator=generator)

    def apply_gated(self, signal: Tensor, *, sampling_rate: float, generator: torch.Generator) -> Tensor:
        """Change each recording with probability ``p``; like ``apply`` it may overwrite ``signal``."""
        gate = torch.ones(signal.shape[0], 1, 1, device=signal.device)
        if self.p < 1:
            gate = torch.rand(gate.shape, device=signal.device, generator=generator).lt(self.p).float()
        return self.apply(signal, gate=gate, sampling_rate=sampling_rate, generator=generator)

    @abstractmethod
    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """Change the recordings of ``signal``, shape (batch, leads, samples) in mV, whose ``gate`` is open.

        The caller gives ``signal`` away: overwrite and return it, or return a new tensor. (Fresh memory for
        every step would cost more time than the arithmetic.)

        ``gate``, of shape (batch, 1, 1), is 1.0 where a recording is to be changed and 0.0 where it must stay
        as it is. Multiply it into what is small (an amplitude, a weight, a length), or end with
        ``signal.lerp_(changed, gate)``, which is exact for 0.0 and 1.0; ``torch.where`` takes several times
        as long on a CPU.
        """


class Compose:
    """Several augmentations, one after another.

    Args:
        augmentations: applied in this order.

    Example:
        >>> from ssl_ecg_hf.training.augmentations import Compose, RandomGain, TimeOut
        >>> augment = Compose(RandomGain(), TimeOut(p=0.5))
        >>> generator = torch.Generator().manual_seed(0)
        >>> augment(torch.ones(4, 12, 1000), sampling_rate=100, generator=generator).shape
        torch.Size([4, 12, 1000])
    """

    def __init__(self, *augmentations: Augmentation) -> None:
        self.augmentations = augmentations

    def __call__(self, signal: Tensor, *, sampling_rate: float, generator: torch.Generator) -> Tensor:
        """Return changed recordings: arguments, result and errors as of ``Augmentation``."""
        check_signal(signal, sampling_rate=sampling_rate, generator=generator)
        active = [augmentation for augmentation in self.augmentations if augmentation.p > 0]
        if not active:
            return signal
        # Autocast would do the few matrix products of the augmentations in half precision.
        with torch.no_grad(), torch.autocast(signal.device.type, enabled=False):
            changed = signal.clone(memory_format=torch.contiguous_format)
            for augmentation in active:
                changed = augmentation.apply_gated(changed, sampling_rate=sampling_rate, generator=generator)
        return changed

    def __iter__(self) -> Iterator[Augmentation]:
        return iter(self.augmentations)

    def __len__(self) -> int:
        return len(self.augmentations)

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.augmentations))})"
