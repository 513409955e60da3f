from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import Array2D, Dataset, Features, List, Value, concatenate_datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from ssl_ecg_hf.data import SignalTable, ecg_features


def microvolts(count: int, samples: int = 6) -> np.ndarray:
    return np.arange(count * 12 * samples, dtype=np.int16).reshape(count, 12, samples)


def dataset(count: int = 10, start: int = 0) -> Dataset:
    rows = {
        "signal_uv": microvolts(start + count)[start:],
        "labels": [[k % 2, 1, 0] for k in range(start, start + count)],
        "ecg_id": list(range(start, start + count)),
        "patient_id": [None if k % 3 == 0 else k for k in range(start, start + count)],
        "age": [None if k % 4 == 0 else float(k) for k in range(start, start + count)],
        "sex": ["male"] * count,
        "fold": [1] * count,
        "sampling_rate": [100.0] * count,
    }
    return Dataset.from_dict(rows, features=ecg_features(6, num_labels=3))


def identity(batch: Any) -> Any:
    return batch


def test_batch_holds_the_asked_rows_in_order() -> None:
    table = SignalTable(dataset(), columns=("labels", "ecg_id"))
    batch = table.__getitems__([7, 0, -1, 7])
    assert len(table) == 10
    assert table.signal_shape == (12, 6)
    assert batch["signal_uv"].dtype == np.int16
    assert np.array_equal(batch["signal_uv"], microvolts(10)[[7, 0, 9, 7]])
    assert batch["ecg_id"].tolist() == [7, 0, 9, 7]
    assert batch["labels"].tolist() == [[1, 1, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0]]


def test_single_row() -> None:
    row = SignalTable(dataset(), columns=("ecg_id",))[3]
    assert row["signal_uv"].shape == (12, 6)
    assert row["ecg_id"] == 3


def test_missing_values_never_equal_each_other() -> None:
    table = SignalTable(dataset(7), columns=("patient_id", "age"))
    assert table.column("patient_id").tolist() == [-1, 1, 2, -4, 4, 5, -7]
    assert np.array_equal(table.column("age"), [np.nan, 1, 2, 3, np.nan, 5, 6], equal_nan=True)


def test_negative_numbers_beside_missing_ones_are_refused() -> None:
    data = Dataset.from_dict({"signal": [[[0.0]]] * 2, "patient_id": [-1, None]})
    with pytest.raises(ValueError, match="both negative and missing"):
        SignalTable(data, columns=("patient_id",))


@settings(max_examples=30, deadline=None)
@given(
    keep=st.lists(st.integers(0, 11), min_size=1, max_size=20),
    seed=st.integers(0, 99),
    cut=st.integers(0, 11),
)
def test_any_selection_of_any_chunks_reads_as_datasets_itself_does(
    keep: list[int], seed: int, cut: int
) -> None:
    parts = [dataset(5), dataset(4, start=5), dataset(3, start=9)]
    data = concatenate_datasets(parts).select(keep).shuffle(seed=seed)
    data = data.select(range(min(cut, len(data) - 1), len(data)))
    batch = SignalTable(data, columns=("ecg_id", "labels")).__getitems__(range(len(data)))
    assert batch["ecg_id"].tolist() == list(data["ecg_id"])
    assert batch["labels"].tolist() == list(data["labels"])
    assert np.array_equal(batch["signal_uv"], microvolts(12)[batch["ecg_id"]])


@pytest.mark.parametrize(
    ("feature", "dtype"),
    [
        (Array2D((2, 3), "float32"), np.float32),
        (Array2D((2, 3), "float64"), np.float32),
        (List(List(Value("float32"))), np.float32),
        (List(List(Value("float64"))), np.float32),
        (List(List(Value("float32"), length=3), length=2), np.float32),
        (List(Value("float32"), length=3), None),
    ],
    ids=["array32", "array64", "list32", "list64", "fixed", "one-dimensional"],
)
def test_layouts_of_millivolts(feature: Any, dtype: type | None) -> None:
    values = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 2, 3)
    if dtype is None:
        data = Dataset.from_dict({"signal": values[:, 0].tolist()}, features=Features({"signal": feature}))
        with pytest.raises(ValueError, match=r"expected numbers of shape \(leads, samples\)"):
            SignalTable(data)
        return
    data = Dataset.from_dict({"signal": values.tolist()}, features=Features({"signal": feature}))
    for selected, rows in ((data, [3, 1]), (data.select([2, 1, 3]), [2, 1])):
        batch = SignalTable(selected).__getitems__(rows)["signal"]
        expected = values[rows] if selected is data else values[[2, 1, 3]][rows]
        assert batch.dtype == dtype
        assert np.array_equal(batch, expected)


