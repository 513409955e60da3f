from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from datasets import disable_progress_bars, enable_progress_bars

# `benchmarks` is run from the checkout and is not installed with the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="session", autouse=True)
def _no_progress_bars() -> Iterator[None]:
    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier as ONNX, which takes seconds to write; no file where the packages for it are missing."""
    from benchmarks.classifier import no_onnx
    from benchmarks.onnx_runtime import OnnxClassifier

    path = tmp_path_factory.mktemp("onnx") / "classifier.onnx"
    if no_onnx() is None:
        OnnxClassifier(torch.zeros(1, 12, 100), path)
    return path
