"""The simulator: exact lead relations, reproducible draws, a data set like a small PTB-XL."""

import numpy as np
import pytest
from datasets import DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks

from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.data.schema import ecg_features
from ssl_ecg_hf.data.simulator import simulate_dataset, simulate_ecg


def multi_hot(*names: str, count: int = 1) -> np.ndarray:
    return np.tile(np.array([name in names for name in SUPERCLASSES], dtype=np.int8), (count, 1))


@pytest.fixture(scope="module")
def dataset() -> DatasetDict:
    return simulate_dataset(1000, seed=0)


def column(dataset: DatasetDict, name: str) -> np.ndarray:
    return np.concatenate([np.asarray(dataset[split].with_format("numpy")[name][:]) for split in dataset])


class TestSimulateEcg:
    @given(
        count=st.integers(0, 5),
        sampling_rate=st.sampled_from([50.0, 100.0, 257.0, 500.0]),
        duration=st.floats(0.1, 6.0),
        seed=st.integers(0, 2**32),
    )
    @settings(max_examples=25, deadline=None)
    def test_shape_type_and_lead_relations_always_hold(self, count, sampling_rate, duration, seed):
        signals = simulate_ecg(
            multi_hot("STTC", "HYP", count=count),
            sampling_rate=sampling_rate,
            duration=duration,
            rng=np.random.default_rng(seed),
        )
        assert signals.shape == (count, 12, round(duration * sampling_rate))
        assert signals.dtype == np.float32
        assert np.isfinite(signals).all()
        i, ii, iii, avr, avl, avf = signals[:, :6].swapaxes(0, 1)
        np.testing.assert_array_equal(iii, ii - i)
        np.testing.assert_allclose(avr, -(i + ii) / 2, atol=1e-6)
        np.testing.assert_allclose(avl, (i - iii) / 2, atol=1e-6)
        np.testing.assert_allclose(avf, (ii + iii) / 2, atol=1e-6)

    def test_same_generator_state_gives_same_bytes(self):
        labels = multi_hot("MI", count=70)
        first, again, other = (simulate_ecg(labels, rng=np.random.default_rng(s)) for s in (1, 1, 2))
        assert first.tobytes() == again.tobytes()
        assert not np.array_equal(first, other)

    def test_every_record_is_another_heart(self):
        signals = simulate_ecg(
            multi_hot("NORM", count=80), noise=0.0, duration=2.0, rng=np.random.default_rng(0)
        )
        assert len({record.tobytes() for record in signals}) == 80

    @pytest.mark.parametrize("sampling_rate", [50.0, 100.0, 250.0, 500.0])
    def test_morphology_does_not_depend_on_the_sampling_rate(self, sampling_rate):
        labels = np.eye(5, dtype=np.int8)
        fine = simulate_ecg(
            labels, sampling_rate=1000.0, noise=0.0, duration=4.0, rng=np.random.default_rng(3)
        )
        coarse = simulate_ecg(
            labels, sampling_rate=sampling_rate, noise=0.0, duration=4.0, rng=np.random.default_rng(3)
        )
        np.testing.assert_allclose(coarse, fine[..., :: round(1000 / sampling_rate)], atol=2e-4)

    def test_heart_rates_found_at_the_r_waves(self):
        signals = simulate_ecg(
            multi_hot("NORM", count=60), sampling_rate=250.0, noise=0.0, rng=np.random.default_rng(4)
        )
        rates = []
        for record in signals:
            speed = np.abs(np.gradient(record, axis=-1)).sum(axis=0)
            peaks, _ = find_peaks(speed, height=0.5 * speed.max(), distance=round(0.3 * 250))
            rates.append(60.0 * 250.0 / np.diff(peaks).mean())
        assert min(rates) > 45.0
        assert max(rates) < 120.0
        assert 65.0 < np.mean(rates) < 77.0
        assert np.std(rates) > 8.0

    def test_amplitudes_are_those_of_people(self):
        signals = simulate_ecg(multi_hot("NORM", count=200), noise=0.0, rng=np.random.default_rng(5))
        tallest = np.abs(signals).max(axis=(1, 2))
        assert tallest.min() > 0.5
        assert tallest.max() < 3.5
        assert 1.0 < np.median(tallest) < 1.8

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.zeros((2, 4), dtype=np.int8), r"shape \(2, 4\); expected \(records, 5\)"),
            (np.zeros(5, dtype=np.int8), r"shape \(5,\)"),
            (multi_hot("NORM", "MI"), "NORM stands beside other labels in 1 row"),
            (np.full((1, 5), 2, dtype=np.int8), "must be 0 or 1"),
        ],
    )
    def test_bad_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            simulate_ecg(labels, rng=np.random.default_rng(0))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"sampling_rate": 0.0}, "sampling_rate=0.0 must be a positive number"),
            ({"sampling_rate": -100.0}, "sampling_rate"),
            ({"sampling_rate": float("nan")}, "sampling_rate"),
            ({"duration": 0.0}, "duration"),
            ({"duration": float("inf")}, "duration"),
            ({"duration": 0.001}, "less than one sample"),
            ({"noise": -1.0}, "noise"),
        ],
    )
    def test_bad_numbers(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            simulate_ecg(multi_hot("NORM"), rng=np.random.default_rng(0), **arguments)


class TestSimulateDataset:
    def test_schema_and_sizes(self, dataset):
        assert list(dataset) == ["train", "validation", "test"]
        for split in dataset.values():
            assert split.features == ecg_features(1000)
        assert sum(map(len, dataset.values())) == 1000
        assert 760 < len(dataset["train"]) < 840
        assert 70 < len(dataset["validation"]) < 130
        np.testing.assert_array_equal(np.sort(column(dataset, "ecg_id")), np.arange(1, 1001))
        assert set(column(dataset, "sampling_rate").tolist()) == {100.0}

    def test_integer_lead_relations(self, dataset):
        signals = column(dataset, "signal_uv").astype(np.int64)
        i, ii, iii, avr, avl, avf = signals[:, :6].swapaxes(0, 1)
        np.testing.assert_array_equal(iii, ii - i)
        assert np.abs(2 * avr + i + ii).max() <= 1
        assert np.abs(2 * avl - i + iii).max() <= 1
        assert np.abs(2 * avf - ii - iii).max() <= 1
        assert np.percentile(np.abs(signals).max(axis=(1, 2)), 5) > 500
        assert np.abs(signals).max() < 8000

    def test_prevalence_is_about_that_of_ptbxl(self, dataset):
        labels = column(dataset, "labels")
        np.testing.assert_allclose(labels.mean(axis=0), [0.44, 0.25, 0.25, 0.12, 0.21], atol=0.05)
        assert labels.sum(axis=1).min() == 1
        assert labels[labels[:, 0] == 1].sum(axis=1).max() == 1
        assert (labels.sum(axis=1) > 1).mean() > 0.1
        for split in dataset.values():
            assert np.asarray(split["labels"][:]).any(axis=0).all()

    def test_patients(self, dataset):
        patients = {name: set(split["patient_id"][:]) for name, split in dataset.items()}
        assert not patients["train"] & patients["validation"]
        assert not patients["train"] & patients["test"]
        assert not patients["validation"] & patients["test"]
        assert set(dataset["train"]["fold"][:]) == set(range(1, 9))
        assert set(dataset["validation"]["fold"][:]) == {9}
        assert set(dataset["test"]["fold"][:]) == {10}
        ids, records = np.unique(column(dataset, "patient_id"), return_counts=True)
        assert set(records.tolist()) == {1, 2, 3, 4}
        age, sex, labels = column(dataset, "age"), column(dataset, "sex"), column(dataset, "labels")
        same_labels = []
        for patient in ids[records > 1]:
            rows = column(dataset, "patient_id") == patient
            assert len(set(age[rows])) == len(set(sex[rows])) == 1
            same_labels.append(len(np.unique(labels[rows], axis=0)) == 1)
        assert 0.8 < np.mean(same_labels) < 1.0

    def test_recordings_of_a_patient_are_alike_but_not_equal(self, dataset):
        """The largest deflection of each lead tells patients apart."""
        signals, patients = column(dataset, "signal_uv"), column(dataset, "patient_id")
        shape = np.concatenate([np.percentile(signals, q, axis=2) for q in (1, 99)], axis=1)
        distance = np.abs(shape[:, None] - shape[None]).mean(axis=2)
        same = (patients[:, None] == patients[None]) & ~np.eye(len(patients), dtype=bool)
        assert distance[same].min() > 0
        assert np.median(distance[same]) < 0.5 * np.median(distance[~same])

    def test_age_and_sex(self, dataset):
        age, sex, labels = column(dataset, "age"), column(dataset, "sex"), column(dataset, "labels")
        assert set(sex.tolist()) == {"male", "female"}
        assert age.min() >= 18
        assert age.max() <= 89
        assert age[labels[:, 0] == 0].mean() - age[labels[:, 0] == 1].mean() > 5

    def test_same_seed_gives_same_bytes(self):
        first, again, other = (simulate_dataset(30, seed=seed, duration=2.0) for seed in (5, 5, 6))
        for split in first:
            assert first[split][:] == again[split][:]
        assert first["train"]["signal_uv"][:] != other["train"]["signal_uv"][:]

    @given(num_records=st.integers(10, 40), seed=st.integers(0, 2**32))
    @settings(max_examples=10, deadline=None)
    def test_no_split_is_empty_and_no_record_is_lost(self, num_records, seed):
        dataset = simulate_dataset(num_records, seed=seed, duration=0.5)
        assert min(map(len, dataset.values())) >= 1
        assert sum(map(len, dataset.values())) == num_records

    def test_other_rate_and_duration(self):
        dataset = simulate_dataset(10, sampling_rate=500.0, duration=2.5)
        assert dataset["train"].features == ecg_features(1250)
        assert dataset["train"]["sampling_rate"][0] == 500.0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"num_records": 9}, "num_records=9 must be at least 10"),
            ({"sampling_rate": 0.0}, "sampling_rate"),
            ({"duration": -1.0}, "duration"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            simulate_dataset(**arguments)

    def test_classes_can_be_told_apart_but_not_perfectly(self):
        """A linear model on the spread of each lead and a few voltages is well above chance."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import roc_auc_score

        labels = np.repeat(np.eye(5, dtype=np.int8), 120, axis=0)
        signals = simulate_ecg(labels, rng=np.random.default_rng(8)).astype(np.float64)
        fast = np.diff(signals, axis=2)
        features = np.concatenate(
            [np.percentile(values, [1, 5, 25, 75, 95, 99], axis=2) for values in (signals, fast)]
        )
        features = features.transpose(1, 0, 2).reshape(len(labels), -1)
        features = (features - features.mean(axis=0)) / features.std(axis=0)
        train = np.arange(len(labels)) % 2 == 0
        for name, truth in zip(SUPERCLASSES, labels.T, strict=True):
            model = LogisticRegression(C=0.1, max_iter=500).fit(features[train], truth[train])
            auroc = roc_auc_score(truth[~train], model.decision_function(features[~train]))
            assert 0.65 < auroc < 0.99, name
