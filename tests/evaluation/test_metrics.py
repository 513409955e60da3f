import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from ssl_ecg_hf.evaluation.metrics import (
    MACRO_METRICS,
    choose_thresholds,
    classification_metrics,
    macro_auroc,
    undefined_classes,
)

LABELS = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
SCORES = np.array([[0.9, 0.1], [0.3, 0.2], [0.4, 0.8], [0.1, 0.6]])


def test_literal_values_of_one_class():
    found = classification_metrics(LABELS, SCORES, class_names=["A", "B"], thresholds=[0.35, 0.7])[
        "per_class"
    ]["A"]
    assert found["auroc"] == 0.75  # of 4 pairs only (0.3, 0.4) stands the wrong way round
    assert found["auprc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found["sensitivity"] == 0.5
    assert found["specificity"] == 0.5
    assert found["f1"] == 0.5
    assert found["f1_at_0.5"] == pytest.approx(2 / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.49 + 0.16 + 0.01) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.7 + 0.4 + 0.1) / 4)  # each record is alone in its bin
    assert (found["threshold"], found["support"], found["prevalence"]) == (0.35, 2, 0.5)


def test_macro_is_the_mean_over_classes():
    metrics = classification_metrics(LABELS, SCORES, class_names=["A", "B"])
    assert metrics["records"] == 4
    assert metrics["undefined"] == []
    for key in MACRO_METRICS:
        a, b = (metrics["per_class"][name][key] for name in "AB")
        assert metrics["macro"][key] == pytest.approx((a + b) / 2)


def test_a_class_with_one_label_value_is_undefined_and_left_out_of_the_macro():
    labels = np.column_stack([LABELS[:, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    scores = np.column_stack([SCORES[:, 0], SCORES])
    metrics = classification_metrics(labels, scores, class_names=["A", "never", "always"])
    assert metrics["undefined"] == ["never", "always"]
    for name in ("never", "always"):
        assert [metrics["per_class"][name][key] for key in ("auroc", "auprc", "f1", "f1_at_0.5")] == [
            None
        ] * 4
    assert metrics["per_class"]["never"]["sensitivity"] is None
    assert metrics["per_class"]["never"]["specificity"] == 0.75
    assert metrics["per_class"]["always"]["sensitivity"] == 0.5
    assert metrics["per_class"]["always"]["specificity"] is None
    assert metrics["macro"]["auroc"] == 0.75
    assert macro_auroc(labels, scores) == 0.75


def test_nothing_defined_gives_none():
    metrics = classification_metrics([[0], [0]], [[0.1], [0.2]], class_names=["A"])
    assert metrics["macro"]["auroc"] is None
    assert macro_auroc([[0], [0]], [[0.1], [0.2]]) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 4))
def test_agrees_with_scikit_learn(seed, records, classes):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (records, classes))
    scores = generator.integers(0, 11, (records, classes)) / 10  # many ties
    thresholds = generator.random(classes)
    names = [f"c{index}" for index in range(classes)]
    metrics = classification_metrics(labels, scores, class_names=names, thresholds=thresholds)
    for column, name in enumerate(names):
        truth, score = labels[:, column], scores[:, column]
        if truth.min() == truth.max():
            assert name in metrics["undefined"]
            continue
        found = metrics["per_class"][name]
        assert found["auroc"] == pytest.approx(roc_auc_score(truth, score))
        assert found["auprc"] == pytest.approx(average_precision_score(truth, score))
        assert found["f1"] == pytest.approx(f1_score(truth, score >= thresholds[column], zero_division=0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30))
def test_no_threshold_has_a_higher_f1_than_the_chosen_one(seed, records):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, (records, 1))
    scores = generator.integers(0, 11, (records, 1)) / 10
    chosen = choose_thresholds(truth, scores)[0]
    if truth.min() == truth.max():
        assert chosen == 0.5
        return
    every = [f1_score(truth, scores >= limit, zero_division=0) for limit in np.arange(11) / 10]
    assert f1_score(truth, scores >= chosen, zero_division=0) == pytest.approx(max(every))


@pytest.mark.parametrize(
    ("below", "above", "threshold"),
    [
        (0.123456789, 0.523456789, 0.323457),
        (0.123456789, 0.123456799, 0.12345679),
        (0.9999992, 0.9999994, 0.9999993),  # in six digits 0.999999, below both
        (2e-9, 3e-9, 2.5e-9),
        (0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 1)),
    ],
)
def test_thresholds_have_six_digits_or_as_many_as_move_no_record(below, above, threshold):
    labels, scores = [[0], [1], [1]], [[below], [above], [1.0]]
    assert choose_thresholds(labels, scores).tolist() == [threshold]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8, unique=True))
def test_a_threshold_parts_any_two_scores(found):
    low, *_, high = sorted(found)
    (threshold,) = choose_thresholds([[0], [1]], [[low], [high]])
    assert low < threshold <= high


def test_lowest_score_as_threshold_goes_halfway_to_zero():
    assert choose_thresholds([[1], [1], [0]], [[0.4], [0.5], [0.4]]).tolist() == [0.2]


def test_undefined_classes_are_named():
    assert undefined_classes([[0, 1], [0, 0]], class_names=["A", "B"]) == ["A"]


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([[1, 0]], [[0.5]], "scores have shape"),
        ([1, 0], [0.5, 0.1], "expected \\(records, classes\\)"),
        ([[1], [2]], [[0.5], [0.5]], "hold \\[2\\]"),
        ([[1], [0]], [[np.nan], [0.5]], "NaN or infinite, first record 0"),
        ([[1], [0]], [[3.0], [-1.0]], "apply a sigmoid"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one of each"),
    ],
)
def test_errors_say_what_is_wrong(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        macro_auroc(labels, scores)


def test_names_and_thresholds_must_fit():
    with pytest.raises(ValueError, match="do not name 2 classes"):
        classification_metrics(LABELS, SCORES, class_names=["A"])
    with pytest.raises(ValueError, match="do not name 2 classes"):
        classification_metrics(LABELS, SCORES, class_names=["A", "A"])
    for thresholds in ([0.5], [0.5, 1.5], [np.nan, 0.5]):
        with pytest.raises(ValueError, match="not 2 numbers in"):
            classification_metrics(LABELS, SCORES, class_names=["A", "B"], thresholds=thresholds)
