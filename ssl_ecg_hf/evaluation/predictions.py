"""What a model said about a set of records, in memory and as an ``.npz`` file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ssl_ecg_hf.evaluation.checks import check_labels, check_same_shape
from ssl_ecg_hf.files import replacing

_REQUIRED = ("labels", "logits")
_TEXT = ("patient_ids", "record_ids", "sex")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Labels and logits of a set of records, with what is known about each.

    Text columns become string arrays in which the empty string is a missing value, ages float64 with NaN for
    a missing one; None, NaN and the empty string may be given for missing values. A text column in which all
    are missing becomes None.

    Args:
        labels: (records, classes), 0 or 1.
        logits: (records, classes), before the sigmoid.
        patient_ids: one a record.
        record_ids: one a record.
        age: (records,), years.
        sex: one a record, ``"male"`` or ``"female"``.

    Raises:
        ValueError: if a column does not fit the labels.
    """

    labels: NDArray[Any]
    logits: NDArray[Any]
    patient_ids: Sequence[Any] | NDArray[Any] | None = None
    record_ids: Sequence[Any] | NDArray[Any] | None = None
    age: Sequence[Any] | NDArray[Any] | None = None
    sex: Sequence[Any] | NDArray[Any] | None = None

    def __post_init__(self) -> None:
        labels = check_labels(self.labels)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "logits", check_same_shape(labels, self.logits, name="logits"))
        for name in _TEXT:
            object.__setattr__(self, name, _text_column(getattr(self, name), records=len(labels), name=name))
        if self.age is not None:
            age = np.array([np.nan if value is None else value for value in self.age], dtype=np.float64)
            object.__setattr__(self, "age", _checked_length(age, records=len(labels), name="age"))
        if self.sex is not None and (unknown := set(np.asarray(self.sex).tolist()) - {"male", "female", ""}):
            raise ValueError(f"sex holds {sorted(unknown)}; expected 'male', 'female' or None")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def scores(self) -> NDArray[np.float64]:
        """Probabilities: sigmoid of the logits, (records, classes) in [0, 1]."""
        return np.asarray(expit(self.logits))


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions to an ``.npz`` file of plain arrays (nothing in it is pickled).

    Args:
        path: file to write; its folder must exist.
        predictions: what to write; columns that are None are left out.
    """
    columns = {name: getattr(predictions, name) for name in Predictions.__dataclass_fields__}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{name: column for name, column in columns.items() if column is not None})


def load_predictions(path: str | Path) -> Predictions:
    """Read what :func:`save_predictions` wrote.

    Args:
        path: the ``.npz`` file.

    Returns:
        The predictions.

    Raises:
        ValueError: if the file lacks labels or logits, or holds columns that are not known.
    """
    with np.load(Path(path), allow_pickle=False) as file:
        columns = {name: file[name] for name in file.files}
    missing = set(_REQUIRED) - set(columns)
    unknown = set(columns) - set(Predictions.__dataclass_fields__)
    if missing or unknown:
        raise ValueError(
            f"{Path(path).name} lacks {sorted(missing)} and holds unknown {sorted(unknown)}; "
            "expected a file written by save_predictions"
        )
    return Predictions(**columns)


def save_logits(path: str | Path, predictions: Predictions) -> None:
    """Write the logits of predictions with the records they belong to, and nothing else about the records.

    Args:
        path: ``.npz`` file to write; its folder must exist.
        predictions: with `record_ids`.
    """
    if predictions.record_ids is None:
        raise ValueError("logits without record_ids cannot be matched with their records again")
    with replacing(path) as temporary, temporary.open("wb") as file:
        logits = np.asarray(predictions.logits, dtype=np.float32)
        np.savez_compressed(file, logits=logits, record_ids=np.asarray(predictions.record_ids))


def load_logits(path: str | Path, record_ids: Sequence[Any]) -> NDArray[np.float32]:
    """Read what :func:`save_logits` wrote.

    Args:
        path: the file.
        record_ids: the records that are wanted, in this order.

    Returns:
        (records, classes).

    Raises:
        ValueError: if the file is about other records.
    """
    with np.load(Path(path), allow_pickle=False) as file:
        logits, stored = file["logits"], file["record_ids"].tolist()
    if stored != [_text(value) for value in record_ids]:
        raise ValueError(
            f"{path} holds logits of {len(stored)} records, these are {len(record_ids)} others: the data "
            "differ from those it was made with; write to another folder (--results), or remove the file to "
            "run its experiment again"
        )
    return np.asarray(logits)


def _text_column(
    values: Sequence[Any] | NDArray[Any] | None, *, records: int, name: str
) -> NDArray[np.str_] | None:
    if values is None:
        return None
    texts = np.array([_text(value) for value in values], dtype=np.str_)
    column = _checked_length(texts, records=records, name=name)
    return column if (column != "").any() else None


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    # A column of integers with gaps often arrives as floats: 17.0 and 17 are one patient.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _checked_length(column: NDArray[Any], *, records: int, name: str) -> NDArray[Any]:
    if column.shape != (records,):
        raise ValueError(
            f"{name} has shape {column.shape} for {records} records; expected one value a record"
        )
    return column
