import pytest
from datasets import Dataset

from ssl_ecg_hf.data import ecg_features


def test_columns_and_types() -> None:
    features = ecg_features(250, num_labels=3)
    assert list(features) == [
        "signal_uv", "labels", "ecg_id", "patient_id", "age", "sex", "fold", "sampling_rate",
    ]  # fmt: skip
    assert features["signal_uv"].shape == (12, 250)
    assert features["signal_uv"].dtype == "int16"
    assert features["labels"].length == 3
    dtypes = [features[name].dtype for name in list(features)[2:]]
    assert dtypes == ["int64", "int64", "float32", "string", "int8", "float32"]


def test_nullable_columns_accept_none() -> None:
    row = {
        "signal_uv": [[[0, 1]] * 12], "labels": [[0, 1]], "ecg_id": [1], "patient_id": [None],
        "age": [None], "sex": [None], "fold": [1], "sampling_rate": [100.0],
    }  # fmt: skip
    data = Dataset.from_dict(
        {name: [v[0]] for name, v in row.items()}, features=ecg_features(2, num_labels=2)
    )
    assert data[0]["patient_id"] is None
    assert data[0]["signal_uv"] == [[0, 1]] * 12


@pytest.mark.parametrize(("samples", "labels"), [(0, 5), (-1, 5), (10, 0)])
def test_impossible_sizes_are_refused(samples: int, labels: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ecg_features(samples, num_labels=labels)
