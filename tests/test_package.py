from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ssl_ecg_hf


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )


def test_importing_the_package_imports_no_heavy_library() -> None:
    heavy = ["torch", "transformers", "datasets", "numpy", "sklearn", "scipy", "matplotlib"]
    code = (
        "import sys, ssl_ecg_hf; ssl_ecg_hf.__version__; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    finished = run_python(code)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ssl_ecg_hf.__all__)
def test_every_public_name_exists(name: str) -> None:
    value = getattr(ssl_ecg_hf, name)
    assert value is not None
    assert name in dir(ssl_ecg_hf)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_public_names_are_listed_for_type_checkers_too() -> None:
    source = Path(str(ssl_ecg_hf.__file__)).read_text(encoding="utf-8")
    for name in ssl_ecg_hf.__all__:
        assert name == "__version__" or f" import {name} as {name}\n" in source, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'SslEcgForMoCo'"):
        _ = ssl_ecg_hf.SslEcgForMoCo


def test_the_version_is_that_of_the_metadata() -> None:
    parts = ssl_ecg_hf.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts[:2])
