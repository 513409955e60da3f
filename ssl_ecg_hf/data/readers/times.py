"""The sampling rate that a column of times states, which are printed with few digits as a rule.

Times of 360 Hz in milliseconds are 0.000, 0.003, 0.006, 0.008: far from regular, and each the rounding of a
regular time. All steps for which this holds of every time are found exactly, and with them what the rate may
be: a second of 360 Hz leaves 359.96 to 360.04 Hz. One whole number of Hz in between is the rate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..record import EcgFormatError

_IRREGULAR, _EXACT = 0.1, 1e-6
_MAX_DIGITS = 12
_ROUNDING = 1e-9  # of numbers here, relative
# A millisecond lost at 1000 Hz could as well be a rate of 999 Hz: times must have digits to tell.
_UNITS_PER_STEP = 1.2


def rate_of_times(time: NDArray[np.float64]) -> float:
    """Return the sampling rate of regular times, each of which may be rounded in print.

    Args:
        time: in s, shape (samples,).

    Returns:
        The rate in Hz. Of times that are regular but for a tenth of a step it is that of the mean step, of
        others the middle of what the rounding allows; a whole number is preferred that is the only one
        allowed by the rounding, or within 0.0001 of the mean.

    Raises:
        EcgFormatError: if the times do not rise, have gaps, or have too few digits to tell the rate.

    Example:
        >>> rate_of_times(np.round(np.arange(360) / 360, 3))
        360.0
    """
    if len(time) < 2 or not np.isfinite(time).all() or np.abs(time).max() > 1e12:
        raise EcgFormatError("the time column must rise from line to line, in seconds, without gaps")
    steps = np.diff(time)
    if not (steps > 0).all():
        raise EcgFormatError("the time column must rise from line to line, in seconds, without gaps")
    step = float(time[-1] - time[0]) / len(steps)
    worst = float(np.abs(steps - step).max())
    if worst > _EXACT * step + 4 * np.spacing(np.abs(time).max()):
        allowed = _steps_within_rounding(time)
        if allowed is None and worst > _IRREGULAR * step:
            raise EcgFormatError(
                f"the samples are not regular: a step of the time column is {worst:.6g} s away from the mean "
                f"of {step:.6g} s, more than its digits explain; resample the recording, cut it at its gaps, "
                "or print the times with more digits"
            )
        if allowed is not None:
            # Of a rate like 144 Hz, which repeats its rounding, the bound may be the rate itself.
            lowest, highest = (1 - _ROUNDING) / allowed[1], (1 + _ROUNDING) / allowed[0]
            whole = range(math.ceil(lowest), math.floor(highest) + 1)
            if len(whole) == 1:
                return float(whole[0])
            if worst > _IRREGULAR * step:
                if whole:
                    raise EcgFormatError(
                        f"the digits of the time column allow {lowest:.6g} to {highest:.6g} Hz; print the "
                        "times with more digits, or leave the column out and give sampling_rate="
                    )
                return (lowest + highest) / 2
    rate = 1.0 / step if step > 1e-12 else math.inf
    if not rate < math.inf:
        raise EcgFormatError(f"the time column rises by {step:.6g} s from line to line; expected seconds")
    # Times are printed with few digits: 0.0001 relative is rounding, not a rate of 499.98 Hz.
    return float(round(rate)) if abs(rate - round(rate)) < 1e-4 * rate and round(rate) else rate


def _steps_within_rounding(time: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the least and the greatest step of a grid of which these are rounded times; None without any."""
    digits = next((digits for digits in range(_MAX_DIGITS) if (np.round(time, digits) == time).all()), None)
    if digits is None:
        return None
    unit = 10.0**-digits
    span, steps = float(time[-1] - time[0]), len(time) - 1
    least = _bound(time, (span - unit) / steps, unit, rising=True)
    greatest = _bound(time, (span + unit) / steps, unit, rising=False)
    if least is None or greatest is None or greatest < _UNITS_PER_STEP * unit:
        return None
    return least, greatest


def _bound(time: NDArray[np.float64], step: float, unit: float, *, rising: bool) -> float | None:
    """Return the first step, from one outside, for which the times lie within half a unit of its grid.

    The beginning of the grid is free, so that what counts is the range of the differences from it. It is a
    convex function of the step, piecewise linear, on which Newton's method cannot step over the bound.
    """
    index = np.arange(len(time))
    slack = 1e-6 * unit + 4 * float(np.spacing(np.abs(time).max()))
    while True:
        difference = time - step * index
        low, high = int(difference.argmin()), int(difference.argmax())
        if difference[high] - difference[low] <= unit + slack:
            return step
        if (high > low) != rising:  # beyond the minimum: no step is within
            return None
        following = float(time[high] - time[low] - unit) / (high - low)
        if (following > step) != rising or following == step:  # as near as numbers are
            return step
        step = following
