from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from ssl_ecg_hf.evaluation import differences_plot
from ssl_ecg_hf.evaluation.differences_plot import VERDICT_COLORS, plot_differences


def comparison(method: str, control: str, difference: float, verdict: str) -> dict[str, Any]:
    ends = {"low": difference - 0.002, "high": difference + 0.002}
    return {
        "method": method, "control": control, "label_fraction": 0.1, "difference": difference,
        "verdict": verdict, **ends,
    }  # fmt: skip


SUMMARY: dict[str, Any] = {
    "rows": [
        {"method": name, "label_fraction": 0.1, "test_auroc": {"mean": mean}}
        for name, mean in (("A", 0.9), ("B", 0.88), ("C", 0.87), ("base", 0.875))
    ],
    "comparisons": [
        comparison("A", "base", 0.025, "better"),
        comparison("B", "base", 0.005, "not distinguishable"),
        comparison("C", "base", -0.005, "worse"),
        comparison("B", "A", -0.02, "worse"),
    ],
}


def test_a_panel_for_each_control_and_a_line_for_each_method(
    tmp_path: Path, figures_of: Callable[[ModuleType], list[Figure]]
) -> None:
    drawn = figures_of(differences_plot)
    path = plot_differences(SUMMARY, path=tmp_path / "d.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    first, second = drawn[0].axes
    assert first.get_title(loc="left") == "against base (0.8750), 10 % of the labels"
    assert [label.get_text() for label in first.get_yticklabels()] == ["A", "B", "C"]
    assert [label.get_text() for label in second.get_yticklabels()] == ["B"]
    lines = [line for line in first.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2]
    assert [line.get_color() for line in lines] == [
        VERDICT_COLORS[entry["verdict"]] for entry in SUMMARY["comparisons"][:3]
    ]
    for line, entry in zip(lines, SUMMARY["comparisons"][:3], strict=True):
        assert np.allclose(line.get_xdata(), [entry["low"], entry["high"]])
    assert [text.get_text() for text in first.texts] == ["0.9000", "0.8800", "0.8700"]
    low, high = first.get_ylim()
    assert low > high  # the first method is at the top


RARE = {**comparison("B", "base", 0.1, "not measured"), "low": None, "high": None}


def test_nothing_compared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compares no methods with an interval"):
        plot_differences({"rows": [], "comparisons": [RARE]}, path=tmp_path / "d.png")
    assert not list(tmp_path.iterdir())
