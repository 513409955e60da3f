from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figures_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], list[Figure]]:
    """Keep the figures that a module writes, to look at what is in them."""

    def keep(module: ModuleType) -> list[Figure]:
        drawn: list[Figure] = []
        save = module.save_png

        def keep_and_save(figure: Figure, path: str | Path) -> Path:
            drawn.append(figure)
            return save(figure, path)

        monkeypatch.setattr(module, "save_png", keep_and_save)
        return drawn

    return keep
