from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.training.augmentations import build_augmentation
from ssl_ecg_hf.training.views import make_views, seeded_generator

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
