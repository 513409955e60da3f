from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ssl_ecg_hf.data import EcgFormatError
from ssl_ecg_hf.data.readers.times import _steps_within_rounding, rate_of_times


def times(rate: float, samples: int, digits: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return times as they are read from print."""
    return np.round(start + np.arange(samples) / rate, digits)


@settings(deadline=None, max_examples=50)
@given(
    rate=st.integers(100, 800),
    start=st.sampled_from([0.0, 0.1234, 3600.5, -7.0, 1.7e9]),
    samples=st.integers(800, 1600),
    place=st.floats(0.05, 0.95),
)
def test_milliseconds_give_whole_rates_and_show_gaps(
    rate: int, start: float, samples: int, place: float
) -> None:
    time = times(rate, samples, 3, start)
    assert rate_of_times(time) == rate
    index = int(place * samples)
    with pytest.raises(EcgFormatError, match="not regular"):
        rate_of_times(np.delete(time, index))
    with pytest.raises(EcgFormatError, match="must rise"):
        rate_of_times(np.insert(time, index, time[index]))


@pytest.mark.parametrize("digits", [3, 4, 6, 9, 15])
@pytest.mark.parametrize("rate", [62.4725 * 4, 156.25, 333.3, 256.0, 500.0])
def test_other_rates_are_as_exact_as_their_print(rate: float, digits: int) -> None:
    assert rate_of_times(times(rate, 2000, digits)) == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("place", [1, 500, 998])
def test_a_gap_that_could_be_another_rate_is_refused(place: int) -> None:
    with pytest.raises(EcgFormatError, match="not regular"):
        rate_of_times(np.delete(times(1000, 1000, 3), place))


def test_too_few_lines_to_tell_the_rate_are_refused() -> None:
    with pytest.raises(
        EcgFormatError, match=r"allow 358\.974 to 363\.636 Hz; print the times with more digits"
    ):
        rate_of_times(times(360, 20, 3))


def test_times_that_are_regular_but_not_rounded_keep_the_mean_rate() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(1000) / 250 + rng.uniform(-1e-4, 1e-4, 1000)
    assert rate_of_times(time) == 250.0
    assert rate_of_times((np.arange(1000) / 250).astype(np.float32).astype(np.float64)) == 250.0
    assert rate_of_times(times(0.5, 5, 0)) == 0.5


@settings(deadline=None)
@given(step=st.floats(1.3, 6), samples=st.integers(3, 60), start=st.floats(0, 10))
def test_the_steps_within_rounding_are_those_of_all_pairs(step: float, samples: int, start: float) -> None:
    time = np.round(start + step * np.arange(samples))
    if step * (samples - 1) < 2 or (np.diff(time) % 10 == 0).any():  # other digits may be the last in use
        return
    pairs = [(j - i, time[j] - time[i]) for i in range(samples) for j in range(i + 1, samples)]
    least = max((distance - 1) / lines for lines, distance in pairs)
    greatest = min((distance + 1) / lines for lines, distance in pairs)
    found = _steps_within_rounding(time)
    assert found is not None
    assert found == pytest.approx((least, greatest), abs=1e-5)
    assert least - 1e-9 <= step <= greatest + 1e-9


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(allow_nan=True), max_size=20))
def test_any_numbers_give_a_rate_or_an_error(values: list[float]) -> None:
    for time in (np.array(values, dtype=np.float64), np.sort(np.array(values, dtype=np.float64))):
        try:
            rate = rate_of_times(time)
        except EcgFormatError:
            continue
        assert 0 < rate < np.inf
