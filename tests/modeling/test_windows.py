from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.modeling.windows_ssl_ecg import (
    average_over_windows,
    pad_to_window,
    split_windows,
    window_starts,
)


@given(st.integers(1, 3000), st.integers(1, 400), st.floats(0.0, 0.95))
def test_windows_cover_the_recording_evenly_and_are_no_more_than_needed(
    samples: int, length: int, overlap: float
) -> None:
    starts = window_starts(samples, length, overlap=overlap)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    step = max(1, length - round(overlap * length))
    assert starts[0] == 0
    assert starts[-1] == max(0, samples - length)
    assert all(0 < gap <= step for gap in gaps)
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert len(gaps) <= 1 or (len(gaps) - 1) * step < samples - length
    covered = {sample for start in starts for sample in range(start, min(samples, start + length))}
    assert covered == set(range(samples))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (10, [0]),
        (4, [0]),
        (11, [0, 1]),
        (15, [0, 5]),
        (16, [0, 3, 6]),
        (20, [0, 5, 10]),
        (27, [0, 4, 8, 12, 17]),
    ],
)
def test_where_windows_of_ten_samples_begin(samples: int, expected: list[int]) -> None:
    assert window_starts(samples, 10) == expected


def test_without_overlap_windows_are_laid_end_to_end() -> None:
    assert window_starts(30, 10, overlap=0.0) == [0, 10, 20]
    assert window_starts(31, 10, overlap=0.0) == [0, 7, 14, 21]


@pytest.mark.parametrize(
    ("samples", "length", "overlap"), [(0, 10, 0.5), (10, 0, 0.5), (10, 5, 1.0), (10, 5, -0.1)]
)
def test_impossible_windows_are_refused(samples: int, length: int, overlap: float) -> None:
    with pytest.raises(ValueError, match=rf"samples={samples}, length={length}, overlap={overlap}"):
        window_starts(samples, length, overlap=overlap)


def test_windows_are_parts_of_the_recording() -> None:
    signal = torch.randn(2, 3, 27)
    windows = split_windows(signal, 10)
    assert windows.shape == (2, 5, 3, 10)
    for index, start in enumerate((0, 4, 8, 12, 17)):
        assert torch.equal(windows[:, index], signal[..., start : start + 10])


@pytest.mark.parametrize("samples", [7, 10])
def test_a_recording_that_is_not_longer_is_one_window_with_zeros_on_the_right(samples: int) -> None:
    signal = torch.randn(2, 3, samples)
    window = split_windows(signal, 10)
    assert window.shape == (2, 1, 3, 10)
    assert torch.equal(window[:, 0, :, :samples], signal)
    assert not window[..., samples:].any()
    assert torch.equal(pad_to_window(signal, 10), window[:, 0])


def test_what_fills_a_window_is_not_copied() -> None:
    signal = torch.randn(2, 3, 10)
    assert pad_to_window(signal, 10) is signal
    assert pad_to_window(signal, 4) is signal


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_the_average_is_the_mean_of_the_windows_one_by_one(batch_size: int) -> None:
    recordings = [torch.randn(count, 2, 8) for count in (1, 5, 3)]
    lead_mask = torch.tensor([[True, True], [True, False], [False, True]])
    given_at_once = []

    def function(windows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        given_at_once.append(len(windows))
        assert mask is not None
        return (windows * mask.unsqueeze(-1)).square().sum(dim=-1)

    found = average_over_windows(function, recordings, lead_mask, batch_size=batch_size)
    assert max(given_at_once) == min(9, batch_size)
    assert sum(given_at_once) == 9
    expected = [
        sum((window * mask[:, None]).square().sum(dim=-1) for window in windows) / len(windows)
        for windows, mask in zip(recordings, lead_mask, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected))
