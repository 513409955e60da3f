"""From the command line to one recording's probabilities, in a process that has nothing imported yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from benchmarks.context import Context
from benchmarks.models import classifier
from benchmarks.results import comparison, result
from benchmarks.timing import CPU, interleave
from ssl_ecg_hf.modeling import SslEcgFeatureExtractor

TORCH = "import of PyTorch"
TRANSFORMERS = "import of PyTorch and Transformers"
OURS = "ssl-ecg predict, one file"

METHOD = (
    "Wall time of a fresh process, its files in the page cache. *{ours}*: the whole command on a WFDB record "
    "with a classifier in a local folder. What it takes beyond the import of PyTorch and of "
    "the classes of Transformers that every model needs is this package."
)

IMPORTS = {
    TORCH: "import torch",
    TRANSFORMERS: "import torch, transformers.modeling_utils, transformers.pipelines",
}
PREDICT = "from ssl_ecg_hf.cli import main\nif main():\n    raise SystemExit(1)"


def seconds_of(code: str, arguments: Sequence[str] = ()) -> float:
    """Run Python code in a process of its own.

    Args:
        code: what it runs.
        arguments: its command line.

    Returns:
        Time from its start to its end in s.

    Raises:
        RuntimeError: if it fails.
    """
    start = perf_counter()
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    seconds = perf_counter() - start
    if finished.returncode:
        raise RuntimeError(f"the process whose start is measured failed:\n{finished.stderr[-2000:]}")
    return seconds


def measure(context: Context) -> dict[str, Any]:
    """Measure seconds until the imports and until the prediction are there."""
    model_folder = context.work / "start"
    model = classifier(CPU)
    model.save_pretrained(model_folder)
    SslEcgFeatureExtractor.for_model(model.config).save_pretrained(model_folder)
    stem = context.stems[0]
    predict = ["predict", str(model_folder), str(stem.with_name(f"{stem.name}.hea"))]

    def run(code: str, arguments: Sequence[str] = ()) -> Callable[[], float]:
        return lambda: seconds_of(code, arguments)

    variants = {**{name: run(code) for name, code in IMPORTS.items()}, OURS: run(PREDICT, predict)}
    compared = comparison(
        "One recording, from a cold start",
        interleave(variants, repetitions=context.repetitions),
        device="cpu",
        unit="s",
        kind="growth",
        baseline=TRANSFORMERS,
    )
    return result("Start", METHOD.format(ours=OURS), [compared])
