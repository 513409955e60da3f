import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, recall_score, roc_auc_score

from ssl_ecg_hf.evaluation import weighted as module
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.weighted import (
    resampled,
    weighted_auprc,
    weighted_auroc,
    weighted_f1,
    weighted_sensitivity,
    weighted_specificity,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 25))
def test_weights_mean_the_same_as_repeated_records(seed, records):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (records, 2))
    scores = generator.integers(0, 6, (records, 2)) / 5  # many ties
    weights = generator.integers(0, 3, (4, records)).astype(float)
    limits = np.array([0.4, 0.9])
    auroc = weighted_auroc(labels, scores, weights)
    auprc = weighted_auprc(labels, scores, weights)
    f1 = weighted_f1(limits)(labels, scores, weights)
    sensitivity = weighted_sensitivity(limits)(labels, scores, weights)
    specificity = weighted_specificity(limits)(labels, scores, weights)
    found = np.stack([auroc, auprc, f1])
    assert found.shape == (3, 4, 2)
    assert sensitivity.shape == specificity.shape == (4, 2)
    for draw, times in enumerate(weights.astype(int)):
        for column in range(2):
            truth, score = np.repeat(labels[:, column], times), np.repeat(scores[:, column], times)
            if len(set(truth.tolist())) < 2:
                assert np.isnan(found[:, draw, column]).all()
                assert np.isnan(sensitivity[draw, column]) == (1 not in truth)
                assert np.isnan(specificity[draw, column]) == (0 not in truth)
                continue
            assert auroc[draw, column] == pytest.approx(roc_auc_score(truth, score))
            assert auprc[draw, column] == pytest.approx(average_precision_score(truth, score))
            predicted = score >= limits[column]
            assert f1[draw, column] == pytest.approx(f1_score(truth, predicted, zero_division=0))
            assert sensitivity[draw, column] == pytest.approx(recall_score(truth, predicted))
            assert specificity[draw, column] == pytest.approx(recall_score(truth, predicted, pos_label=0))


def test_auroc_of_many_records_is_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (300, 3))
    scores = generator.integers(0, 99, (300, 3)) / 100
    weights = generator.integers(0, 4, (50, 300)).astype(float)
    expected = weighted_auroc(labels, scores, weights)
    monkeypatch.setattr(module, "_MOST_PAIRS", 0)
    assert np.array_equal(weighted_auroc(labels, scores, weights), expected)


def test_any_metric_can_be_resampled():
    labels, scores = np.array([[1], [0], [1]]), np.array([[0.9], [0.5], [0.1]])
    weights = np.array([[1.0, 1, 1], [2, 1, 0], [1, 0, 1]])
    values = resampled(macro_auroc)(labels, scores, weights)
    assert values[:2].tolist() == [[0.5], [1.0]]
    assert np.isnan(values[2, 0])
