from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from inspect import isclass, isfunction
from types import ModuleType

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


def test_predict_imports_only_what_it_needs() -> None:
    needless = ["datasets", "pandas", "sklearn", "scipy.stats", "matplotlib", "wfdb"]
    code = (
        "import sys\n"
        "from ssl_ecg_hf.data.readers import read_ecg\n"
        "from ssl_ecg_hf.evaluation.loading import load_classifier\n"
        "from ssl_ecg_hf.evaluation.table import align\n"
        "from ssl_ecg_hf.modeling import EcgClassificationPipeline\n"
        f"print([name for name in {needless} if name in sys.modules])"
    )
    finished = run_python(code)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "room", ["", ".data", ".evaluation", ".hub_export", ".model_card", ".space", ".training"]
)
def test_every_public_name_exists_whichever_is_asked_first(room: str) -> None:
    package = import_module(f"ssl_ecg_hf{room}")
    assert package.__all__
    for name in package.__all__:
        value = getattr(package, name)
        assert not isinstance(value, ModuleType), name
        assert name in dir(package)
        if isclass(value) or isfunction(value):
            assert value.__name__ == name
            assert value.__doc__
    # Python hangs a module onto its package once it is imported; the name keeps its meaning.
    assert callable(import_module("ssl_ecg_hf.evaluation").bootstrap)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No ssl_ecg_hf attribute SslEcgForMoCo"):
        _ = ssl_ecg_hf.SslEcgForMoCo


def test_the_version_is_that_of_the_metadata() -> None:
    parts = ssl_ecg_hf.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts[:2])
