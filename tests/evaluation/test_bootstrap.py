import numpy as np
import pytest

from ssl_ecg_hf.evaluation.bootstrap import bootstrap, cluster_index, draw_weights, paired_bootstrap
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.weighted import resampled, weighted_auroc


def make(records=120, classes=3, seed=0, strength=1.5):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (records, classes))
    logits = generator.normal(size=labels.shape) + strength * labels
    return labels, 1 / (1 + np.exp(-logits))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_missing_patients_are_patients_of_their_own():
    assert cluster_index([7, None, 7, float("nan"), "", "a", "a", np.float64("nan")], 8).tolist() == [
        0, 1, 0, 2, 3, 4, 4, 5,
    ]  # fmt: skip
    assert cluster_index(None, 3).tolist() == [0, 1, 2]
    assert cluster_index(np.array(["b", "", "b"]), 3).tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="2 patient ids for 3 records"):
        cluster_index([1, 2], 3)


def test_recordings_of_a_patient_are_drawn_together_and_as_many_patients_as_there_are():
    clusters = np.array([0, 0, 1, 2, 2, 2])
    weights = draw_weights(clusters, draws=50, generator=rng())
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, 0] + weights[:, 2] + weights[:, 3] == 3).all()
    assert len(np.unique(weights, axis=0)) > 5


def test_interval_equals_a_slow_loop_over_the_same_draws():
    labels, scores = make(60)
    patients = [index // 2 for index in range(60)]
    found = bootstrap(labels, scores, patient_ids=patients, draws=150, generator=rng(3))
    values = []
    for times in draw_weights(np.array(patients), draws=150, generator=rng(3)).astype(int):
        rows = [row for row, count in enumerate(times) for _ in range(count)]
        values.append(macro_auroc(labels[rows], scores[rows]))
    assert found.macro.estimate == pytest.approx(macro_auroc(labels, scores))
    assert found.macro.low == pytest.approx(np.quantile(values, 0.025))
    assert found.macro.high == pytest.approx(np.quantile(values, 0.975))
    assert found.macro.undefined_draws == 0
    general = bootstrap(
        labels, scores, metric=resampled(macro_auroc), patient_ids=patients, draws=150, generator=rng(3)
    )
    assert general.macro.low == pytest.approx(found.macro.low)


def test_doubled_patients_widen_the_interval_that_doubled_records_narrow():
    labels, scores = make(80)
    labels, scores = np.repeat(labels, 4, axis=0), np.repeat(scores, 4, axis=0)
    by_record = bootstrap(labels, scores, draws=300, generator=rng()).macro
    by_patient = bootstrap(
        labels, scores, patient_ids=np.repeat(np.arange(80), 4), draws=300, generator=rng()
    ).macro
    assert (by_patient.high - by_patient.low) / (by_record.high - by_record.low) == pytest.approx(2, rel=0.25)


def test_draws_without_a_class_are_counted_and_left_out():
    labels, scores = make(40, classes=2)
    labels[:, 1] = 0
    labels[0, 1] = 1  # one positive: absent from (1 - 1/40) ** 40 = 36 % of the draws
    found = bootstrap(labels, scores, draws=400, generator=rng())
    assert 100 < found.macro.undefined_draws < 190
    assert found.per_class[0].undefined_draws == 0
    assert found.per_class[1].undefined_draws == found.macro.undefined_draws
    assert found.macro.low is not None


def test_an_undefined_class_is_left_out_of_the_macro():
    labels, scores = make(40, classes=2)
    labels[:, 1] = 0
    found = bootstrap(labels, scores, draws=50, generator=rng())
    assert found.per_class[1].to_dict() == {
        "estimate": None,
        "low": None,
        "high": None,
        "undefined_draws": 50,
    }
    assert found.macro.estimate == found.per_class[0].estimate
    assert found.macro.undefined_draws == 0


def test_too_few_defined_draws_give_no_interval():
    # Two patients, one of them positive: both must be drawn, which half of the draws do not.
    found = bootstrap(
        [[1], [0], [0]], [[0.9], [0.1], [0.2]], patient_ids=[1, 2, 2], draws=101, generator=rng(5)
    )
    assert found.macro.estimate == 1.0
    assert found.macro.undefined_draws > 50
    assert found.macro.low is None
    nothing = bootstrap([[0], [0]], [[0.1], [0.2]], draws=10, generator=rng()).macro
    assert (nothing.estimate, nothing.low, nothing.undefined_draws) == (None, None, 10)


def test_same_generator_same_interval():
    labels, scores = make()
    first, second = (bootstrap(labels, scores, draws=40, generator=rng(9)) for _ in range(2))
    assert first == second


def test_interval_covers_the_truth_about_as_often_as_it_says():
    truth = 0.8556  # P(Z < 1.5 / sqrt(2)) for two unit normals 1.5 apart
    covered = 0
    for seed in range(60):
        labels, scores = make(150, classes=1, seed=seed)
        found = bootstrap(labels, scores, draws=200, generator=rng(seed)).macro
        covered += found.low <= truth <= found.high
    assert covered >= 51


def test_equal_systems_do_not_differ():
    labels, scores = make()
    found = paired_bootstrap(labels, scores, scores, draws=50, generator=rng())
    assert found.difference.to_dict() == {"estimate": 0.0, "low": 0.0, "high": 0.0, "undefined_draws": 0}
    assert found.p_value == 1.0


def test_a_clear_difference_is_found_with_its_sign():
    labels, good = make(200, seed=1, strength=3)
    poor = np.random.default_rng(2).random(good.shape)
    found = paired_bootstrap(labels, good, poor, draws=200, generator=rng())
    expected = macro_auroc(labels, good) - macro_auroc(labels, poor)
    assert found.difference.estimate == pytest.approx(expected)
    assert 0.3 < found.difference.low < expected < found.difference.high
    assert found.p_value == pytest.approx(2 / 201)
    assert paired_bootstrap(labels, poor, good, draws=200, generator=rng()).difference.high < 0


def test_pairing_narrows_the_interval():
    labels, scores = make(200)
    other = np.clip(scores + np.random.default_rng(0).normal(scale=0.02, size=scores.shape), 0, 1)
    paired = paired_bootstrap(labels, scores, other, draws=200, generator=rng()).difference
    single = bootstrap(labels, scores, draws=200, generator=rng()).macro
    assert paired.high - paired.low < 0.3 * (single.high - single.low)


def test_undefined_comparison_has_no_p_value():
    found = paired_bootstrap([[0], [0]], [[0.1], [0.2]], [[0.3], [0.1]], draws=10, generator=rng())
    assert found.p_value is None
    assert found.difference.estimate is None


def test_errors():
    labels, scores = make(10)
    with pytest.raises(ValueError, match="draws = 0"):
        bootstrap(labels, scores, draws=0, generator=rng())
    with pytest.raises(ValueError, match="confidence 95"):
        bootstrap(labels, scores, draws=5, confidence=95, generator=rng())
    with pytest.raises(ValueError, match="scores of the second system have shape"):
        paired_bootstrap(labels, scores, scores[:5], draws=5, generator=rng())


def test_auroc_of_all_draws_at_once_is_chunk_free():
    labels, scores = make(30)
    weights = draw_weights(np.arange(30), draws=250, generator=rng())
    whole = weighted_auroc(labels, scores, weights).mean(axis=1)
    found = bootstrap(labels, scores, draws=250, generator=rng()).macro
    assert found.low == pytest.approx(np.nanquantile(whole, 0.025))
