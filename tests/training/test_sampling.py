from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ssl_ecg_hf.training.sampling import SAMPLERS, LabelSampler

label_tables = st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=1, max_size=60).map(
    lambda rows: np.array(rows, dtype=np.int8)
)


@settings(deadline=None)
@given(labels=label_tables, name=st.sampled_from(sorted(SAMPLERS)), seed=st.integers(0, 99))
def test_an_epoch_is_a_function_of_seed_and_epoch(labels: NDArray[np.int8], name: str, seed: int) -> None:
    first, second = (LabelSampler(labels, name, seed=seed) for _ in range(2))
    assert list(first) == list(first) == list(second)
    assert len(list(first)) == len(first) == len(labels)
    assert set(first) <= set(range(len(labels)))
    first.set_epoch(3)
    second.set_epoch(3)
    assert list(first) == list(second)


@settings(deadline=None)
@given(labels=label_tables, name=st.sampled_from(["standard", "stratified"]), seed=st.integers(0, 99))
def test_without_replacement_every_record_comes_once(labels: NDArray[np.int8], name: str, seed: int) -> None:
    assert sorted(LabelSampler(labels, name, seed=seed)) == list(range(len(labels)))


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_epochs_and_seeds_differ(name: str) -> None:
    labels = np.eye(4, dtype=np.int8).repeat(20, axis=0)
    sampler, other = LabelSampler(labels, name, seed=0), LabelSampler(labels, name, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert first != list(sampler)
    assert first != list(other)


def test_stratified_batches_keep_the_prevalence() -> None:
    labels = np.zeros((100, 2), dtype=np.int8)
    labels[:30, 0] = 1
    labels[30:40, 1] = 1
    order = list(LabelSampler(labels, "stratified", seed=0))
    for start in range(0, 100, 20):
        batch = labels[order[start : start + 20]]
        assert abs(batch[:, 0].sum() - 6) <= 1
        assert abs(batch[:, 1].sum() - 2) <= 1


def test_oversampling_evens_out_single_classes() -> None:
    # 800 of the first class, 160 of the second, 40 without any: each shall be a third of the draws.
    labels = np.zeros((1000, 2), dtype=np.int8)
    labels[:800, 0] = 1
    labels[800:960, 1] = 1
    drawn = np.concatenate(
        [labels[list(LabelSampler(labels, "oversample", seed=seed))] for seed in range(20)]
    )
    shares = [drawn[:, 0].mean(), drawn[:, 1].mean(), (~drawn.any(axis=1)).mean()]
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.015)


def test_a_record_weighs_as_its_rarest_class() -> None:
    labels = np.array([[1, 0]] * 90 + [[1, 1]] * 10, dtype=np.int8)
    drawn = np.concatenate([list(LabelSampler(labels, "oversample", seed=seed)) for seed in range(100)])
    # Weights 1 and 10: the ten rare records are drawn 100 / 190 of the time.
    assert float(np.mean(drawn >= 90)) == pytest.approx(100 / 190, abs=0.02)


def test_unknown_sampler_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown sampler 'mine'; known are \['oversample'"):
        LabelSampler(np.zeros((3, 2), dtype=np.int8), "mine", seed=0)
