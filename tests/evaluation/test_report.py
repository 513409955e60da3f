import json

import numpy as np
import pytest

from ssl_ecg_hf.evaluation.bootstrap import bootstrap
from ssl_ecg_hf.evaluation.metrics import choose_thresholds, classification_metrics
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.report import evaluate_predictions, load_metrics, save_metrics

NAMES = ["NORM", "MI", "HYP"]
RUN = {"dataset": {"name": "made up", "simulated": True}, "protocol": "test"}


def predictions(seed, records=90, *, first_id=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (records, 3))
    ids = np.arange(first_id, first_id + records)
    return Predictions(
        labels=labels,
        logits=generator.normal(size=labels.shape) * 2 + labels,
        patient_ids=ids // 2,
        record_ids=ids,
        age=[None, 39.9, 40, 59, 60, 80, 300, 25, 70] * (records // 9),
        sex=["male", "female", None] * (records // 3),
    )


@pytest.fixture(scope="module")
def metrics():
    return evaluate_predictions(
        test=predictions(0), validation=predictions(1, first_id=1000), class_names=NAMES, run=RUN, draws=60
    )


def test_thresholds_come_from_validation_and_are_frozen(metrics):
    test, validation = predictions(0), predictions(1, first_id=1000)
    thresholds = choose_thresholds(validation.labels, validation.scores)
    assert list(metrics["thresholds"]["values"].values()) == thresholds.tolist()
    expected = classification_metrics(test.labels, test.scores, class_names=NAMES, thresholds=thresholds)
    for name in NAMES:
        assert metrics["test"]["per_class"][name] == pytest.approx(expected["per_class"][name], abs=1e-6)


def test_intervals_hold_their_estimates_and_those_are_the_test_metrics(metrics):
    for key in ("auroc", "auprc", "f1", "sensitivity", "specificity"):
        macro = metrics["intervals"][key]["macro"]
        assert macro["estimate"] == pytest.approx(metrics["test"]["macro"][key], abs=2e-6)
        assert macro["low"] < macro["estimate"] < macro["high"]
        for name in NAMES:
            estimate = metrics["intervals"][key]["per_class"][name]["estimate"]
            assert estimate == pytest.approx(metrics["test"]["per_class"][name][key], abs=2e-6)
    assert metrics["intervals"]["resampled"] == "patients"
    assert metrics["data"]["test"]["records"] == 90
    assert metrics["data"]["test"]["patients"] == 45


def test_subgroups_hold_the_right_records(metrics):
    assert {name: group["records"] for name, group in metrics["subgroups"]["age"].items()} == {
        "0 to 39": 20, "40 to 59": 20, "60 to 79": 20, "80 and over": 20, "unknown": 10,
    }  # fmt: skip
    assert {name: group["records"] for name, group in metrics["subgroups"]["sex"].items()} == {
        "female": 30, "male": 30, "unknown": 30,
    }  # fmt: skip
    unknown = metrics["subgroups"]["age"]["unknown"]  # ten records are too few to measure
    assert (unknown["macro_auroc"], unknown["undefined"]) == (None, NAMES)
    assert metrics["subgroups"]["age"]["0 to 39"]["macro_auroc"] is not None
    test = predictions(0)
    rows = np.asarray(test.sex) == "male"
    expected = classification_metrics(test.labels[rows], test.scores[rows], class_names=NAMES)
    assert metrics["subgroups"]["sex"]["male"]["macro_auroc"] == float(f"{expected['macro']['auroc']:.6g}")


def test_the_interval_of_a_subgroup_is_that_of_its_records_alone(metrics):
    test = predictions(0)
    rows = np.asarray(test.sex) == "male"
    expected = bootstrap(
        test.labels[rows],
        test.scores[rows],
        patient_ids=np.asarray(test.patient_ids)[rows],
        draws=60,
        generator=np.random.default_rng(0),
    ).macro
    found = metrics["subgroups"]["sex"]["male"]["macro_auroc_interval"]
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert metrics["subgroups"]["age"]["unknown"]["macro_auroc_interval"] is None


def test_what_classes_stand_for_is_kept(metrics):
    assert metrics["class_meanings"] == {}
    given = {"test": predictions(0), "validation": predictions(1, first_id=1000), "class_names": NAMES,
             "run": RUN, "draws": 2}  # fmt: skip
    assert evaluate_predictions(**given, class_meanings={NAMES[1]: "a finding"})["class_meanings"] == {
        NAMES[1]: "a finding"
    }
    with pytest.raises(ValueError, match=r"class_meanings explain \['AFIB'\]; the classes are"):
        evaluate_predictions(**given, class_meanings={"AFIB": "fibrillation"})


def test_temperature_is_fitted_on_validation(metrics):
    assert metrics["calibration"]["temperature"] > 1.2  # the logits above are noisier than the labels allow
    assert metrics["calibration"]["macro_ece_with_temperature"] < metrics["calibration"]["macro_ece"]
    assert metrics["calibration"]["macro_ece"] == pytest.approx(metrics["test"]["macro"]["ece"], abs=2e-6)
    assert sum(metrics["calibration"]["reliability"]["MI"]["count"]) == 90


def test_the_same_predictions_give_the_same_file(metrics, tmp_path):
    again = evaluate_predictions(
        test=predictions(0), validation=predictions(1, first_id=1000), class_names=NAMES, run=RUN, draws=60
    )
    save_metrics(tmp_path / "a.json", metrics)
    save_metrics(tmp_path / "b.json", again)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert load_metrics(tmp_path / "a.json") == metrics


def test_a_class_missing_in_validation_keeps_a_half_and_is_named():
    validation = predictions(1, first_id=1000)
    validation.labels[:, 2] = 0
    found = evaluate_predictions(
        test=predictions(0), validation=validation, class_names=NAMES, run=RUN, draws=5
    )["thresholds"]
    assert found["not_chosen"] == ["HYP"]
    assert found["values"]["HYP"] == 0.5


def test_without_columns_there_are_no_subgroups_and_records_are_resampled():
    plain = [Predictions(labels=p.labels, logits=p.logits) for p in (predictions(0), predictions(1))]
    found = evaluate_predictions(test=plain[0], validation=plain[1], class_names=NAMES, run=RUN, draws=5)
    assert found["subgroups"] == {}
    assert found["intervals"]["resampled"] == "records"
    assert found["data"]["test"]["patients"] is None


def test_only_known_patients_are_counted():
    splits = (predictions(0), predictions(1))
    known, unknown = (
        [Predictions(labels=split.labels, logits=split.logits, patient_ids=ids) for split in splits]
        for ids in ([7, 7, 8] + [None] * 87, [None] * 90)
    )
    found = evaluate_predictions(test=known[0], validation=unknown[1], class_names=NAMES, run=RUN, draws=5)
    test, validation = found["data"]["test"], found["data"]["validation"]
    assert (test["patients"], test["records_without_patient"]) == (2, 87)
    assert (validation["patients"], validation["records_without_patient"]) == (None, 90)
    assert found["intervals"]["resampled"] == "patients"
    found = evaluate_predictions(test=unknown[0], validation=unknown[1], class_names=NAMES, run=RUN, draws=5)
    assert found["intervals"]["resampled"] == "records"


def test_shared_records_or_patients_are_refused():
    with pytest.raises(ValueError, match="share 90 record_ids"):
        evaluate_predictions(test=predictions(0), validation=predictions(1), class_names=NAMES, run=RUN)
    test, validation = predictions(0), predictions(1, first_id=1000)
    validation.patient_ids[0] = "7"
    with pytest.raises(ValueError, match=r"share 1 patient_ids, e.g. \['7'\]; .* split the data by patient"):
        evaluate_predictions(test=test, validation=validation, class_names=NAMES, run=RUN)


@pytest.mark.parametrize("run", [{}, {"dataset": "PTB-XL"}, {"dataset": {"name": "PTB-XL"}}])
def test_the_data_must_be_named(run):
    with pytest.raises(ValueError, match="without its data"):
        evaluate_predictions(
            test=predictions(0), validation=predictions(1, first_id=1000), class_names=NAMES, run=run
        )


def test_files_have_sorted_keys_six_digits_and_no_leftovers(tmp_path):
    path = tmp_path / "metrics.json"
    save_metrics(path, {"b": np.float32(0.1), "a": [np.int64(3), None, True, 1 / 3], "c": {"ü": 1}})
    assert path.read_text(encoding="utf-8").split() == [
        *("{", '"a":', "[", "3,", "null,", "true,", "0.333333", "],"),
        *('"b":', "0.1,", '"c":', "{", '"ü":', "1", "}", "}"),
    ]
    assert [found.name for found in tmp_path.iterdir()] == ["metrics.json"]


def test_a_written_threshold_calls_the_same_records_positive(tmp_path):
    scores = np.array([0.999999, 0.9999992, 0.9999994, 0.9999996])
    labels = np.array([[0], [0], [1], [1]])
    logits = np.log(scores / (1 - scores))[:, None]
    test, validation = (Predictions(labels=labels, logits=logits) for _ in range(2))
    metrics = evaluate_predictions(test=test, validation=validation, class_names=["A"], run=RUN, draws=5)
    save_metrics(tmp_path / "a.json", metrics)
    stored = load_metrics(tmp_path / "a.json")
    limit = stored["thresholds"]["values"]["A"]
    assert stored["test"]["per_class"]["A"]["threshold"] == limit
    assert (test.scores[:, 0] >= limit).tolist() == [False, False, True, True]
    found = classification_metrics(labels, test.scores, class_names=["A"], thresholds=[limit])
    assert found["macro"]["f1"] == stored["test"]["macro"]["f1"] == 1.0


def test_an_external_test_is_measured_with_what_was_chosen_before(metrics):
    run = {"dataset": {"name": "another", "simulated": True}}
    test, validation = predictions(5), predictions(6, first_id=1000)
    given = {"test": test, "validation": validation, "run": run, "draws": 5, "frozen": metrics}
    found = evaluate_predictions(**given, class_names=NAMES)
    limits = list(metrics["thresholds"]["values"].values())
    assert limits != choose_thresholds(validation.labels, validation.scores).tolist()
    assert found["thresholds"] == {**metrics["thresholds"], "chosen_on": "validation of made up"}
    assert found["calibration"]["temperature"] == metrics["calibration"]["temperature"]
    assert found["calibration"]["fitted_on"] == "validation of made up"
    expected = classification_metrics(test.labels, test.scores, class_names=NAMES, thresholds=limits)
    assert found["test"]["macro"]["f1"] == pytest.approx(expected["macro"]["f1"], abs=1e-6)
    assert found["intervals"]["f1"]["macro"]["estimate"] == found["test"]["macro"]["f1"]
    with pytest.raises(ValueError, match=r"frozen thresholds are those of \['NORM', 'MI', 'HYP'\]"):
        evaluate_predictions(**given, class_names=NAMES[::-1])


def test_a_refused_file_leaves_the_old_one(tmp_path):
    path = tmp_path / "metrics.json"
    save_metrics(path, {"a": 1})
    with pytest.raises(ValueError, match="finite"):
        save_metrics(path, {"a": float("nan")})
    with pytest.raises(TypeError, match="ndarray"):
        save_metrics(path, {"a": np.zeros(2)})
    assert json.loads(path.read_text()) == {"a": 1}
    with pytest.raises(ValueError, match="not a metrics file of schema 1"):
        load_metrics(path)
