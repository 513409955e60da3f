from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.training.augmentations import build_augmentation
from ssl_ecg_hf.training.views import make_views, random_windows, seeded_generator

CPU = torch.device("cpu")


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=5))
def test_a_generator_is_a_function_of_its_key(key: list[int]) -> None:
    draws = [torch.randint(0, 2**62, (2,), generator=seeded_generator(CPU, *key)) for _ in range(2)]
    assert torch.equal(*draws)


def test_neighbouring_keys_draw_differently() -> None:
    keys = [
        (seed, rank, step, micro) for seed in (0, 1) for rank in (0, 1) for step in (0, 1) for micro in (0, 1)
    ]
    draws = {int(torch.randint(0, 2**62, (1,), generator=seeded_generator(CPU, *key))) for key in keys}
    assert len(draws) == 16


@pytest.mark.parametrize("num_views", [2, 3])
def test_without_augmentation_every_view_is_the_recording(num_views: int) -> None:
    signal = torch.randn(4, 12, 50)
    views = make_views(
        signal,
        build_augmentation({}),
        num_views=num_views,
        sampling_rate=100,
        generator=seeded_generator(CPU, 0),
    )
    assert views.shape == (4, num_views, 12, 50)
    for view in range(num_views):
        assert torch.equal(views[:, view], signal)


def test_every_view_has_parameters_of_its_own_and_belongs_to_its_recording() -> None:
    signal = torch.arange(1.0, 5.0).view(4, 1, 1).expand(4, 2, 10)
    augmentation = build_augmentation({"random_gain": {"gain": [0.9, 1.1]}})
    views = make_views(
        signal, augmentation, num_views=2, sampling_rate=100, generator=seeded_generator(CPU, 0)
    )
    gains = views[..., 0] / signal[:, None, :, 0]
    assert ((gains >= 0.9) & (gains <= 1.1)).all()
    assert len(gains[..., 0].flatten().unique()) == 8


# ---- windows of long recordings ----


def ramps(batch: int = 4, samples: int = 100) -> torch.Tensor:
    """Recordings of two leads whose samples tell their recording and their time: 1000 * recording + time."""
    signal = 1000.0 * torch.arange(batch).view(batch, 1, 1) + torch.arange(samples)
    return torch.cat([signal, -signal], dim=1)


@given(st.integers(1, 40), st.integers(0, 20), st.integers(1, 3), st.integers(0, 2**32))
def test_a_random_window_is_a_part_of_its_recording(length: int, more: int, copies: int, seed: int) -> None:
    samples = length + more
    signal = ramps(samples=samples)
    windows = random_windows(signal, length, copies=copies, generator=seeded_generator(CPU, seed))
    assert windows.shape == (copies * 4, 2, length)
    assert windows.is_contiguous()
    starts = (windows[:, 0, 0] - 1000.0 * torch.arange(4).repeat(copies)).long().tolist()
    for index, start in enumerate(starts):
        assert 0 <= start <= more
        assert torch.equal(windows[index], signal[index % 4, :, start : start + length])


def test_every_place_is_drawn() -> None:
    windows = random_windows(ramps(1, 12), 10, copies=300, generator=seeded_generator(CPU, 0))
    assert windows[:, 0, 0].unique(return_counts=True)[1].min() > 70  # of 3 places


@pytest.mark.parametrize("length", [100, 101, None])
def test_nothing_is_drawn_where_nothing_is_cropped(length: int | None) -> None:
    augmentation = build_augmentation({"random_gain": {}, "gaussian_noise": {}})
    generator = seeded_generator(CPU, 0)
    if length is not None:
        assert random_windows(ramps(), length, generator=generator) is not None
        assert torch.equal(generator.get_state(), seeded_generator(CPU, 0).get_state())
    views = make_views(
        ramps() / 1000, augmentation, num_views=2, sampling_rate=100, generator=generator, num_samples=length
    )
    whole = augmentation(
        (ramps() / 1000).repeat(2, 1, 1), sampling_rate=100, generator=seeded_generator(CPU, 0)
    )
    assert torch.equal(views, torch.stack([whole[:4], whole[4:]], dim=1))


def test_views_of_a_long_recording_are_different_windows_of_it() -> None:
    def views(seed: int) -> torch.Tensor:
        return make_views(
            ramps(8, 1000),
            build_augmentation({}),
            num_views=3,
            num_samples=50,
            sampling_rate=100,
            generator=seeded_generator(CPU, seed),
        )

    found = views(0)
    assert found.shape == (8, 3, 2, 50)
    assert torch.equal(found[:, :, 0, 0] // 1000, torch.arange(8.0)[:, None].expand(8, 3))
    assert len(found[:, :, 0, 0].flatten().unique()) > 20  # of 24
    assert torch.equal(found, views(0))
    assert not torch.equal(found, views(1))
