"""Several runs of several methods -> one table: seeds, intervals, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ssl_ecg_hf.evaluation.bootstrap import (
    COMPARISON_DRAWS,
    MacroDraws,
    cluster_index,
    compare_draws,
    draw_weights,
    macro_draws,
)
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.seeds import cohens_d_paired, compare_seeds, holm, summarize_seeds

FEWEST_SEEDS = 3
"""Of fewer, neither an interval over seeds nor an effect size says anything."""


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
    runs: Sequence[Run],
    comparisons: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
    shares: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Summarise runs by method and label fraction, and compare methods.

    Args:
        runs: all finished runs.
        comparisons: pairs (method, control); compared at every label fraction, over the seeds that both have.
        seed: of the bootstrap.
        shares: of train, validation and test, where each seed of the runs divided the recordings anew. There
            are then no test records that all runs share: methods are compared by a paired t-test over the
            seeds in place of the bootstrap, and it and the intervals are corrected for the overlap of the
            splits (see `summarize_seeds`).

    Returns:
        `"rows"`: per method and label fraction the seeds, mean, standard deviation and Student-t interval of
        the test macro AUROC over seeds, the same of validation, of F1 at the frozen thresholds and of AUPRC.
        `"comparisons"`: difference of macro AUROC on the test records with its bootstrap interval by
        patient, p-value, Holm-corrected p-value, effect size (Cohen's d of the paired seeds, None for fewer
        than three) and a verdict at 5 %. The difference is that of the means over seeds. `"data"`: what the
        runs say of the completeness of their data. With `shares` also `"resplit"`: them, the overlap, and the
        least and most labelled test records of a seed.

    Raises:
        ValueError: if methods that are compared were tested on other records.
    """
    overlap = 0.0 if shares is None else shares[2] / shares[0]
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
            row[f"{split}_{metric}"] = {"values": values, **asdict(summarize_seeds(values, overlap=overlap))}
        rows.append(row)
    found = []
    draws = _TestDraws(runs[0], seed=seed) if comparisons and runs and shares is None else None
    for method, control in comparisons:
        for fraction in sorted({fraction for _, fraction in cells}):
            pair = [cells.get((name, fraction), []) for name in (method, control)]
            shared = set.intersection(*({run.seed for run in members} for members in pair))
            # A t-test needs a spread.
            if len(shared) > (0 if shares is None else 1):
                first, second = ([run for run in members if run.seed in shared] for members in pair)
                found.append(
                    _compare(first, second, draws=draws)
                    if draws is not None
                    else _compare_splits(first, second, overlap=overlap)
                )
    for entry in found:
        entry |= {"p_holm": None, "verdict": "not measured"}
    measured = [entry for entry in found if entry["p"] is not None]
    for entry, p in zip(measured, holm([entry["p"] for entry in measured]) if measured else [], strict=True):
        entry["p_holm"] = float(p)
        apart = p < 0.05
        entry["verdict"] = (
            "not distinguishable" if not apart else ("better" if entry["difference"] > 0 else "worse")
        )
    data = sorted({str(run.metrics["run"]["dataset"].get("note", "")) for run in runs} - {""})
    summary: dict[str, Any] = {"rows": rows, "comparisons": found, "data": data}
    if shares is not None:
        tested = [run.metrics["test"]["records"] for run in runs]
        records = [min(tested), max(tested)] if tested else []
        summary["resplit"] = {"shares": list(shares), "overlap": overlap, "test_records": records}
    return summary


def _aurocs(runs: Sequence[Run]) -> list[float]:
    return [run.metrics["test"]["macro"]["auroc"] for run in runs]


def _check_same_records(run: Run, other: Run) -> None:
    if not np.array_equal(np.asarray(run.test.record_ids), np.asarray(other.test.record_ids)):
        raise ValueError(
            f"{run.method!r}, seed {run.seed}, was tested on other records than {other.method!r}"
        )


def _compared(runs: Sequence[Run], control: Sequence[Run]) -> dict[str, Any]:
    """Say what a comparison is of."""
    return {
        "method": runs[0].method,
        "control": control[0].method,
        "label_fraction": runs[0].label_fraction,
        "seeds": [run.seed for run in runs],
    }


def _compare_splits(runs: Sequence[Run], control: Sequence[Run], *, overlap: float) -> dict[str, Any]:
    """Compare two methods over splits: each seed has test records of its own, the same for both methods."""
    for run, other in zip(runs, control, strict=True):
        _check_same_records(other, run)
    found = compare_seeds(_aurocs(runs), _aurocs(control), overlap=overlap)
    return {
        **_compared(runs, control),
        "difference": found.difference.mean,
        "low": found.difference.low,
        "high": found.difference.high,
        "p": found.p_value,
        "effect_size": found.effect_size,
    }


class _TestDraws:
    """Macro AUROC of runs on the same draws of the test patients, each computed once."""

    def __init__(self, first: Run, *, seed: int) -> None:
        self.first = first
        patients = cluster_index(first.test.patient_ids, len(first.test.labels))
        generator = np.random.default_rng(seed)
        self.weights = draw_weights(patients, draws=COMPARISON_DRAWS, generator=generator)
        self.known: dict[int, MacroDraws] = {}

    def mean(self, runs: Sequence[Run]) -> MacroDraws:
        """Return the mean over runs."""
        found = [self._of(run) for run in runs]
        return MacroDraws(
            estimate=float(np.mean([each.estimate for each in found])),
            values=np.mean([each.values for each in found], axis=0),
        )

    def _of(self, run: Run) -> MacroDraws:
        if id(run) not in self.known:
            _check_same_records(run, self.first)
            self.known[id(run)] = macro_draws(run.test.labels, run.test.scores, weights=self.weights)
        return self.known[id(run)]


def _compare(runs: Sequence[Run], control: Sequence[Run], *, draws: _TestDraws) -> dict[str, Any]:
    """Compare two methods by the mean over seeds of their macro AUROC, on the same draws of test patients."""
    found = compare_draws(draws.mean(runs), draws.mean(control))
    several = len(runs) >= FEWEST_SEEDS
    return {
        **_compared(runs, control),
        "difference": found.difference.estimate,
        "low": found.difference.low,
        "high": found.difference.high,
        "p": found.p_value,
        "effect_size": cohens_d_paired(_aurocs(runs), _aurocs(control)) if several else None,
    }
