"""metrics.json and what lies beside it -> the tables of a card; every number comes from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ssl_ecg_hf.model_card.markdown import (
    UNKNOWN,
    brackets,
    cell,
    count,
    markdown_table,
    number,
    with_interval,
)

SCHEMA = 1

MACRO_ROWS: dict[str, str] = {
    "auroc": "AUROC",
    "auprc": "AUPRC (average precision)",
    "f1": "F1 at the chosen thresholds",
    "f1_at_0.5": "F1 at 0.5",
    "sensitivity": "Sensitivity at the chosen thresholds",
    "specificity": "Specificity at the chosen thresholds",
    "brier": "Brier score (lower is better)",
    "ece": "Expected calibration error (lower is better)",
}


def check_metrics(metrics: Mapping[str, Any], config: Mapping[str, Any], *, classifier: bool) -> None:
    """Refuse metrics that cannot be those of this checkpoint.

    Args:
        metrics: content of a metrics.json.
        config: of the checkpoint.
        classifier: whether the metrics are those of the checkpoint's own labels.

    Raises:
        ValueError: if layout, labels or thresholds disagree.
    """
    if metrics.get("schema") != SCHEMA:
        raise ValueError(f"metrics have schema {metrics.get('schema')!r}; expected {SCHEMA}: evaluate again")
    if not classifier:
        if not isinstance(metrics["run"].get("protocol"), str):
            raise ValueError(
                "metrics of an encoder do not say how it was evaluated; expected run['protocol'], such as "
                "'linear probe on the frozen encoder'"
            )
        return
    labels = [name for _, name in sorted(config["id2label"].items(), key=lambda item: int(item[0]))]
    if labels != list(metrics["classes"]):
        raise ValueError(
            f"the checkpoint's labels are {labels}, the metrics' classes {list(metrics['classes'])}; "
            "expected the same in the same order: evaluate this checkpoint"
        )
    own, measured = config.get("thresholds"), [metrics["thresholds"]["values"][name] for name in labels]
    # An older metrics.json holds six digits.
    if own is not None and any(b not in (a, float(f"{a:.6g}")) for a, b in zip(own, measured, strict=True)):
        raise ValueError(
            f"the checkpoint's thresholds are {list(own)}, the metrics' {measured}; expected the same: "
            "write the evaluation's thresholds into the configuration"
        )


def macro_table(metrics: Mapping[str, Any]) -> str:
    """Means over classes, with intervals where they were computed."""
    intervals = metrics["intervals"]
    rows = [
        [title, number(metrics["test"]["macro"][key]), brackets(intervals.get(key, {}).get("macro"))]
        for key, title in MACRO_ROWS.items()
    ]
    calibration = metrics["calibration"]
    rows.append(
        [
            f"Expected calibration error with temperature {number(calibration['temperature'])}",
            number(calibration["macro_ece_with_temperature"]),
            "",
        ]
    )
    header = ["Mean over classes", "Value", f"{100 * intervals['confidence']:g} % interval"]
    return markdown_table(header, rows, align="lrr")


def class_table(metrics: Mapping[str, Any]) -> str:
    """One row a class: support, threshold and what is measured with it."""
    titles = {
        "auroc": "AUROC",
        "auprc": "AUPRC",
        "f1": "F1",
        "sensitivity": "Sensitivity",
        "specificity": "Specificity",
    }
    # Older metrics have intervals of some.
    intervals = {key: metrics["intervals"].get(key, {}).get("per_class", {}) for key in titles}
    rows = [
        [
            cell(name),
            count(values["support"]),
            number(values["threshold"]),
            *(with_interval(values[key], intervals[key].get(name)) for key in titles),
            number(values["ece"]),
        ]
        for name, values in ((name, metrics["test"]["per_class"][name]) for name in metrics["classes"])
    ]
    header = ["Class", "Positive", "Threshold", *titles.values(), "ECE"]
    return markdown_table(header, rows, align="lrrrrrrrr")


def labels_table(
    labels: list[str],
    *,
    meanings: Mapping[str, str],
    thresholds: Mapping[str, float | None],
    counts: Mapping[str, Mapping[str, int]],
) -> str:
    """One row a class: what it stands for, its threshold, and how many recordings of each split have it."""
    # NORM reads "normal ECG"; a name of one's own that nothing explains stays without a second column.
    header = ["Class", *(["Meaning"] if meanings else []), *(["Threshold"] if thresholds else [])]
    align = "l" * (2 if meanings else 1) + "r" * (len(counts) + bool(thresholds))
    rows = [
        [
            cell(name),
            *([cell(meanings.get(name, UNKNOWN))] if meanings else []),
            *([number(thresholds.get(name))] if thresholds else []),
            *(count(of_split.get(name)) for of_split in counts.values()),
        ]
        for name in labels
    ]
    return markdown_table([*header, *(f"In {split}" for split in counts)], rows, align=align)


def subgroup_table(metrics: Mapping[str, Any]) -> str:
    """Macro AUROC of groups by sex and age; empty if neither is known."""
    rows = [
        [
            f"{kind}: {name}",
            count(group["records"]),
            with_interval(group["macro_auroc"], group.get("macro_auroc_interval")),
            ", ".join(map(cell, group["undefined"])),
        ]
        for kind, groups in metrics["subgroups"].items()
        for name, group in groups.items()
    ]
    header = ["Group", "Records", "Macro AUROC", "Classes left out"]
    return markdown_table(header, rows, align="lrrl") if rows else ""


def check_robustness(robustness: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Refuse a robustness.json that was measured on another model or other records.

    Raises:
        ValueError: if its numbers on clean records are not those of the metrics.
    """
    clean = next(entry for entry in robustness["conditions"] if entry["difference"] is None)
    pairs = [
        (clean["auroc"].get(name), metrics["test"]["per_class"][name]["auroc"]) for name in metrics["classes"]
    ]
    same = all(a == b or (None not in (a, b) and math.isclose(a, b, abs_tol=2e-5)) for a, b in pairs)
    if clean["records"] != metrics["test"]["records"] or not same:
        raise ValueError(
            "robustness.json is not of the evaluation that wrote metrics.json; run ssl-ecg evaluate "
            "--robustness true again, which writes both"
        )


