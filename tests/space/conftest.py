from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgFeatureExtractor, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline
from ssl_ecg_hf.space.analysis import load_classify

ENCODER = {"hidden_sizes": [8, 8], "kernel_sizes": [5, 3], "strides": [4, 4]}


@pytest.fixture(scope="session")
def make_release(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a small classifier with random weights as a release has it, as far as a page needs it."""

    def make(**changed: Any) -> Path:
        torch.manual_seed(1)
        options: dict[str, Any] = {
            "encoder_options": ENCODER,
            "id2label": dict(enumerate(SUPERCLASSES)),
            "label2id": {name: index for index, name in enumerate(SUPERCLASSES)},
            "problem_type": "multi_label_classification",
            "thresholds": [0.1, 0.3, 0.5, 0.7, 0.9],
        }
        config = SslEcgConfig(**options | changed)
        folder = tmp_path_factory.mktemp("releases") / "small-ecg"
        SslEcgForSequenceClassification(config).save_pretrained(folder)
        SslEcgFeatureExtractor.for_model(config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def release(make_release: Callable[..., Path]) -> Path:
    return make_release()


@pytest.fixture(scope="session")
def classify(release: Path) -> EcgClassificationPipeline:
    return load_classify(release)


def curl(*words: object) -> str:
    """What a server answers."""
    command = ["curl", "-sS", "--max-time", "120", "--noproxy", "*", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def ask() -> Callable[..., tuple[str, Any]]:
    """Ask a page by curl as its README says: the event ("complete" or "error") and its data."""

    def upload(url: str, file: Path) -> str:
        return json.loads(curl("-F", f"files=@{file}", f"{url}/gradio_api/upload"))[0]

    def asking(url: str, *files: Path, stated: Sequence[Any] = ("", "", "", False)) -> tuple[str, Any]:
        sent = [{"path": upload(url, file), "meta": {"_type": "gradio.FileData"}} for file in files]
        return call(url, [sent, *stated])

    def call(url: str, data: list[Any]) -> tuple[str, Any]:
        address = f"{url}/gradio_api/call/predict"
        body = json.dumps({"data": data})
        event = json.loads(curl(address, "-H", "Content-Type: application/json", "-d", body))["event_id"]
        first, second, *_ = curl("-N", f"{address}/{event}").splitlines()
        return first.removeprefix("event: "), json.loads(second.removeprefix("data: "))

    asking.call = call  # type: ignore[attr-defined]
    return asking


@pytest.fixture(scope="session")
def serve(release: Path) -> Callable[..., Any]:
    """Serve the page of the small release in another process; its address."""

    @contextmanager
    def serving(uploads: Path, *, delete_after: int) -> Iterator[str]:
        pytest.importorskip("gradio", reason="needs Gradio: pip install 'ssl_ecg_hf[space]'")
        script = Path(__file__).with_name("serve_page.py")
        process = subprocess.Popen(
            [sys.executable, str(script), str(release), str(delete_after)],
            env={
                **os.environ,
                "GRADIO_TEMP_DIR": str(uploads),
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, "the page did not start"
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)
            process.stdout.close()

    return serving


@pytest.fixture(scope="session")
def page_url(serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("uploads"), delete_after=900) as address:
        yield address
