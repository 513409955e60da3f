"""The metrics as a module of the ``evaluate`` library, loaded without network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import evaluate

METRIC_PATH = Path(__file__).with_name("ecg_classification.py")
"""What ``evaluate.load`` takes: the metric module's file."""


def load_metric() -> evaluate.Metric:
    """Return the multi-label ECG metric of this package as an ``evaluate.Metric``.

    ``evaluate.load(str(METRIC_PATH))`` gives the same; neither needs a network.

    Returns:
        A metric whose ``compute(predictions=scores, references=labels, class_names=names)`` gives the numbers
        of :func:`~ssl_ecg_hf.evaluation.metrics.classification_metrics`, flat: ``macro_auroc``,
        ``MI_auroc`` and so on.

    Example:
        >>> metric = load_metric()
        >>> metric.add_batch(predictions=[[0.9], [0.2]], references=[[1], [0]])
        >>> metric.compute(class_names=["MI"])["macro_auroc"]
        1.0
    """
    from ssl_ecg_hf.evaluation.evaluate_metric.ecg_classification import EcgClassification

    return EcgClassification()
