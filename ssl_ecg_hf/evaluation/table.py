"""metrics.json as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def align(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows of cells in columns, the first one left-aligned, the others right-aligned.

    Args:
        rows: of equal length, the header first.

    Example:
        >>> print(align([["class", "n"], ["NORM", "12"]]))
        class   n
        NORM   12
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """Return the test results of a metrics.json, class by class.

    Args:
        metrics: as `evaluate_predictions` returns it.
    """
    columns = ("auroc", "auprc", "f1", "sensitivity", "specificity", "brier", "ece")
    header = ["class", "support", *(name.upper() if len(name) < 6 else name for name in columns)]
    test = metrics["test"]
    rows = [header]
    for name, values in test["per_class"].items():
        rows.append([name, str(values["support"]), *(_text(values[column]) for column in columns)])
    rows.append(["macro", str(test["records"]), *(_text(test["macro"].get(column)) for column in columns)])
    interval = metrics["intervals"]["auroc"]["macro"]
    data = metrics["run"]["dataset"]
    return (
        f"{data['name']}, test split, {test['records']} recordings\n{align(rows)}\n"
        f"macro AUROC {_text(interval['estimate'])}, "
        f"{100 * metrics['intervals']['confidence']:.0f} % interval "
        f"{_text(interval['low'])} to {_text(interval['high'])} (bootstrap by patient)"
    )
