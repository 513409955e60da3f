"""How a classifier stands up to bad recordings: what each way of being bad costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor

from ssl_ecg_hf.data.record import standard_lead_name
from ssl_ecg_hf.data.signals import numeric_column
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.evaluation.bootstrap import CONFIDENCE, DRAWS, paired_bootstrap
from ssl_ecg_hf.evaluation.degradations import (
    CONDITIONS,
    Clean,
    Condition,
    Mask,
    NotApplicableError,
    Recording,
    Signal,
)
from ssl_ecg_hf.evaluation.inference import over_dataset, require_labelled
from ssl_ecg_hf.evaluation.metrics import classification_metrics
from ssl_ecg_hf.evaluation.predictions import Predictions

SCHEMA = 1
"""Version of the layout of robustness.json."""


def predict_under(
    condition: Condition,
    model: Any,
    dataset: Dataset,
    *,
    seed: int = 0,
    batch_size: int = 256,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Classify recordings under a condition, in evaluation mode and float32.

    Args:
        condition: what is done to each recording first, all of it where it is longer than the model's window.
        model: a classifier; its mode is restored afterwards.
        dataset: with a signal column. A recording's randomness comes from the seed and its ``ecg_id``, or its
            place in the dataset where there is no such column.
        seed: of all randomness, 0 or more.
        batch_size: windows per forward pass; a recording no longer than the model's window is one.
        progress: whether to show a progress bar, on a terminal.

    Returns:
        logits (recordings, labels).

    Raises:
        NotApplicableError: if the condition makes no sense for the model's leads or sampling rate.
        ValueError: if the recordings do not fit the model.
    """
    has_ids = "ecg_id" in dataset.column_names
    numbers = numeric_column(dataset, "ecg_id") if has_ids else np.arange(len(dataset))
    leads = tuple(standard_lead_name(name) for name in model.config.leads)
    rate = float(model.config.sampling_rate)

    def change_one(signal: NDArray[np.float32], number: int) -> tuple[Signal, Mask | None]:
        rng = np.random.default_rng([seed, int(number) % 2**64])  # a missing id is negative
        signal_mv = signal.astype(np.float64)
        return condition(Recording(signal=signal_mv, leads=leads, sampling_rate=rate, rng=rng))

    def change(signals: Tensor, rows: range) -> tuple[Tensor, Tensor | None]:
        pairs = zip(signals.numpy(), numbers[rows].tolist(), strict=True)
        changed = [change_one(*pair) for pair in pairs]
        batch = torch.from_numpy(np.stack([signal for signal, _ in changed]).astype(np.float32))
        masks = [mask for _, mask in changed if mask is not None]
        return batch, torch.from_numpy(np.stack(masks)) if masks else None

    return over_dataset(
        lambda windows, mask: model(windows, lead_mask=mask).logits,
        model,
        dataset,
        batch_size=batch_size,
        description=condition.name,
        progress=progress,
        change=change,
    )


def measure_robustness(
    model: Any,
    dataset: Dataset,
    *,
    seed: int = 0,
    batch_size: int = 256,
    conditions: Mapping[str, Condition] = CONDITIONS,
    draws: int = DRAWS,
    progress: bool = False,
) -> dict[str, Any]:
    """Measure what bad recordings cost a classifier.

    Args:
        model: a classifier of any leads and sampling rate.
        dataset: recordings that nothing was chosen on; those without a label are left out.
        seed: of the conditions and of the bootstrap, 0 or more.
        batch_size: windows per forward pass.
        conditions: by name; ``"clean"``, which all are compared with, is measured first in any case.
        draws: of the bootstrap.
        progress: whether to show a progress bar for each condition, on a terminal.

    Returns:
        What robustness.json holds: ``schema``, ``classes``, ``records``, ``seed``, ``draws``, ``confidence``,
        ``resampled`` (``"patients"`` or ``"records"``); ``conditions``, a list in order with ``name``,
        ``group``, ``label``, ``records``, ``macro_auroc``, ``auroc`` of each class (None where undefined) and
        ``difference`` of the macro AUROC from clean (``estimate``, and ``low`` and ``high`` of its paired
        bootstrap interval; None for clean itself); ``left_out``: condition -> why.

    Raises:
        ValueError: if no recording has a label or the recordings do not fit the model.

    Reference:
        Moody, Muldrow and Mark, A noise stress test for arrhythmia detectors, Computers in Cardiology 11,
        1984.
    """
    known = require_labelled(dataset)
    labels = dataset_labels(known)
    names = [model.config.id2label[index] for index in range(model.config.num_labels)]
    patients = list(known["patient_id"]) if "patient_id" in known.column_names else None

    def predictions(condition: Condition) -> Predictions:
        logits = predict_under(condition, model, known, seed=seed, batch_size=batch_size, progress=progress)
        return Predictions(labels=labels, logits=logits, patient_ids=patients)

    clean = predictions(Clean())
    measured = [{"name": "clean", **_describe(Clean(), clean, names), "difference": None}]
    left_out = {}
    for name, condition in conditions.items():
        if isinstance(condition, Clean):
            continue
        try:
            found = predictions(condition)
        except NotApplicableError as reason:
            left_out[name] = str(reason)
            continue
        compared = paired_bootstrap(
            clean.labels,
            found.scores,
            clean.scores,
            patient_ids=clean.patient_ids,
            draws=draws,
            generator=np.random.default_rng(seed),
        )
        difference = compared.difference.to_dict()
        measured.append({"name": name, **_describe(condition, found, names), "difference": difference})
    return {
        "schema": SCHEMA,
        "classes": names,
        "records": len(known),
        "seed": seed,
        "draws": draws,
        "confidence": CONFIDENCE,
        "resampled": "records" if clean.patient_ids is None else "patients",
        "conditions": measured,
        "left_out": left_out,
    }


def _describe(condition: Condition, found: Predictions, names: Sequence[str]) -> dict[str, Any]:
    metrics = classification_metrics(found.labels, found.scores, class_names=names)
    return {
        "group": condition.group,
        "label": condition.label,
        "records": metrics["records"],
        "macro_auroc": metrics["macro"]["auroc"],
        "auroc": {name: values["auroc"] for name, values in metrics["per_class"].items()},
    }
