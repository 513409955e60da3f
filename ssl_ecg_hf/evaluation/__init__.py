"""Predictions -> metrics.json: metrics, statistics and plots; the only source of numbers."""

from ssl_ecg_hf.evaluation.bootstrap import (
    BootstrapResult,
    Interval,
    PairedComparison,
    bootstrap,
    paired_bootstrap,
)
from ssl_ecg_hf.evaluation.calibration import (
    ReliabilityCurve,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_curves,
)
from ssl_ecg_hf.evaluation.evaluate_metric import load_metric
from ssl_ecg_hf.evaluation.metrics import choose_thresholds, classification_metrics, macro_auroc
from ssl_ecg_hf.evaluation.predictions import Predictions, load_predictions, save_predictions
from ssl_ecg_hf.evaluation.report import evaluate_predictions, load_metrics, save_metrics
from ssl_ecg_hf.evaluation.representation import (
    LinearProbe,
    alignment,
    effective_rank,
    knn_probe,
    linear_probe,
    normalized_std,
    uniformity,
)
from ssl_ecg_hf.evaluation.run_information import run_information
from ssl_ecg_hf.evaluation.seeds import (
    SeedComparison,
    SeedSummary,
    cohens_d_paired,
    compare_seeds,
    holm,
    summarize_seeds,
)
from ssl_ecg_hf.evaluation.weighted import (
    WeightedMetric,
    resampled,
    weighted_auprc,
    weighted_auroc,
    weighted_f1,
)

__all__ = [
    "BootstrapResult",
    "Interval",
    "LinearProbe",
    "PairedComparison",
    "Predictions",
    "ReliabilityCurve",
    "SeedComparison",
    "SeedSummary",
    "WeightedMetric",
    "alignment",
    "apply_temperature",
    "bootstrap",
    "choose_thresholds",
    "classification_metrics",
    "cohens_d_paired",
    "compare_seeds",
    "effective_rank",
    "evaluate_predictions",
    "expected_calibration_error",
    "fit_temperature",
    "holm",
    "knn_probe",
    "linear_probe",
    "load_metric",
    "load_metrics",
    "load_predictions",
    "macro_auroc",
    "normalized_std",
    "paired_bootstrap",
    "reliability_curves",
    "resampled",
    "run_information",
    "save_metrics",
    "save_predictions",
    "summarize_seeds",
    "uniformity",
    "weighted_auprc",
    "weighted_auroc",
    "weighted_f1",
]
