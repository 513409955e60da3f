"""The ONNX files of an export: beside the model, in its card, and without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.cli.export import main as export_command
from ssl_ecg_hf.cli.export import recordings_of_run
from ssl_ecg_hf.data.source import Recordings, load_recordings
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.hub_export import VerificationReport, clean_process, export, export_checkpoint
from ssl_ecg_hf.hub_export.manifest import check_manifest
from ssl_ecg_hf.modeling import SslEcgForSequenceClassification, SslEcgForSimCLR

onnx = pytest.importorskip("onnx", reason="needs the extra [onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
pytest.importorskip("onnxscript", reason="needs the extra [onnx]")

NAME = "user/classifier"


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = VerificationReport(steps=("AutoModel",), failed_step=None, stderr="", seconds=0.0)
    monkeypatch.setattr(export, "verify_export", lambda *_, **__: passed)


@pytest.fixture(scope="module")
def small_export(
    classifier_checkpoint: Path, recordings: Recordings, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An export with both files, verified; tests must not change it."""
    output = tmp_path_factory.mktemp("exports") / "small"
    return export_checkpoint(classifier_checkpoint, output, repo_id=NAME, onnx=True, int8=recordings)


def run(path: Path, signal: Any) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {"input_values": signal, "lead_mask": np.ones(signal.shape[:2], dtype=bool)}
    return session.run(["logits"], inputs)[0]


@pytest.mark.slow
def test_the_files_run_without_pytorch_and_are_part_of_the_export(small_export: Path) -> None:
    manifest = check_manifest(small_export)
    assert manifest["verified"][-2:] == ["README.md", "model.onnx"]
    assert {"model.onnx", "model_int8.onnx", "onnx.json"} <= set(manifest["sha256"])
    int8 = onnx.load(small_export / "model_int8.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in int8.graph.node}
    metadata = {entry.key: entry.value for entry in int8.metadata_props}
    assert json.loads(metadata["quantization"])["bits"] == 8
    assert json.loads(metadata["labels"]) == ["NORM", "MI", "STTC", "HYP", "CD"]
    assert "max_difference" not in metadata  # that of the float file


@pytest.mark.slow
def test_the_loss_in_8_bits_is_that_of_the_test_split(small_export: Path, recordings: Recordings) -> None:
    facts = json.loads((small_export / "onnx.json").read_text(encoding="utf-8"))
    measured = facts["model_int8.onnx"]["test"]
    test = recordings.splits["test"]
    assert measured["records"] == len(test) == int((dataset_labels(test).sum(axis=1) > 0).sum())
    signal = np.asarray(test["signal_uv"], dtype=np.float32) / 1000
    names = {"float32": "model.onnx", "int8": "model_int8.onnx"}
    scores = {key: 1 / (1 + np.exp(-run(small_export / file, signal))) for key, file in names.items()}
    auroc = {key: macro_auroc(dataset_labels(test), values) for key, values in scores.items()}
    assert measured["macro_auroc"] == pytest.approx(auroc)
    assert measured["auroc_loss"] == pytest.approx(auroc["float32"] - auroc["int8"])
    change = float(np.abs(scores["float32"] - scores["int8"]).max())
    assert measured["largest_change"] == pytest.approx(change, abs=1e-6)
    assert 0 < change < 0.1
    assert facts["model_int8.onnx"]["calibration"] == {
        "recordings": len(recordings.splits["train"]),
        "split": "train",
    }


@pytest.mark.slow
def test_the_card_states_what_was_measured(small_export: Path) -> None:
    facts = json.loads((small_export / "onnx.json").read_text(encoding="utf-8"))
    card = (small_export / "README.md").read_text(encoding="utf-8")
    about, small = facts["model.onnx"]["metadata"], facts["model_int8.onnx"]
    assert f"{about['max_difference']['logits']:.1e} of `logits`" in card
    assert f"{min(about['checked_samples'])} to {max(about['checked_samples'])} samples" in card
    assert f"its macro AUROC is {small['test']['macro_auroc']['int8']:.4f}" in card
    assert "(**simulated**)" in card


@pytest.mark.usefixtures("unverified")
def test_a_pretraining_checkpoint_brings_its_encoder(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(SslEcgForSimCLR, num_samples=200)
    output = export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/simclr", onnx=True)
    session = onnxruntime.InferenceSession(output / "model.onnx", providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_outputs()] == ["pooler_output"]
    assert '(embedding,) = session.run(["pooler_output"], inputs)' in (output / "README.md").read_text()
    assert not (output / "model_int8.onnx").exists()


def test_the_onnx_process_cannot_import_pytorch() -> None:
    blocker = clean_process.PackageBlocker(clean_process.WITHOUT_TORCH)
    for name in ("torch", "torch.nn", "transformers", "ssl_ecg_hf"):
        with pytest.raises(ModuleNotFoundError, match="is blocked"):
            blocker.find_spec(name)
    assert blocker.find_spec("onnxruntime") is None


@pytest.mark.parametrize(
    ("model_class", "onnx", "message"),
    [
        (SslEcgForSequenceClassification, False, "an int8 file is made from the ONNX file of a classifier"),
        (SslEcgForSimCLR, True, "an int8 file is made from the ONNX file of a classifier"),
        (SslEcgForSequenceClassification, True, r"classes \['A', 'B'\], the recordings \['NORM'"),
    ],
)
def test_recordings_must_fit_the_model(
    save_checkpoint: Callable[..., Path],
    recordings: Recordings,
    tmp_path: Path,
    model_class: Any,
    onnx: bool,
    message: str,
) -> None:
    checkpoint = save_checkpoint(model_class, id2label={0: "A", 1: "B"}, label2id={"A": 0, "B": 1})
    with pytest.raises(ValueError, match=message):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id=NAME, onnx=onnx, int8=recordings)
    assert list(tmp_path.iterdir()) == []


def test_recordings_of_the_run_have_its_labels_and_split() -> None:
    arguments = {"num_records": 60, "label_set": "normal_abnormal", "split_seed": 3, "learning_rate": 0.1}
    options = {name: value for name, value in arguments.items() if name != "learning_rate"}
    expected = load_recordings("simulated", **options)
    recipe: dict[str, Any] = {
        "stage": "finetune",
        "arguments": arguments,
        "dataset": expected.description,
        "parent": None,
    }
    found = recordings_of_run(recipe, "simulated", None)
    assert found.class_names == ("NORM", "ABNORMAL")
    assert found.splits["test"]["ecg_id"] == expected.splits["test"]["ecg_id"]
    recipe["dataset"] = {**expected.description, "name": "PTB-XL", "simulated": False}
    with pytest.raises(ValueError, match="trained on 'PTB-XL', --data 'simulated' is 'ECG simulator'"):
        recordings_of_run(recipe, "simulated", None)
    recipe["dataset"] = {**expected.description, "split": "another"}
    with pytest.raises(ValueError, match="trained \\(finetune\\) on the split 'another'"):
        recordings_of_run(recipe, "simulated", None)
    with pytest.raises(ValueError, match=r"no recipe\.json"):
        recordings_of_run(None, "simulated", None)


def test_int8_without_recordings_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--onnx_int8 needs the recordings of the training \(--data\)"):
        export_command(["checkpoint", str(tmp_path), "--repo_id", NAME, "--onnx_int8"])
