"""Models under `torch.compile`, and what the first call of them costs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.context import Context
from benchmarks.results import comparison
from benchmarks.timing import seconds_per_call

METHOD = (
    "*Compiled*: `torch.compile(model, dynamic=False)`. Its warm-up is the time of the first two calls "
    "beyond that of two later ones, measured once with an empty cache; the ratio says how many of the calls "
    "in the first line it costs."
)


def cannot_compile(context: Context) -> str | None:
    """Return why compiled models are not measured, or None if they are."""
    if not context.sizes.compiled:
        return "torch.compile: takes too long for a quick run"
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        return f"torch.compile: needs a C++ compiler, there is no {compiler}"
    return None


def compile_model(model: Any) -> Any:
    """Return the compiled model, for one shape of its input."""
    return torch.compile(model, dynamic=False)


def warm_up(function: Callable[[], object], context: Context, device: torch.device) -> float:
    """Call a compiled function for the first time.

    Args:
        function: calls a compiled model.
        context: in its folder is the cache, so that it holds only what this run has compiled.
        device: waited for.

    Returns:
        Time in s beyond that of normal calls.
    """

    def two_calls() -> float:
        return 2 * seconds_per_call(function, calls=2, device=device)

    with patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": str(context.work / "compiled")}):
        first = two_calls()
    return first - two_calls()


def warm_up_table(
    what: str, normal: Mapping[str, list[float]], warm_ups: Mapping[str, float], *, device: torch.device
) -> dict[str, Any]:
    """Compare warm-ups (s) with calls that need none.

    Args:
        what: is compiled.
        normal: name and times (s) of a call without compilation; one entry.
        warm_ups: name -> time in s.
        device: where it ran.
    """
    return comparison(
        f"Warm-up of torch.compile, {what}",
        {**normal, **{name: [seconds] for name, seconds in warm_ups.items()}},
        device=device.type,
        unit="s",
        kind="growth",
        baseline=next(iter(normal)),
    )
