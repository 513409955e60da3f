"""Taking turns: every repetition measures all variants once, so that a slow minute slows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

import torch

CPU = torch.device("cpu")


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given; a CPU always has."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def seconds_per_call(function: Callable[[], object], *, calls: int, device: torch.device = CPU) -> float:
    """Call a function several times in a row.

    Args:
        function: what is measured.
        calls: how often it is called.
        device: waited for before and after.

    Returns:
        Mean time of one call in s.
    """
    synchronize(device)
    start = perf_counter()
    for _ in range(calls):
        function()
    synchronize(device)
    return (perf_counter() - start) / calls


def interleave(
    variants: Mapping[str, Callable[[], float]], *, repetitions: int, warm_up: bool = True
) -> dict[str, list[float]]:
    """Measure variants in turn: A B C A B C ...

    Args:
        variants: name -> function that measures the variant once and returns the number.
        repetitions: numbers per variant.
        warm_up: whether a first round is done and thrown away.

    Returns:
        Name -> the numbers, in the order they were measured.

    Example:
        >>> numbers = iter([9.0, 1.0, 2.0])
        >>> interleave({"a": lambda: next(numbers)}, repetitions=2)
        {'a': [1.0, 2.0]}
    """
    values: dict[str, list[float]] = {name: [] for name in variants}
    for repetition in range(-1 if warm_up else 0, repetitions):
        for name, measure in variants.items():
            value = measure()
            if repetition >= 0:
                values[name].append(value)
    return values
