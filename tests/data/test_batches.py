from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ssl_ecg_hf.data.batches import collate, to_millivolts


def test_a_batch_of_arrays_keeps_type_and_values() -> None:
    arrays = {"signal_uv": np.array([[[1, -2]]], dtype=np.int16), "labels": np.array([[0, 1]], dtype=np.int8)}
    tensors = collate(arrays)
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {
        "signal_uv": torch.int16,
        "labels": torch.int8,
    }
    assert tensors["signal_uv"].tolist() == [[[1, -2]]]


def test_rows_are_stacked_without_their_other_columns() -> None:
    rows = [{"signal": [[0.5, 1.5]], "labels": [1, 0], "name": "a", "age": 3} for _ in range(3)]
    tensors = collate(rows)
    assert set(tensors) == {"signal", "labels"}
    assert tensors["signal"].shape == (3, 1, 2)
    assert tensors["labels"].tolist() == [[1, 0]] * 3


def test_rows_of_different_shapes_are_refused_by_name() -> None:
    short, long = np.zeros((1, 1)), np.zeros((1, 2))
    message = (
        r"column 'signal' has rows of different shapes in one batch: \[\(1, 1\), \(1, 2\)\].*crop or pad"
    )
    with pytest.raises(ValueError, match=message):
        collate([{"signal": short}, {"signal": long}, {"signal": short}])
    with pytest.raises(ValueError, match=r"column 'labels' has rows of different shapes.*\[\(1,\), \(2,\)\]"):
        collate([{"signal": short, "labels": [0]}, {"signal": short, "labels": [0, 1]}])


@given(hnp.arrays(np.int16, st.tuples(*[st.integers(1, 4)] * 3)))
def test_microvolts_become_millivolts(microvolts: np.ndarray[Any, np.dtype[np.int16]]) -> None:
    signal = to_millivolts(collate({"signal_uv": microvolts}))
    assert signal.dtype == torch.float32
    np.testing.assert_allclose(signal.numpy(), microvolts / 1000, rtol=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_millivolts_stay(kind: torch.dtype) -> None:
    signal = to_millivolts({"signal": torch.tensor([[[0.5, -0.25]]], dtype=kind)})
    assert signal.dtype == torch.float32
    assert signal.tolist() == [[[0.5, -0.25]]]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"ecg": torch.zeros(1, 1, 1)}, r"the batch has columns \['ecg'\]; expected 'signal' \(floats"),
        ({"signal": torch.zeros(1, 1, 1, dtype=torch.int16)}, "the signals are torch.int16; integers in"),
        ({"signal_uv": torch.zeros(1, 1, 1)}, "the signals are torch.float32"),
    ],
)
def test_other_numbers_are_refused(batch: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_millivolts(batch)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_samples_are_refused(value: float) -> None:
    signal = np.ones((2, 3, 4), dtype=np.float32)
    signal[1, 2, :2] = value
    with pytest.raises(ValueError, match="2 samples in a batch of recordings are NaN or infinite"):
        collate({"signal": signal})
    with pytest.raises(ValueError, match="2 samples"):
        collate([{"signal": row} for row in signal])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 2**62 + 1], [3, 2**62 + 1]),
        ([3, None], [3, -1]),
        ([np.int64(3), np.float64("nan")], [3, -1]),
        ([12.0, 2.0**53 - 1], [12, 2**53 - 1]),
        ([None, None], [-1, -1]),
    ],
)
def test_integers_of_rows_may_be_missing(values: list[Any], expected: list[int]) -> None:
    rows = [{"signal": [[0.5]], "id": value, "age": 50} for value in values]
    batch = collate(rows, integers=["id"])
    assert set(batch) == {"signal", "id"}
    assert batch["id"].dtype == torch.int64
    assert batch["id"].tolist() == expected


@pytest.mark.parametrize(
    "values", [["a", "b"], [0.5, 1.0], [np.inf, 1.0], [2.0**53, 1.0], np.array([2.0**24, 1.0], np.float32)]
)
@pytest.mark.parametrize("form", ["rows", "arrays"])
def test_what_is_no_exact_integer_is_refused(values: Any, form: str) -> None:
    rows = [{"id": value} for value in values]
    batch = rows if form == "rows" else {"id": np.asarray(values)}
    with pytest.raises(ValueError, match=r"column 'id' holds .*; expected integers, each exact"):
        collate(batch, integers=["id"])


@pytest.mark.parametrize("batch", [{"signal": np.zeros((1, 1, 1))}, [{"signal": [[0.0]], "age": 3}]])
def test_an_absent_column_of_integers_is_named(batch: Any) -> None:
    with pytest.raises(ValueError, match=r"no column \['patient_id'\].*'signal'\]"):
        collate(batch, integers=["patient_id"])
