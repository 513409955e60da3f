"""Proof that an export works without this package: everything is tried in a fresh process."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import DatasetDict
from numpy.typing import NDArray

from ssl_ecg_hf.hub_export.checkpoint import load_source
from ssl_ecg_hf.hub_export.expected import expected_outputs, expected_splits, statement, stored_splits
from ssl_ecg_hf.hub_export.manifest import MANIFEST, check_manifest, repo_type
from ssl_ecg_hf.model_card.quick_start import EXAMPLE_FILE
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

TIMEOUT = 3600  # s, with which a dataset of gigabytes is read back over a slow line
_SCRIPT = Path(__file__).with_name("clean_process.py")
_IDENTITY = r"HF_TOKEN(_PATH)?|HUGGING_FACE_HUB_TOKEN|HF_OIDC_\w+|HF_HUB_DISABLE_IMPLICIT_TOKEN"
"""Who asks the Hub, and whether a token is sent at all."""

_CACHES = r"(HF|HUGGINGFACE|TRANSFORMERS)_\w*CACHE\w*"


@dataclass(frozen=True, kw_only=True)
class VerificationReport:
    """What happened to an export in the clean process.

    Args:
        steps: names of the steps that passed, in their order.
        failed_step: name of the step that failed, None where all passed.
        stderr: what the process wrote to its standard error.
        seconds: how long it took in s.
    """

    steps: tuple[str, ...]
    failed_step: str | None
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return self.failed_step is None

    def __str__(self) -> str:
        if self.ok:
            return f"verified in {self.seconds:.0f} s: {', '.join(self.steps)}"
        return f"step {self.failed_step!r} failed after {list(self.steps)}:\n{self.stderr.strip()}"


def _holds_remote_code(folder: Path) -> bool:
    """Whether a folder of `sys.path` is a cache of downloaded code, which would shadow the clean one."""
    return any(folder.glob("*_modules/__init__.py"))


def _environment(work: Path) -> dict[str, str]:
    """This process's environment as nobody in particular, and with empty caches."""
    kept = {
        key: value for key, value in os.environ.items() if not re.fullmatch(f"{_IDENTITY}|{_CACHES}", key)
    }
    return kept | {
        "HF_HOME": str(work / "hf"),
        "HF_MODULES_CACHE": str(work / "modules"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(
    task: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, str]
) -> VerificationReport:
    """Do a task in the clean process.

    Args:
        task: what the script shall do.
        arrays: what a model must reproduce.
        settings: of its environment.
    """
    paths = [entry for entry in sys.path if entry and not _holds_remote_code(Path(entry))]
    common = {"num_threads": torch.get_num_threads(), "sys_path": paths}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="verify-export-") as name:
        work = Path(name)
        (work / "task.json").write_text(json.dumps({**common, **task}), encoding="utf-8")
        np.savez(work / "expected.npz", **arrays)  # type: ignore[arg-type]
        try:
            process = subprocess.run(
                [sys.executable, "-I", str(_SCRIPT), str(work)],
                cwd=work,
                env=_environment(work) | dict(settings),
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
            code, stderr = process.returncode, process.stderr
        except subprocess.TimeoutExpired:
            code, stderr = 1, f"no result within {TIMEOUT} s"
        log = work / "steps.txt"
        steps = log.read_text(encoding="utf-8").split("\n")[:-1] if log.is_file() else ["start"]
    failed_step = None if code == 0 and steps[-1] == "done" else steps[-1]
    return VerificationReport(
        steps=tuple(steps[:-1]), failed_step=failed_step, stderr=stderr, seconds=time.monotonic() - begun
    )


def _model_task(
    folder: Path, source: SslEcgPreTrainedModel | None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    extractor = SslEcgFeatureExtractor.from_pretrained(folder)
    example = np.load(folder / EXAMPLE_FILE, allow_pickle=False)
    model = load_source(folder) if source is None else source
    task = {"repo_type": "model", "stated": statement(extractor)}
    return task, expected_outputs(model, extractor, example)


def verify_export(folder: Path, *, source: SslEcgPreTrainedModel | None = None) -> VerificationReport:
    """Use a folder in a fresh process that can import neither this package nor anything from the network.

    The Auto classes must load it with no missing, unexpected or mismatched key and give the outputs of the
    source model bit for bit; the feature extractor, the pipeline and the card's quick start must run. Where
    there is a ``model.onnx``, it and the card's code for it must run where PyTorch cannot be imported.

    Args:
        folder: the exported folder.
        source: the model that was exported, on the CPU in float32; default the weights of the folder in this
            package's classes.

    Returns:
        The report; look at ``ok``.
    """
    folder = folder.resolve()
    task, arrays = _model_task(folder, source)
    return _run({**task, "repo": str(folder), "files": None}, arrays, {"HF_HUB_OFFLINE": "1"})


def verify_dataset(folder: Path, splits: DatasetDict) -> VerificationReport:
    """Load an exported dataset in such a process, whole and streamed, and run the code of its card.

    Args:
        folder: the exported folder.
        splits: what it must hold: columns, length, first and last row of each split are compared.

    Returns:
        The report; look at ``ok``.
    """
    task = {"repo_type": "dataset", "repo": str(folder.resolve()), "files": None}
    return _run({**task, "splits": expected_splits(splits)}, {}, {"HF_HUB_OFFLINE": "1"})


def verify_release(
    folder: Path, repo_id: str, *, revision: str, endpoint: str, token: str | None, as_written: bool
) -> VerificationReport:
    """Use what an export became on the Hub: downloaded into an empty cache by a fresh process.

    Every file must be that of the folder. Then the Auto classes, the feature extractor and the pipeline load
    by the repository's name and the revision, and must give what the folder gives; a dataset is streamed.

    Args:
        folder: the export that was uploaded.
        repo_id: repository on the Hub.
        revision: commit or pull request.
        endpoint: address of the Hub.
        token: for a private or gated repository; any other is read without one.
        as_written: whether the card's code runs as it stands, which gives the main branch; otherwise on what
            was downloaded.

    Returns:
        The report; look at ``ok``.
    """
    manifest = check_manifest(folder)
    own = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    release = {
        "repo": repo_id,
        "revision": revision,
        "files": {**manifest["sha256"], MANIFEST: own},
        "as_written": as_written,
    }
    settings = {"HF_ENDPOINT": endpoint, **({"HF_TOKEN": token} if token else {})}
    if repo_type(manifest) == "dataset":
        task = {"repo_type": "dataset", "splits": stored_splits(folder)}
        return _run({**task, **release}, {}, settings)
    task, arrays = _model_task(folder, None)
    return _run({**task, **release}, arrays, settings)
