from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import disable_progress_bars, enable_progress_bars

# `benchmarks` is run from the checkout and is not installed with the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="session", autouse=True)
def _no_progress_bars() -> Iterator[None]:
    disable_progress_bars()
    yield
    enable_progress_bars()
