"""The columns of a dataset of recordings."""

from __future__ import annotations

from datasets import Array2D, Features, List, Value

from .labels import SUPERCLASSES
from .record import STANDARD_LEADS

MICROVOLT_COLUMN = "signal_uv"
MILLIVOLT_COLUMN = "signal"
SIGNAL_COLUMNS: tuple[str, ...] = (MICROVOLT_COLUMN, MILLIVOLT_COLUMN)


def ecg_features(num_samples: int, *, num_labels: int = len(SUPERCLASSES)) -> Features:
    """Return the schema of this project's compact datasets of standard 12-lead recordings.

    Args:
        num_samples: samples per lead, e.g. 1000 for 10 s at 100 Hz.
        num_labels: number of classes of the multi-hot ``labels``.

    Returns:
        Features whose ``signal_uv`` is int16 of shape (12, num_samples) in microvolts, leads in the order
        I, II, III, aVR, aVL, aVF, V1..V6; ``sampling_rate`` is in Hz. ``patient_id``, ``age`` (years) and
        ``sex`` (``"male"`` / ``"female"``) may be null.

    Raises:
        ValueError: if ``num_samples`` or ``num_labels`` is not positive.

    Example:
        >>> ecg_features(1000)["signal_uv"].shape
        (12, 1000)
    """
    if num_samples < 1 or num_labels < 1:
        raise ValueError(f"num_samples={num_samples} and num_labels={num_labels} must both be at least 1")
    return Features(
        {
            MICROVOLT_COLUMN: Array2D((len(STANDARD_LEADS), num_samples), "int16"),
            "labels": List(Value("int8"), length=num_labels),
            "ecg_id": Value("int64"),
            "patient_id": Value("int64"),
            "age": Value("float32"),
            "sex": Value("string"),
            "fold": Value("int8"),
            "sampling_rate": Value("float32"),
        }
    )
