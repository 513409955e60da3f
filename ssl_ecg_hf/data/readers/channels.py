"""Which channels of a file are the recording, where each has a unit and a sampling rate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..record import EcgFormatError
from .statement import standard_names, voltages


class Clock(NamedTuple):
    """When a channel was sampled: rate in Hz, number of samples, beginning where the file states it."""

    rate: float
    samples: int
    start: str = ""


def recorded_together(
    names: Sequence[str], units: Sequence[str | None], clocks: Sequence[Clock]
) -> list[int]:
    """Return which channels to keep: voltages of the rate, length and beginning of the twelve leads.

    Args:
        names: of the channels.
        units: of the channels; None where the file states none.
        clocks: of the channels.

    Raises:
        EcgFormatError: if one of the twelve leads is no voltage or on another clock than the others, if there
            is none of them and the voltages are on several, or if they hold no samples.
    """
    kept = voltages(names, units)
    standard = [index for index in kept if standard_names([names[index]])]
    found = {clocks[index] for index in standard or kept}
    if len(found) > 1:
        listed = "; ".join(
            f"{name}: {clock.samples} samples at {clock.rate:g} Hz"
            for name, clock in zip(names, clocks, strict=True)
        )
        raise EcgFormatError(
            f"the leads are not recorded at the same time and rate ({listed}); export them as one recording"
        )
    [clock] = found
    if not clock.samples:
        raise EcgFormatError("the leads hold no samples")
    return [index for index in kept if clocks[index] == clock]
