"""Several runs of several methods -> one table: seeds, intervals, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ssl_ecg_hf.evaluation.bootstrap import paired_bootstrap
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.seeds import cohens_d_paired, holm, summarize_seeds
from ssl_ecg_hf.evaluation.weighted import weighted_auroc


@dataclass(frozen=True, kw_only=True)
class Run:
    """One trained and evaluated model.

    Args:
        method: row of the table.
        label_fraction: share of the labels it was trained on.
        seed: of labels and training.
        metrics: content of its metrics.json.
        test: its predictions on the test split.
    """

    method: str
    label_fraction: float
    seed: int
    metrics: Mapping[str, Any]
    test: Predictions


def summarize(
    runs: Sequence[Run], comparisons: Sequence[tuple[str, str]], *, seed: int = 0
) -> dict[str, Any]:
    """Summarise runs by method and label fraction, and compare methods.

    Args:
        runs: all finished runs.
        comparisons: pairs (method, control); compared at every label fraction, over the seeds that both have.
        seed: of the bootstrap.

    Returns:
        `"rows"`: per method and label fraction the seeds, mean, standard deviation and Student-t interval of
        the test macro AUROC over seeds, the same of validation, of F1 at the frozen thresholds and of AUPRC.
        `"comparisons"`: difference of macro AUROC on the test records with its bootstrap interval by
        patient, p-value, Holm-corrected p-value, effect size (Cohen's d of the paired seeds, None for one
        seed) and a verdict at 5 %. The difference is that of the means over seeds. `"data"`: what the runs
        say of the completeness of their data.
    """
    cells: dict[tuple[str, float], list[Run]] = {}
    for run in runs:
        cells.setdefault((run.method, run.label_fraction), []).append(run)
    rows = []
    for (method, fraction), members in cells.items():
        members.sort(key=lambda run: run.seed)
        row: dict[str, Any] = {
            "method": method,
            "label_fraction": fraction,
            "seeds": [run.seed for run in members],
            "test_records": members[0].metrics["test"]["records"],
        }
        for split, metric in (("test", "auroc"), ("validation", "auroc"), ("test", "f1"), ("test", "auprc")):
            values = [run.metrics[split]["macro"][metric] for run in members]
            row[f"{split}_{metric}"] = {"values": values, **asdict(summarize_seeds(values))}
        rows.append(row)
    found = []
    for method, control in comparisons:
        for fraction in sorted({fraction for _, fraction in cells}):
            pair = [cells.get((name, fraction), []) for name in (method, control)]
            shared = set.intersection(*({run.seed for run in members} for members in pair))
            if shared:
                found.append(
                    _compare(*([run for run in members if run.seed in shared] for members in pair), seed=seed)
                )
    for entry, p in zip(found, holm([entry["p"] for entry in found]) if found else [], strict=True):
        entry["p_holm"] = float(p)
        apart = p < 0.05
        entry["verdict"] = (
            "not distinguishable" if not apart else ("better" if entry["difference"] > 0 else "worse")
        )
    data = sorted({str(run.metrics["run"]["dataset"].get("note", "")) for run in runs} - {""})
    return {"rows": rows, "comparisons": found, "data": data}


def _aurocs(runs: Sequence[Run]) -> list[float]:
    return [run.metrics["test"]["macro"]["auroc"] for run in runs]


def _compare(runs: Sequence[Run], control: Sequence[Run], *, seed: int) -> dict[str, Any]:
    """Compare two methods by the mean over seeds of their macro AUROC, on the same draws of test patients."""
    test = runs[0].test
    for run in [*runs, *control]:
        if not np.array_equal(np.asarray(run.test.record_ids), np.asarray(test.record_ids)):
            raise ValueError(
                f"{run.method!r}, seed {run.seed}, was tested on other records than {runs[0].method!r}"
            )
    # Seeds side by side as if they were classes: the mean over all columns is the mean over seeds.
    found = paired_bootstrap(
        np.tile(test.labels, (1, len(runs))),
        np.hstack([run.test.scores for run in runs]),
        np.hstack([run.test.scores for run in control]),
        metric=weighted_auroc,
        patient_ids=test.patient_ids,
        generator=np.random.default_rng(seed),
    )
    return {
        "method": runs[0].method,
        "control": control[0].method,
        "label_fraction": runs[0].label_fraction,
        "seeds": [run.seed for run in runs],
        "difference": found.difference.estimate,
        "low": found.difference.low,
        "high": found.difference.high,
        "p": found.p_value,
        "effect_size": cohens_d_paired(_aurocs(runs), _aurocs(control)) if len(runs) > 1 else None,
    }