def robustness_table(robustness: Mapping[str, Any]) -> str:
    """Macro AUROC under each condition, and how much it differs from that on the recordings as they are."""
    rows = [
        [
            cell(entry["name"]),
            number(entry["macro_auroc"]),
            "" if (change := entry["difference"]) is None else with_interval(change["estimate"], change),
        ]
        for entry in robustness["conditions"]
    ]
    return markdown_table(["Recordings", "Macro AUROC", "Difference"], rows, align="lrr")


def worst_conditions(robustness: Mapping[str, Any]) -> dict[str, Any]:
    """Of each group of conditions the one with the largest loss of macro AUROC, where that is defined."""
    worst: dict[str, Any] = {}
    for entry in robustness["conditions"]:
        if entry["difference"] is not None and entry["difference"]["estimate"] is not None:
            known = worst.get(entry["group"])
            if known is None or entry["difference"]["estimate"] < known["difference"]["estimate"]:
                worst[entry["group"]] = entry
    return {"conditions": list(worst.values())}


def label_efficiency_table(summary: Mapping[str, Any]) -> str:
    """Test macro AUROC of each method of a table of experiments at each share of the labels."""
    rows = summary["rows"]
    fractions = sorted({row["label_fraction"] for row in rows})
    found = {(row["method"], row["label_fraction"]): row["test_auroc"] for row in rows}
    body = []
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [found.get((method, fraction)) for fraction in fractions]
        body.append([cell(method), *("" if one is None else _over_seeds(one) for one in cells)])
    header = ["Test macro AUROC by share of labels", *(f"{100 * fraction:g} %" for fraction in fractions)]
    return markdown_table(header, body, align="l" + "r" * len(fractions))


def _over_seeds(values: Mapping[str, Any]) -> str:
    if values["seeds"] == 1:
        return number(values["mean"])
    # Student's t of two seeds says next to nothing.
    shown = number(values["mean"]) if values["seeds"] == 2 else with_interval(values["mean"], values)
    return f"{shown} ({values['seeds']} seeds)"
