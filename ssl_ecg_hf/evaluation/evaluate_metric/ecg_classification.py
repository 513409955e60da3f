"""Multi-label ECG classification metrics as an ``evaluate.Metric``.

The evaluate library reads the imports of this file with a regular expression: one import a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from ssl_ecg_hf.evaluation.metrics import classification_metrics

_DESCRIPTION = (
    "Macro and per-class AUROC, AUPRC, F1, sensitivity, specificity, Brier score and calibration error."
)
_INPUTS = """
Args:
    predictions: (records, classes), probabilities in [0, 1].
    references: (records, classes), 0 or 1.
    class_names: one name a class; class_0, class_1, ... if not given.
    thresholds: (classes,) in [0, 1]; 0.5 if not given.

Returns:
    A flat dict: records, macro_<metric> and <class>_<metric>; None where a metric is undefined.
"""


class EcgClassification(evaluate.Metric):
    """Multi-label ECG metrics; see :func:`ssl_ecg_hf.evaluation.evaluate_metric.load_metric`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Sequence(datasets.Value("int64")),
                }
            ),
        )

    def _compute(
        self,
        predictions: Sequence[Sequence[float]],
        references: Sequence[Sequence[int]],
        class_names: Sequence[str] | None = None,
        thresholds: Sequence[float] | None = None,
    ) -> dict[str, Any]:
        names = class_names or [f"class_{index}" for index in range(len(references[0]))]
        metrics = classification_metrics(references, predictions, class_names=names, thresholds=thresholds)
        flat: dict[str, Any] = {"records": metrics["records"]}
        flat |= {f"macro_{key}": value for key, value in metrics["macro"].items()}
        for name, values in metrics["per_class"].items():
            flat |= {f"{name}_{key}": value for key, value in values.items()}
        return flat
