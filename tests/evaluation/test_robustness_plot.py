from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from ssl_ecg_hf.evaluation.robustness_plot import plot_robustness, robustness_table

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def entry(group: str, label: str, auroc: float | None, change: tuple[float, float] | None) -> dict[str, Any]:
    low, high = change or (None, None)
    estimate = None if change is None else (change[0] + change[1]) / 2
    difference = {"estimate": estimate, "low": low, "high": high, "undefined_draws": 0}
    name = group if group == "clean" else f"{group}, {label}"
    return {
        "name": name,
        "group": group,
        "label": label,
        "macro_auroc": auroc,
        "difference": None if group == "clean" else difference,
    }


def result(clean: float = 0.9, *, conditions: int = 4) -> dict[str, Any]:
    entries = [
        entry("clean", "as recorded", clean, None),
        entry("noise", "12 dB", clean - 0.01, (-0.015, -0.005)),
        entry("noise", "0 dB", clean - 0.1, (-0.12, -0.08)),
        entry("polarity", "inverted", clean - 0.3, None),
    ]
    left_out = {item["name"]: "the model is blind" for item in entries[conditions:]}
    return {"confidence": 0.95, "conditions": entries[:conditions], "left_out": left_out}


def lines_of(path: Path, colour: tuple[int, int, int]) -> np.ndarray:
    """Columns of pixels that are of a colour over more than a third of the picture."""
    pixels = np.rint(matplotlib.image.imread(path)[..., :3] * 255)
    return np.flatnonzero((np.abs(pixels - colour).max(axis=2) < 60).mean(axis=0) > 0.35)


def test_the_table_shows_the_worst_of_each_group() -> None:
    assert robustness_table(result()).splitlines() == [
        "recordings  worst of        at  macro AUROC  difference     95 % interval",
        "clean                                 0.900",
        "noise              2      0 dB        0.800      -0.100  -0.120 to -0.080",
        "polarity           1  inverted        0.600           -                 -",
    ]
    assert robustness_table(result(conditions=3)).splitlines()[-1] == (
        "not measured: polarity, inverted (the model is blind)"
    )


def test_a_table_of_what_is_undefined() -> None:
    undefined = [entry("clean", "as recorded", None, None), entry("noise", "0 dB", None, None)]
    text = robustness_table({"confidence": 0.9, "conditions": undefined, "left_out": {}})
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["clean", "-"],
        ["noise", "1", "0", "dB", "-", "-", "-"],
    ]
    assert "90 % interval" in text


def test_clean_is_a_line_in_the_colour_of_the_model(tmp_path: Path) -> None:
    results = {"first": result(0.9), "second": result(0.8)}
    path = plot_robustness(results, path=tmp_path / "a.png")
    first, second = lines_of(path, BLUE), lines_of(path, ORANGE)
    assert 1 <= len(first) <= 4
    assert 1 <= len(second) <= 4
    assert first.mean() > second.mean() + 20
    assert not len(lines_of(plot_robustness({"first": result(0.9)}, path=path), ORANGE))


def test_a_figure_is_the_same_bytes_on_every_run(tmp_path: Path) -> None:
    first, second = (
        plot_robustness({"model": result()}, path=tmp_path / f"{name}.png").read_bytes() for name in "ab"
    )
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_models_may_lack_conditions_and_values(tmp_path: Path) -> None:
    undefined = [entry("clean", "as recorded", None, None), entry("noise", "0 dB", None, None)]
    results = {
        "short": result(conditions=2),
        "whole": result(0.85),
        "undefined": {"confidence": 0.95, "conditions": undefined, "left_out": {}},
    }
    height = [
        matplotlib.image.imread(plot_robustness(shown, path=tmp_path / "a.png")).shape[0]
        for shown in ({"whole": result()}, results)
    ]
    assert height[1] - height[0] == pytest.approx(2 * 0.2 * 150, abs=1)  # two names more, no further rows
    with pytest.raises(ValueError, match="no model to draw"):
        plot_robustness({}, path=tmp_path / "b.png")