def test_wider_microvolts_are_delivered_as_int32() -> None:
    batch = SignalTable(Dataset.from_dict({"signal_uv": [[[40_000, -40_000]]]})).__getitems__([0])
    assert batch["signal_uv"].dtype == np.int32
    assert batch["signal_uv"].tolist() == [[[40_000, -40_000]]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"signal": [[[0.0, 1.0]], [[0.0]]]}, r"rows of \[1, 2\] samples"),
        ({"signal": [[[0.0]], [[0.0], [1.0]]]}, r"rows of \[1, 2\] leads"),
        ({"signal": [[[0.0]], None]}, r"is empty in 1 row"),
        ({"signal": [[[0.0, None]]]}, r"1 missing samples"),
        ({"signal": [[["a"]]]}, r"expected numbers"),
        ({"signal": [1.0]}, r"expected numbers of shape"),
        ({"signal_uv": [[[0.5]]]}, r"microvolts are stored as integers"),
        ({"signal": [[[0.5]]], "signal_uv": [[[1]]]}, r"has both of the signal columns"),
        ({"ecg": [[[0.5]]]}, r"none of the signal columns .* \(columns: \['ecg'\]\)"),
    ],
)
def test_unsuitable_columns_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SignalTable(Dataset.from_dict(columns))


def test_uneven_chunks_are_refused() -> None:
    parts = [Dataset.from_dict({"signal": [[[0.0] * length]]}) for length in (2, 3)]
    with pytest.raises(ValueError, match=r"different shapes .*\(1, 2\), \(1, 3\)"):
        SignalTable(concatenate_datasets(parts))


@pytest.mark.parametrize(("name", "message"), [("sex", "holds string"), ("site", r"no column 'site'")])
def test_further_columns_must_be_there_and_numeric(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SignalTable(dataset(), columns=(name,))


def test_labels_of_uneven_length_are_refused() -> None:
    data = Dataset.from_dict({"signal": [[[0.0]]] * 2, "labels": [[1], [1, 0]]})
    with pytest.raises(ValueError, match="lists of different lengths"):
        SignalTable(data, columns=("labels",))


@pytest.mark.parametrize("index", [10, -11])
def test_outside_of_the_table(index: int) -> None:
    with pytest.raises(IndexError, match="outside of 10 recordings"):
        SignalTable(dataset()).__getitems__([0, index])


def test_an_empty_dataset_has_no_recordings() -> None:
    table = SignalTable(dataset().select([]), columns=("labels",))
    assert len(table) == 0
    assert table.__getitems__([])["signal_uv"].shape[0] == 0


def test_memory_mapped_table_is_pickled_as_a_path(tmp_path: Any) -> None:
    dataset(200).save_to_disk(tmp_path / "d")
    table = SignalTable(Dataset.load_from_disk(tmp_path / "d").shuffle(seed=0), columns=("ecg_id",))
    pickled = pickle.dumps(table)
    assert len(pickled) < 12_000 < 200 * 12 * 6 * 2
    copy = pickle.loads(pickled)  # noqa: S301 - our own bytes
    for name, values in table.__getitems__([5, 150]).items():
        assert np.array_equal(copy.__getitems__([5, 150])[name], values)


def test_signals_are_not_loaded_into_memory(tmp_path: Any) -> None:
    dataset(300).save_to_disk(tmp_path / "d")
    data = Dataset.load_from_disk(tmp_path / "d").shuffle(seed=0)
    before = pa.total_allocated_bytes()
    table = SignalTable(data, columns=("labels",))
    assert pa.total_allocated_bytes() - before < 300 * 12 * 6 * 2 / 10
    batch = table.__getitems__([0, 1])["signal_uv"]
    batch[:] = 0  # a batch is the caller's own, the stored signal stays
    assert table[0]["signal_uv"].any()


def test_whole_batches_through_a_data_loader() -> None:
    loader: DataLoader[Any] = DataLoader(
        SignalTable(dataset(10), columns=("ecg_id",)), batch_size=4, collate_fn=identity
    )
    batches = list(loader)
    assert [len(batch["signal_uv"]) for batch in batches] == [4, 4, 2]
    assert np.concatenate([batch["ecg_id"] for batch in batches]).tolist() == list(range(10))


def test_a_transform_is_refused_and_other_formats_are_not() -> None:
    data = dataset()
    transformed = data.with_transform(lambda batch: {"signal_uv": [0] * len(batch["signal_uv"])})
    with pytest.raises(ValueError, match=r"has a transform .*ignored.*Apply it with Dataset\.map"):
        SignalTable(transformed)
    for formatted in (data.with_format("numpy"), data.with_format("torch"), transformed.with_format(None)):
        batch = SignalTable(formatted).__getitems__([1])
        np.testing.assert_array_equal(batch["signal_uv"], microvolts(10)[1:2])
