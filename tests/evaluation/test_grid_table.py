from __future__ import annotations

from typing import Any

from ssl_ecg_hf.evaluation.grid_table import grid_table
from ssl_ecg_hf.evaluation.summary_table import summary_table

PLACES = [("Untrained", "frozen", None), ("A", "frozen", "a-seed0"), ("B", "frozen", "b-seed0"),
          ("B", "fine-tuned", "b-seed0"), ("A", "fine-tuned", "a-seed0")]  # fmt: skip


def summary(**means: float) -> dict[str, Any]:
    def value(mean: float) -> dict[str, Any]:
        return {"mean": mean, "std": None, "low": None, "high": None}

    rows = [
        {"method": method, "label_fraction": fraction, "seeds": [0], "test_records": 7,
         **dict.fromkeys(("test_auroc", "validation_auroc", "test_f1"), value(mean))}
        for fraction in (0.1, 1.0) for method, mean in means.items()
    ]  # fmt: skip
    grid = [
        {"row": row, "column": column, "method": f"{row} {column}", "pretraining": pretraining}
        for row, column, pretraining in PLACES
    ]
    spent = {"name": "b-seed0", "seconds": 60.0, "encoder_parameters": 5678}
    return {"rows": rows, "comparisons": [], "data": [], "grid": grid, "pretrainings": [spent]}


def test_rows_and_columns_with_the_size_of_the_encoder() -> None:
    means = {"Untrained frozen": 0.5, "A frozen": 0.75, "B frozen": 0.7, "B fine-tuned": 0.8}
    lines = grid_table(summary(**means)).splitlines()
    assert lines[0].startswith("Test macro AUROC with 10 % of the labels")
    assert lines[2:] == [
        "| | parameters | frozen | fine-tuned |",
        "|---|---:|---:|---:|",
        "| Untrained |  | 0.5000 |  |",
        "| A |  | **0.7500** |  |",
        "| B | 5,678 | 0.7000 | **0.8000** |",
    ]


def test_it_stands_first_in_the_table_of_a_grid() -> None:
    content = summary(**{"Untrained frozen": 0.5})
    text = summary_table(content)
    assert text.startswith(grid_table(content))
    assert "| Untrained frozen | 100 % | 1 | 0.5000 |" in text
    without = summary_table({**content, "grid": []})
    assert grid_table(content) not in without
    assert without.endswith("Time of each pretraining on the machine of these runs, encoders of 5,678 "
                            "parameters: b-seed0 1 min.\n")  # fmt: skip
