from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_ecg_hf.data import read_upload
from ssl_ecg_hf.evaluation.loading import load_classifier
from ssl_ecg_hf.hub_export import export_onnx
from ssl_ecg_hf.space.analysis import analyse, load_classify


@pytest.mark.slow
def test_every_way_to_a_release_gives_the_same_probabilities(classifier_export: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder, onnx = shutil.copytree(classifier_export, tmp_path / "release"), tmp_path / "model.onnx"
    export_onnx(load_classifier(folder), onnx)
    process = subprocess.run(
        [sys.executable, "-I", str(Path(__file__).with_name("four_ways.py")), str(folder), str(onnx)],
        cwd=tmp_path,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "hf"),
            "HF_MODULES_CACHE": str(tmp_path / "modules"),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    ways = json.loads(process.stdout)
    classify = load_classify(folder)
    record = read_upload([folder / "example_ecg.npy"], sampling_rate=100.0, leads="standard", unit="mV")
    page = [entry["score"] for entry in analyse(classify, record).as_json()["predictions"]]
    assert len(page) == 5
    assert len(ways) == 4
    for way, probabilities in ways.items():
        assert probabilities == pytest.approx(page, abs=1e-5), way
