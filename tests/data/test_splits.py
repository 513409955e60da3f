from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_ecg_hf.data import label_fraction, labelled, patient_groups, patient_split
from ssl_ecg_hf.data.splits import dataset_labels

PREVALENCE = np.array([0.44, 0.25, 0.24, 0.12, 0.22])


def population(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels (count, 5) at PTB-XL's prevalences, and patients with 1 to 3 recordings."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 5)) < PREVALENCE).astype(np.int8)
    patients = np.repeat(np.arange(count), rng.choice([1, 2, 3], count, p=[0.8, 0.15, 0.05]))[:count]
    return labels, rng.permutation(patients)


def test_unlabelled_recordings_are_filtered() -> None:
    data = Dataset.from_dict({"signal": [[[0.0]]] * 3, "labels": [[0, 1], [0, 0], [1, 1]], "n": [0, 1, 2]})
    assert list(labelled(data)["n"]) == [0, 2]
    assert list(labelled(data.select([2, 1]))["n"]) == [2]
    with pytest.raises(ValueError, match="no column 'labels'"):
        labelled(data.remove_columns("labels"))


def test_unknown_patients_are_each_their_own() -> None:
    assert patient_groups([None, "a", None, "b", "a", float("nan")]).tolist() == [0, 1, 2, 3, 1, 4]
    assert patient_groups(np.array([5, 5, -1])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.1, 0.5])
def test_classes_keep_their_prevalence(fraction: float) -> None:
    labels, patients = population(6000)
    chosen = label_fraction(labels, patients, fraction, seed=1)
    assert abs(len(chosen) - fraction * 6000) <= 1
    deviation = labels[chosen].sum(axis=0) - labels.mean(axis=0) * len(chosen)
    assert np.abs(deviation).max() <= 10
    assert np.abs(deviation).max() <= 0.1 * (labels.mean(axis=0) * len(chosen)).max()


def test_combinations_of_classes_stay_as_frequent_as_they_are() -> None:
    labels, patients = population(6000)
    chosen = label_fraction(labels, patients, 0.2, seed=0)
    code = labels @ (1 << np.arange(5))
    share = np.bincount(code[chosen], minlength=32) / len(chosen)
    assert np.abs(share - np.bincount(code, minlength=32) / 6000).max() < 0.01
    per_patient = len(chosen) / len(np.unique(patients[chosen]))
    assert per_patient == pytest.approx(6000 / len(np.unique(patients)), abs=0.03)


def test_seeds_choose_other_patients_but_repeat_themselves() -> None:
    labels, patients = population(3000)
    first, again, other = (label_fraction(labels, patients, 0.1, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 0.25 * len(first)  # 10 % by chance


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_subsets_are_nested_and_patients_whole(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    labels = np.array(
        data.draw(
            st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=count, max_size=count)
        ),
        dtype=np.int8,
    )
    patients = data.draw(st.lists(st.none() | st.integers(0, 12), min_size=count, max_size=count))
    fractions = [*sorted(data.draw(st.lists(st.floats(0.001, 1), max_size=4))), 1.0]
    seed = data.draw(st.integers(0, 2**32))
    groups = patient_groups(patients)
    previous: set[int] = set()
    for fraction in fractions:
        chosen = label_fraction(labels, patients, fraction, seed=seed)
        assert len(chosen) >= 1
        assert np.array_equal(chosen, np.unique(chosen))
        assert previous <= set(chosen.tolist())
        assert not set(groups[chosen]) & set(np.delete(groups, chosen))
        if len(np.unique(groups[chosen])) >= 3:
            assert labels[chosen].any(axis=0).tolist() == labels.any(axis=0).tolist()
        previous = set(chosen.tolist())
    assert previous == set(range(count))


def test_a_rare_class_is_among_the_first() -> None:
    labels = np.zeros((1000, 3), dtype=np.int8)
    labels[:, 0] = 1
    labels[500, 1] = labels[900, 2] = 1
    for seed in range(5):
        chosen = label_fraction(labels, np.arange(1000), 0.01, seed=seed)
        assert len(chosen) == 10
        assert {500, 900} <= set(chosen.tolist())


@pytest.mark.parametrize("fraction", [0, -0.1, 10, float("nan")])
def test_fraction_is_a_share(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"above 0 and at most 1; 10 % is 0.1"):
        label_fraction(np.ones((3, 2), np.int8), [1, 2, 3], fraction, seed=0)


def test_labels_and_patients_must_fit() -> None:
    with pytest.raises(ValueError, match=r"labels of shape \(3, 2\) do not fit 2 patient ids"):
        label_fraction(np.ones((3, 2), np.int8), [1, 2], 0.5, seed=0)
    with pytest.raises(ValueError, match="no recordings"):
        label_fraction(np.ones((0, 2), np.int8), [], 0.5, seed=0)


def test_split_by_patient() -> None:
    labels, patients = population(3000)
    parts = patient_split(labels, patients, shares=(0.7, 0.2, 0.1), seed=3)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(3000))
    assert [len(part) for part in parts] == pytest.approx([2100, 600, 300], abs=2)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not set(patients[parts[one]]) & set(patients[parts[other]])
    for part in parts:
        assert np.abs(labels[part].mean(axis=0) - labels.mean(axis=0)).max() < 0.02


def test_split_without_labels_and_with_few_patients() -> None:
    parts = patient_split(np.zeros((4, 0), np.int8), ["a", "a", "b", "c"], shares=(0.9, 0.05, 0.05), seed=0)
    assert sorted(np.concatenate(parts).tolist()) == [0, 1, 2, 3]
    assert min(len(part) for part in parts) >= 1
    with pytest.raises(ValueError, match="2 patients cannot fill 3 parts"):
        patient_split(np.zeros((3, 0), np.int8), ["a", "a", "b"], seed=0)


@pytest.mark.parametrize("shares", [(), (0.5, 0.4), (1.2, -0.2), (1.0, 0.0)])
def test_shares_sum_to_one(shares: Any) -> None:
    with pytest.raises(ValueError, match="must be positive and sum to 1"):
        patient_split(np.zeros((3, 1), np.int8), [1, 2, 3], shares=shares, seed=0)


@pytest.mark.parametrize("values", [[[2, 0]], [[0, -1]], [[0.5, 1.0]]])
def test_labels_are_zero_or_one(values: list[list[float]]) -> None:
    with pytest.raises(
        ValueError, match=r"column 'labels' holds .*; expected 0 and 1 in one column per class"
    ):
        dataset_labels(Dataset.from_dict({"labels": values}))
