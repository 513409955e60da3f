"""Subgroups, classes and calibration of several methods at one label fraction, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ssl_ecg_hf.evaluation.summary import Run

Metrics = Mapping[str, Any]


def _mean(runs: Sequence[Run], value: Callable[[Metrics], float | None]) -> str:
    """Mean over seeds; a dash where a number is not defined."""
    values = [value(run.metrics) for run in runs]
    known = [number for number in values if number is not None]
    return f"{np.mean(known):.3f}" if len(known) == len(values) else "-"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _of_subgroup(kind: str, name: str) -> Callable[[Metrics], float | None]:
    return lambda metrics: metrics["subgroups"][kind][name]["macro_auroc"]


def _of_class(name: str) -> Callable[[Metrics], float | None]:
    return lambda metrics: metrics["test"]["per_class"][name]["auroc"]


def details_table(runs: Sequence[Run], *, label_fraction: float) -> str:
    """Render what a macro AUROC hides; means over seeds, all on the test records.

    Args:
        runs: those of other fractions are left out.
        label_fraction: share of the labels.

    Returns:
        Markdown: macro AUROC by sex and age, AUROC by class, and calibration before and after the
        temperature that was fitted on validation.

    Raises:
        ValueError: if no run has this fraction.
    """
    methods: dict[str, list[Run]] = {}
    for run in runs:
        if run.label_fraction == label_fraction:
            methods.setdefault(run.method, []).append(run)
    if not methods:
        raise ValueError(f"no run with the label fraction {label_fraction}")
    metrics = next(iter(methods.values()))[0].metrics
    groups = [
        (kind, name, group["records"])
        for kind in sorted(metrics["subgroups"], reverse=True)
        for name, group in metrics["subgroups"][kind].items()
        if group["macro_auroc"] is not None
    ]
    supports = {name: values["support"] for name, values in metrics["test"]["per_class"].items()}
    by_group = [
        [method, *(_mean(members, _of_subgroup(kind, name)) for kind, name, _ in groups)]
        for method, members in methods.items()
    ]
    by_class = [
        [method, *(_mean(members, _of_class(name)) for name in supports)]
        for method, members in methods.items()
    ]
    calibration = [
        [
            method,
            _mean(members, lambda metrics: metrics["test"]["macro"]["brier"]),
            _mean(members, lambda metrics: metrics["calibration"]["macro_ece"]),
            _mean(members, lambda metrics: metrics["calibration"]["macro_ece_with_temperature"]),
            _mean(members, lambda metrics: metrics["calibration"]["temperature"]),
        ]
        for method, members in methods.items()
    ]
    age = {"age": " years", "sex": ""}
    return "\n".join(
        [
            f"{100 * label_fraction:g} % of the labels, means over seeds.",
            "",
            "Macro AUROC by sex and age; the records of a group in brackets:",
            "",
            *_table(["method", *(f"{name}{age[kind]} ({count})" for kind, name, count in groups)], by_group),
            "",
            "AUROC by class; its positive records in brackets:",
            "",
            *_table(["method", *(f"{name} ({count})" for name, count in supports.items())], by_class),
            "",
            "Calibration; one temperature for all classes, fitted on fold 9 or the validation split:",
            "",
            *_table(["method", "Brier", "ECE", "ECE with temperature", "temperature"], calibration),
            "",
        ]
    )
