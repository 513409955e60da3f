from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import compiled
from benchmarks.context import FULL, QUICK, Context, Sizes

CPU = torch.device("cpu")


def context(sizes: Sizes, work: Path) -> Context:
    nothing: Any = None
    return Context(
        sizes=sizes,
        repetitions=1,
        devices=(CPU,),
        work=work,
        folder=work,
        part=work,
        stems=(),
        cache=work,
        train=nothing,
        all_train=nothing,
        num_records=0,
    )


def test_what_prevents_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "quick run" in str(compiled.cannot_compile(context(QUICK, tmp_path)))
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiled.cannot_compile(context(FULL, tmp_path)) == (
        "torch.compile: needs a C++ compiler, there is no no-such-compiler"
    )
    monkeypatch.setenv("CXX", "python")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert compiled.cannot_compile(context(FULL, tmp_path)) is None


def test_the_warm_up_is_what_the_first_calls_take_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    means = iter([5.0, 1.0])
    caches: list[tuple[str | None, int]] = []

    def seconds_per_call(function: Callable[[], object], *, calls: int, device: torch.device) -> float:
        caches.append((os.environ.get("TORCHINDUCTOR_CACHE_DIR"), calls))
        return next(means)

    monkeypatch.setattr(compiled, "seconds_per_call", seconds_per_call)
    assert compiled.warm_up(lambda: None, context(FULL, tmp_path), CPU) == 8.0
    assert caches == [(str(tmp_path / "compiled"), 2), (None, 2)]


def test_the_table_says_how_many_calls_the_warm_up_costs() -> None:
    table = compiled.warm_up_table("a step", {"one step": [0.5, 0.25, 1.0]}, {"compiled": 20.0}, device=CPU)
    assert table["title"] == "Warm-up of torch.compile, a step"
    assert [variant["ratio"] for variant in table["variants"]] == [1.0, 40.0]
