"""metrics.json -> the tables of a card and its ``model-index``; every number comes from there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from huggingface_hub import EvalResult

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
_INDEX_TYPES = {"auroc": "roc_auc", "auprc": "average_precision", "f1": "f1", "brier": "brier_score"}
_INDEX_NAMES = {
    "auroc": "Macro AUROC",
    "auprc": "Macro AUPRC",
    "f1": "Macro F1",
    "brier": "Macro Brier score",
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
    # metrics.json holds six digits.
    if own is not None and not all(
        math.isclose(a, b, abs_tol=1e-6) for a, b in zip(own, measured, strict=True)
    ):
        raise ValueError(
            f"the checkpoint's thresholds are {list(own)}, the metrics' {measured}; expected the same: "
            "write the evaluation's thresholds into the configuration"
        )


def number(value: float | None) -> str:
    """Three digits after the point, or an em dash for what is undefined."""
    return "—" if value is None else f"{value:.3f}"


def with_interval(value: float | None, interval: Mapping[str, Any] | None) -> str:
    """``0.912 [0.901, 0.923]``, without the brackets where there is no interval."""
    if interval is None or interval["low"] is None:
        return number(value)
    return f"{number(value)} [{number(interval['low'])}, {number(interval['high'])}]"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, align: str) -> str:
    """A Markdown table; ``align`` holds ``l`` or ``r`` for each column."""
    rule = {"l": ":--", "r": "--:"}
    lines = [header, [rule[side] for side in align], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def macro_table(metrics: Mapping[str, Any]) -> str:
    """Means over classes, with intervals where they were computed."""
    intervals = metrics["intervals"]
    rows = [
        [title, number(metrics["test"]["macro"][key]), _brackets(intervals.get(key, {}).get("macro"))]
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
    intervals = metrics["intervals"]
    rows = [
        [
            name,
            str(values["support"]),
            number(values["threshold"]),
            with_interval(values["auroc"], intervals["auroc"]["per_class"][name]),
            with_interval(values["auprc"], intervals["auprc"]["per_class"][name]),
            with_interval(values["f1"], intervals["f1"]["per_class"][name]),
            number(values["sensitivity"]),
            number(values["specificity"]),
        ]
        for name, values in ((name, metrics["test"]["per_class"][name]) for name in metrics["classes"])
    ]
    header = ["Class", "Positive", "Threshold", "AUROC", "AUPRC", "F1", "Sensitivity", "Specificity"]
    return markdown_table(header, rows, align="lrrrrrrr")


def subgroup_table(metrics: Mapping[str, Any]) -> str:
    """Macro AUROC of groups by sex and age; empty if neither is known."""
    rows = [
        [
            f"{kind}: {name}",
            str(group["records"]),
            number(group["macro_auroc"]),
            ", ".join(group["undefined"]),
        ]
        for kind, groups in metrics["subgroups"].items()
        for name, group in groups.items()
    ]
    header = ["Group", "Records", "Macro AUROC", "Classes left out"]
    return markdown_table(header, rows, align="lrrl") if rows else ""


def recipe_table(recipe: Mapping[str, Any]) -> str:
    """A run's recipe, names joined with dots, without software and tokens; of paths only the last part."""
    rows = [[f"`{key}`", f"`{value}`"] for key, value in _flatten(recipe)]
    return markdown_table(["Argument", "Value"], rows, align="ll")


def evaluation_results(metrics: Mapping[str, Any]) -> list[EvalResult]:
    """The ``model-index`` entries: macro metrics of the test records."""
    dataset = metrics["run"]["dataset"]
    macro = metrics["test"]["macro"]
    return [
        EvalResult(
            task_type="multi-label-classification",
            task_name="Multi-label ECG classification",
            dataset_type=dataset_slug(dataset["name"]),
            dataset_name=dataset["name"] + (" (simulated)" if dataset["simulated"] else ""),
            dataset_split="test",
            metric_type=_INDEX_TYPES[key],
            metric_name=_INDEX_NAMES[key],
            metric_value=macro[key],
        )
        for key in _INDEX_TYPES
        if macro[key] is not None
    ]


def dataset_slug(name: str) -> str:
    """``"PTB-XL 1.0.3"`` -> ``"ptb-xl-1.0.3"``: a name that fits into a card's header."""
    kept = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part)


def _brackets(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["low"] is None:
        return ""
    return f"[{number(interval['low'])}, {number(interval['high'])}]"


def _flatten(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if key == "software":
            continue
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None and "token" not in str(key).lower():
            yield f"{prefix}{key}", _cell(value)


def _cell(value: Any) -> str:
    text = str(value)
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
        # A folder of the machine that trained the model helps no reader.
        text = PureWindowsPath(text).name
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")
