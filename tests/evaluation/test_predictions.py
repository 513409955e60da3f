import numpy as np
import pytest

from ssl_ecg_hf.evaluation.predictions import (
    Predictions,
    load_logits,
    load_predictions,
    save_logits,
    save_predictions,
)

LABELS = [[1, 0], [0, 1], [0, 0]]
LOGITS = [[2.0, -1.0], [0.0, 1.5], [-3.0, -2.0]]


def test_missing_values_become_empty_text_and_nan():
    found = Predictions(
        labels=LABELS,
        logits=LOGITS,
        patient_ids=[17.0, float("nan"), None],
        age=[60, None, 300.0],
        sex=["male", None, ""],
    )
    assert found.patient_ids.tolist() == ["17", "", ""]
    assert found.age[0] == 60
    assert np.isnan(found.age[1])
    assert found.sex.tolist() == ["male", "", ""]
    assert found.record_ids is None
    assert len(found) == 3


def test_a_column_without_any_value_is_none():
    found = Predictions(labels=LABELS, logits=LOGITS, patient_ids=[None] * 3, sex=["", None, float("nan")])
    assert found.patient_ids is None
    assert found.sex is None


def test_whole_floats_and_integers_name_the_same_patient():
    ids = [Predictions(labels=LABELS, logits=LOGITS, patient_ids=ids).patient_ids.tolist() for ids in
           ([1, 2, 3], np.array([1, 2, 3]), np.array([1.0, 2.0, 3.0]), ["1", "2", "3"])]  # fmt: skip
    assert ids == [["1", "2", "3"]] * 4


def test_scores_are_sigmoids():
    found = Predictions(labels=LABELS, logits=LOGITS)
    assert found.scores[0] == pytest.approx([0.880797, 0.268941], abs=1e-6)
    assert found.scores[1, 0] == 0.5


def test_a_file_gives_back_what_was_written(tmp_path):
    written = Predictions(labels=LABELS, logits=LOGITS, record_ids=["a", "b", "ü"], age=[1.5, None, 90])
    save_predictions(tmp_path / "test.npz", written)
    read = load_predictions(tmp_path / "test.npz")
    assert read.labels.tolist() == LABELS
    assert read.logits.tolist() == LOGITS
    assert read.record_ids.tolist() == ["a", "b", "ü"]
    assert np.array_equal(read.age, written.age, equal_nan=True)
    assert read.patient_ids is None
    assert read.sex is None
    assert [path.name for path in tmp_path.iterdir()] == ["test.npz"]


def test_foreign_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", labels=LABELS, scores=LOGITS)
    with pytest.raises(ValueError, match=r"lacks \['logits'\] and holds unknown \['scores'\]"):
        load_predictions(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", labels=np.array([{"a": 1}], dtype=object), logits=LOGITS)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_predictions(tmp_path / "pickled.npz")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"patient_ids": [1, 2]}, "patient_ids has shape"),
        ({"age": [1, 2]}, "age has shape"),
        ({"sex": ["male", "f", ""]}, r"sex holds \['f'\]"),
        ({"logits": [[1.0, 2.0]]}, "logits have shape"),
        ({"logits": np.full((3, 2), np.inf)}, "NaN or infinite"),
    ],
)
def test_columns_must_fit(column, message):
    with pytest.raises(ValueError, match=message):
        Predictions(**({"labels": LABELS, "logits": LOGITS} | column))


def test_logits_are_kept_without_anything_else_about_the_records(tmp_path):
    predictions = Predictions(
        labels=np.eye(2, dtype=int),
        logits=[[0.5, -1.0], [2.0, 3.25]],
        record_ids=[7, 9],
        patient_ids=["a", "b"],
    )
    save_logits(tmp_path / "x.npz", predictions)
    with np.load(tmp_path / "x.npz") as file:
        assert sorted(file.files) == ["logits", "record_ids"]
    assert load_logits(tmp_path / "x.npz", [7, 9]).tolist() == [[0.5, -1.0], [2.0, 3.25]]
    with pytest.raises(ValueError, match=r"x.npz holds logits of 2 records, these are 2 others"):
        load_logits(tmp_path / "x.npz", [9, 7])


def test_logits_without_record_ids_are_refused(tmp_path):
    with pytest.raises(ValueError, match="logits without record_ids"):
        save_logits(tmp_path / "x.npz", Predictions(labels=[[0, 1]], logits=[[0.0, 1.0]]))
    assert list(tmp_path.iterdir()) == []
