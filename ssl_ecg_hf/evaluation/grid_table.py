"""Methods that form a grid, as Markdown: encoders or objectives against what is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def grid_table(summary: Mapping[str, Any]) -> str:
    """Return the means of a summary's methods in rows and columns, with the size of each row's encoder.

    Args:
        summary: as `summarize` returns it, with `"grid"`, a list of `{"row", "column", "method",
            "pretraining"}` (the name of a pretraining or None), and `"pretrainings"`, a list of `{"name",
            "encoder_parameters"}`. The share of the labels is that of its first row.

    Returns:
        Markdown; the highest mean of a column is bold, what is not measured is empty.
    """
    fraction = summary["rows"][0]["label_fraction"]
    means = {
        row["method"]: row["test_auroc"]["mean"]
        for row in summary["rows"]
        if row["label_fraction"] == fraction
    }
    cells = {
        (place["row"], place["column"]): means[place["method"]]
        for place in summary["grid"]
        if place["method"] in means
    }
    columns = list(dict.fromkeys(place["column"] for place in summary["grid"]))
    best = {
        column: max((mean for (_, other), mean in cells.items() if other == column), default=None)
        for column in columns
    }
    pretraining = {place["row"]: place["pretraining"] for place in summary["grid"] if place["pretraining"]}
    sizes = {entry["name"]: entry.get("encoder_parameters") for entry in summary["pretrainings"]}
    lines = [
        f"Test macro AUROC with {100 * fraction:g} % of the labels, mean over seeds; size of the encoder:",
        "",
        f"| | parameters | {' | '.join(columns)} |",
        "|---|---:|" + "---:|" * len(columns),
    ]
    for name in dict.fromkeys(place["row"] for place in summary["grid"]):
        size = sizes.get(pretraining.get(name, ""))
        shown = ["" if size is None else f"{size:,}"]
        for column in columns:
            mean = cells.get((name, column))
            text = "" if mean is None else f"{mean:.4f}"
            shown.append(f"**{text}**" if mean is not None and mean == best[column] else text)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"
