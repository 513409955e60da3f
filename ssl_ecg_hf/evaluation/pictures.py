"""The pictures of an evaluation and of a model card, drawn from the files that hold their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ssl_ecg_hf.evaluation.ecg_plot import COLUMNS, plot_ecg
from ssl_ecg_hf.evaluation.metrics import classification_metrics
from ssl_ecg_hf.evaluation.plots import (
    plot_label_efficiency,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.summary import FEWEST_SEEDS

ROC, PRECISION_RECALL, RELIABILITY = "roc.png", "precision_recall.png", "reliability.png"
EXAMPLE, LABEL_EFFICIENCY = "example_ecg.png", "label_efficiency.png"
SHOWN_FINDINGS = 5
DEFAULT_SEED = 42  # of Transformers' TrainingArguments
# Numbers that no rounded threshold enters.
_COMPARED = ("auroc", "auprc", "brier", "ece", "support")


def check_predictions(test: Predictions, metrics: Mapping[str, Any]) -> None:
    """Refuse predictions that a metrics.json was not computed from.

    Args:
        test: predictions of the test records.
        metrics: content of the metrics.json.

    Raises:
        ValueError: if they give other numbers for any class.
    """
    names = list(metrics["classes"])
    known = metrics["test"]["per_class"]
    if test.labels.shape[1] == len(names):
        found = classification_metrics(test.labels, test.scores, class_names=names)["per_class"]
        different = [
            name for name in names if not all(_agree(found[name][key], known[name][key]) for key in _COMPARED)
        ]
        if not different:
            return
    raise ValueError(
        "the predictions of the test records are not those that metrics.json was computed from; run "
        "ssl-ecg evaluate again, which writes both"
    )


def draw_results(folder: Path, test: Predictions, metrics: Mapping[str, Any]) -> list[str]:
    """Draw ROC, precision-recall and reliability curves.

    Args:
        folder: where to; must exist.
        test: predictions of the test records.
        metrics: content of the metrics.json that they gave.

    Returns:
        Names of the files.

    Raises:
        ValueError: if the two do not belong together.
    """
    check_predictions(test, metrics)
    names = list(metrics["classes"])
    data = metrics["run"]["dataset"]
    simulated = " (simulated)" if data["simulated"] else ""
    shown: dict[str, Any] = {
        "class_names": names,
        "subtitle": f"{len(test):,} test records of {data['name']}{simulated}",
    }
    thresholds = [metrics["thresholds"]["values"][name] for name in names]
    plot_roc(test.labels, test.scores, path=folder / ROC, thresholds=thresholds, **shown)
    plot_precision_recall(
        test.labels, test.scores, path=folder / PRECISION_RECALL, thresholds=thresholds, **shown
    )
    plot_reliability(test.labels, test.scores, path=folder / RELIABILITY, **shown)
    return [ROC, PRECISION_RECALL, RELIABILITY]


def draw_example(
    folder: Path,
    signal_mv: ArrayLike,
    *,
    sampling_rate: float,
    leads: Sequence[str],
    title: str,
    probabilities: Mapping[str, float] | None = None,
) -> str:
    """Draw a recording on ECG paper with what a model says of it.

    Args:
        folder: where to; must exist.
        signal_mv: (leads, samples) in mV.
        sampling_rate: Hz.
        leads: one name a row.
        title: what the recording is.
        probabilities: class -> probability; the highest are printed below the recording.

    Returns:
        Name of the file.
    """
    ranked = sorted((probabilities or {}).items(), key=lambda item: -item[1])
    note = ", ".join(f"{name} {value:.2f}" for name, value in ranked[:SHOWN_FINDINGS])
    twelve = {lead for column in COLUMNS for lead in column}
    plot_ecg(
        signal_mv,
        sampling_rate=sampling_rate,
        leads=leads,
        path=folder / EXAMPLE,
        title=title,
        layout="3x4" if twelve <= set(leads) else "rows",
        note=f"Model: {note}" if note else "",
    )
    return EXAMPLE


def find_run(summary: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a table of experiments that a run is part of.

    Args:
        summary: content of the summary.json that ``ssl-ecg reproduce`` wrote.
        metrics: content of the run's metrics.json.

    Returns:
        One of ``summary["rows"]``.

    Raises:
        ValueError: if no run of the table has the run's share of labels, seed and results.
    """
    run, test = metrics["run"], metrics["test"]
    fraction = run.get("labels", {}).get("fraction")
    # What equals its default is not recorded.
    seed = run.get("arguments", {}).get("seed", DEFAULT_SEED)
    for row in summary["rows"]:
        pairs = zip(row["seeds"], row["test_auroc"]["values"], row["test_auprc"]["values"], strict=True)
        if row["label_fraction"] == fraction and any(
            member == seed and _agree(auroc, test["macro"]["auroc"]) and _agree(auprc, test["macro"]["auprc"])
            for member, auroc, auprc in pairs
        ):
            return dict(row)
    raise ValueError(
        f"the table of experiments has no run with label fraction {fraction}, seed {seed} and a macro AUROC "
        f"of {test['macro']['auroc']}; give the summary.json of the table that this checkpoint belongs to"
    )


def draw_label_efficiency(folder: Path, summary: Mapping[str, Any]) -> str:
    """Draw the macro AUROC of each method of a table of experiments against the share of labels.

    Args:
        folder: where to; must exist.
        summary: content of the table's summary.json.

    Returns:
        Name of the file.
    """
    rows = [
        {
            "method": row["method"],
            "fraction": row["label_fraction"],
            "value": row["test_auroc"]["mean"],
            # Student's t of two seeds says next to nothing and would be all there is to see.
            "low": row["test_auroc"]["low"] if len(row["seeds"]) >= FEWEST_SEEDS else None,
            "high": row["test_auroc"]["high"] if len(row["seeds"]) >= FEWEST_SEEDS else None,
        }
        for row in summary["rows"]
    ]
    plot_label_efficiency(rows, path=folder / LABEL_EFFICIENCY, metric="Test macro AUROC")
    return LABEL_EFFICIENCY


def _agree(found: float | None, known: float | None) -> bool:
    """Whether two numbers are the same up to the six digits of metrics.json."""
    if found is None or known is None:
        return found is known
    return math.isclose(found, known, rel_tol=2e-5, abs_tol=1e-9)
