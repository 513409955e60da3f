from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from ssl_ecg_hf import modeling
from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data.record import EcgRecord
from ssl_ecg_hf.hub_export import ExportError, VerificationReport, export, export_checkpoint
from ssl_ecg_hf.hub_export.checkpoint import auto_map
from ssl_ecg_hf.hub_export.endpoint import requirements_text
from ssl_ecg_hf.hub_export.manifest import check_manifest, export_files, write_manifest
from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgForBYOL,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
    SslEcgModel,
)
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ROOT = Path(__file__).parents[2]


def read_json(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the clean process, which costs seconds, where a test is about something else."""
    passed = VerificationReport(steps=("AutoModel",), failed_step=None, stderr="", seconds=0.0)
    monkeypatch.setattr(export, "verify_export", lambda *args, **kwargs: passed)


def test_a_classifier_is_verified_in_every_way_that_it_can_be_used(classifier_export: Path) -> None:
    assert check_manifest(classifier_export)["verified"] == [
        "AutoModel",
        "AutoModelForSequenceClassification",
        "AutoFeatureExtractor",
        "pipeline ecg-classification",
        "README.md",
    ]


def test_an_export_holds_all_that_the_hub_needs(classifier_export: Path) -> None:
    code = {path.name for path in Path(modeling.__file__).parent.glob("*.py")} - {"__init__.py"}
    assert {path.name for path in classifier_export.iterdir()} == code | {
        "LICENSE",
        "README.md",
        "config.json",
        "example_ecg.npy",
        "export.json",
        "handler.py",
        "metrics.json",
        "model.safetensors",
        "pictures",
        "preprocessor_config.json",
        "requirements.txt",
    }
    assert [path.name for path in (classifier_export / "pictures").iterdir()] == ["example_ecg.png"]


def test_remote_code_is_copied_as_it_stands(classifier_export: Path) -> None:
    for path in set(classifier_export.glob("*.py")) - {classifier_export / "handler.py"}:
        assert path.read_bytes() == (Path(modeling.__file__).parent / path.name).read_bytes()


def test_the_configuration_names_the_remote_code(classifier_export: Path) -> None:
    config = read_json(classifier_export / "config.json")
    assert config["auto_map"] == {
        "AutoConfig": "configuration_ssl_ecg.SslEcgConfig",
        "AutoModel": "modeling_ssl_ecg.SslEcgForSequenceClassification",
        "AutoModelForSequenceClassification": "modeling_ssl_ecg.SslEcgForSequenceClassification",
    }
    assert config["custom_pipelines"] == {
        "ecg-classification": {
            "impl": "pipeline_ssl_ecg.EcgClassificationPipeline",
            "pt": ["AutoModelForSequenceClassification"],
        }
    }
    extractor = read_json(classifier_export / "preprocessor_config.json")
    assert extractor["auto_map"] == {
        "AutoFeatureExtractor": "feature_extraction_ssl_ecg.SslEcgFeatureExtractor"
    }


def test_thresholds_come_from_the_metrics(classifier_export: Path, metrics_file: Path) -> None:
    values = json.loads(metrics_file.read_text(encoding="utf-8"))["thresholds"]["values"]
    config = read_json(classifier_export / "config.json")
    assert config["thresholds"] == [values[name] for name in ("NORM", "MI", "STTC", "HYP", "CD")]
    assert (classifier_export / "metrics.json").read_bytes() == metrics_file.read_bytes()


def test_the_example_is_an_ecg_in_the_form_of_the_model(classifier_export: Path) -> None:
    example = np.load(classifier_export / "example_ecg.npy")
    assert example.dtype == np.float32
    assert example.shape == (12, 1000)
    assert 0.1 < np.abs(example).max() < 10.0
    np.testing.assert_allclose(example[2], example[1] - example[0], atol=1e-5)


def test_the_licence_is_that_of_the_repository(classifier_export: Path) -> None:
    assert (classifier_export / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
def test_a_pretraining_checkpoint_replaces_an_earlier_export(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    output = tmp_path / "byol"
    output.mkdir()
    (output / "old_code.py").write_text("")
    write_manifest(output, {"kind": "encoder"})
    (output / "__pycache__").mkdir()
    (output / "__pycache__" / "old_code.cpython-311.pyc").write_bytes(b"code")
    objective = {"hidden_size": 16, "projection_size": 8}
    checkpoint = save_checkpoint(SslEcgForBYOL, objective_options=objective, num_samples=500)
    export_checkpoint(checkpoint, output, repo_id="user/byol")
    assert [path.name for path in tmp_path.iterdir()] == ["byol"]
    assert not (output / "old_code.py").exists()
    manifest = check_manifest(output)
    assert manifest["kind"] == "pretraining"
    assert manifest["verified"] == [
        "AutoModel",
        "AutoModelForPreTraining",
        "AutoModelForSequenceClassification",
        "AutoFeatureExtractor",
        "README.md",
    ]
    assert read_json(output / "config.json")["auto_map"] == {
        "AutoConfig": "configuration_ssl_ecg.SslEcgConfig",
        "AutoModel": "modeling_ssl_ecg.SslEcgModel",
        "AutoModelForPreTraining": "objective_byol.SslEcgForBYOL",
        "AutoModelForSequenceClassification": "modeling_ssl_ecg.SslEcgForSequenceClassification",
    }


def test_the_auto_map_of_an_encoder() -> None:
    assert auto_map(SslEcgModel(SslEcgConfig())) == {
        "AutoConfig": "configuration_ssl_ecg.SslEcgConfig",
        "AutoModel": "modeling_ssl_ecg.SslEcgModel",
        "AutoModelForSequenceClassification": "modeling_ssl_ecg.SslEcgForSequenceClassification",
    }


@pytest.mark.usefixtures("unverified")
def test_a_given_example_is_brought_into_the_form_of_the_model(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(SslEcgModel, leads=["V1", "II"], sampling_rate=100, num_samples=200)
    seconds = np.arange(1000) / 500.0
    signal = np.stack([np.sin(2 * np.pi * seconds), np.cos(2 * np.pi * seconds)]).astype(np.float32)
    record = EcgRecord(signal=signal, sampling_rate=500.0, leads=("II", "V1"))
    output = export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/two", example=record)
    example = np.load(output / "example_ecg.npy")
    assert example.shape == (2, 200)
    np.testing.assert_allclose(example[1, 40:-40], signal[0, ::5][40:-40], atol=1e-3)


@pytest.mark.usefixtures("unverified")
def test_an_example_without_a_lead_of_the_model_is_refused(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(SslEcgModel, leads=["V1", "II"])
    record = EcgRecord(
        signal=np.random.default_rng(0).normal(size=(1, 1000)), sampling_rate=100, leads=("II",)
    )
    with (
        pytest.warns(UserWarning, match="V1 missing"),
        pytest.raises(ExportError, match=r"lacks leads of \['V1', 'II'\]"),
    ):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/two", example=record)


def test_a_failed_verification_leaves_nothing_behind(
    classifier_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = VerificationReport(steps=("AutoModel",), failed_step="README.md", stderr="Boom\n", seconds=1.0)
    monkeypatch.setattr(export, "verify_export", lambda *args, **kwargs: failed)
    with pytest.raises(ExportError, match=r"step 'README.md' failed after \['AutoModel'\]:\nBoom"):
        export_checkpoint(classifier_checkpoint, tmp_path / "out", repo_id="user/x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(classifier_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ExportError, match="was not written by an export"):
        export_checkpoint(classifier_checkpoint, tmp_path, repo_id="user/x")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    "manifest",
    [
        "{}",
        "[]",
        "no JSON",
        '{"sha256": {}}',
        '{"schema": 1}',
        '{"schema": 1, "sha256": []}',
        '{"schema": 2, "sha256": {}}',
    ],
)
def test_a_folder_with_an_export_json_of_something_else_is_left_alone(
    classifier_checkpoint: Path, tmp_path: Path, manifest: str
) -> None:
    (tmp_path / "export.json").write_text(manifest)
    with pytest.raises(ExportError, match="was not written by an export; choose another folder"):
        export_checkpoint(classifier_checkpoint, tmp_path, repo_id="user/x")
    with pytest.raises(ExportError, match=r"has no export\.json that an export wrote"):
        check_manifest(tmp_path)
    assert (tmp_path / "export.json").read_text() == manifest


def test_files_that_came_to_an_export_are_not_deleted_with_it(
    classifier_checkpoint: Path, classifier_export: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(classifier_export, tmp_path / "release")
    for name in (".git/HEAD", ".git/config", ".gitattributes", "thesis.docx"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("years of work")
    message = (
        r"release holds \.git/HEAD, \.git/config, \.gitattributes and 1 more file\(s\), which its export did "
        r"not write; move what is not of the export elsewhere, or use another folder"
    )
    with pytest.raises(ExportError, match=message):
        export_checkpoint(classifier_checkpoint, folder, repo_id="user/x")
    assert (folder / "thesis.docx").read_text() == (folder / ".git" / "HEAD").read_text() == "years of work"


def test_classes_must_have_names(save_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    checkpoint = save_checkpoint(SslEcgForSequenceClassification, num_labels=2)
    with pytest.raises(ExportError, match=r"classes without a name: \['LABEL_0', 'LABEL_1'\]"):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/x")


def test_metrics_of_an_external_test_are_refused(
    classifier_checkpoint: Path, metrics_file: Path, tmp_path: Path
) -> None:
    dataset = {"name": "our clinic", "simulated": True}
    recipe = {"stage": "finetune", "arguments": {}, "dataset": dataset, "parent": None}
    with pytest.raises(ValueError, match=r"measured on 'random numbers', .* trained on 'our clinic'"):
        export_checkpoint(
            classifier_checkpoint, tmp_path / "out", repo_id="user/x", metrics=metrics_file, recipe=recipe
        )
    assert list(tmp_path.iterdir()) == []


def test_metrics_of_another_model_are_refused(
    save_checkpoint: Callable[..., Path], metrics_file: Path, tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(
        SslEcgForSequenceClassification, id2label={0: "AF", 1: "SR"}, label2id={"AF": 0, "SR": 1}
    )
    with pytest.raises(ValueError, match=r"labels are \['AF', 'SR'\], the metrics' classes"):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/x", metrics=metrics_file)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"has no config\.json"):
        export_checkpoint(tmp_path, tmp_path / "out", repo_id="user/x")


@pytest.mark.parametrize("architectures", [[], ["BertModel"]])
def test_a_checkpoint_of_another_class_is_refused(architectures: list[str], tmp_path: Path) -> None:
    SslEcgConfig(architectures=architectures).save_pretrained(tmp_path / "checkpoint")
    with pytest.raises(ExportError, match=r"expected one of \['SslEcgForBYOL'"):
        export_checkpoint(tmp_path / "checkpoint", tmp_path / "out", repo_id="user/x")


def test_weights_that_do_not_fit_are_refused(save_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    checkpoint = save_checkpoint(SslEcgModel)
    config = read_json(checkpoint / "config.json")
    config["architectures"] = ["SslEcgForSequenceClassification"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match=r"missing_keys.*classifier"):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/x")


def test_a_feature_extractor_that_contradicts_the_model_is_refused(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(SslEcgModel)
    SslEcgFeatureExtractor(STANDARD, 500.0).save_pretrained(checkpoint)
    with pytest.raises(ExportError, match=r"sampling_rate is 500\.0 in preprocessor_config"):
        export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/x")


@pytest.mark.usefixtures("unverified")
def test_settings_of_a_saved_feature_extractor_are_kept(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = save_checkpoint(SslEcgModel)
    SslEcgFeatureExtractor(nan_policy="interpolate").save_pretrained(checkpoint)
    output = export_checkpoint(checkpoint, tmp_path / "out", repo_id="user/x")
    assert read_json(output / "preprocessor_config.json")["nan_policy"] == "interpolate"


@pytest.mark.slow
def test_an_objective_that_wants_further_columns_is_verified(
    save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    objective = {"hidden_size": 16, "projection_size": 8, "patient_aware": True}
    checkpoint = save_checkpoint(SslEcgForSimCLR, objective_options=objective, num_samples=500)
    export_checkpoint(checkpoint, tmp_path / "simclr", repo_id="user/simclr")
    assert "AutoModelForPreTraining" in check_manifest(tmp_path / "simclr")["verified"]


FURTHER = ["ssl_ecg_hf[formats] @ git+https://example.org/ssl_ecg_hf.git@v1", "scipy>=1.11"]


@pytest.mark.usefixtures("unverified")
def test_an_endpoint_installs_what_the_command_line_asks_for(
    classifier_checkpoint: Path, tmp_path: Path
) -> None:
    words = ["export", str(classifier_checkpoint), str(tmp_path / "out"), "--repo_id", "user/x"]
    assert main([*words, "--endpoint_requirements", *FURTHER]) == 0
    lines = (tmp_path / "out" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert list(map(Requirement, lines[-2:])) == list(map(Requirement, FURTHER))
    assert lines[:-2] == requirements_text().splitlines()
    assert check_manifest(tmp_path / "out")["kind"] == "classifier"


@pytest.mark.parametrize(
    "wrong", ["", "not a requirement", "./folder", "# torch", "a @ https://b.org/a.whl\n--index-url"]
)
def test_what_an_endpoint_could_not_install_is_refused(
    classifier_checkpoint: Path, tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"endpoint requirement {wrong!r} cannot be installed (")):
        export_checkpoint(
            classifier_checkpoint,
            tmp_path / "out",
            repo_id="user/x",
            endpoint_requirements=["scipy>=1.11", wrong],
        )
    assert list(tmp_path.iterdir()) == []


def test_only_classifiers_are_served(save_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a classifier is served by an endpoint, this is a checkpoint"):
        export_checkpoint(
            save_checkpoint(SslEcgModel),
            tmp_path / "out",
            repo_id="user/x",
            endpoint_requirements=["scipy>=1.11"],
        )


def test_byte_code_beside_a_tried_handler_is_no_part_of_an_export(
    classifier_export: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    shutil.copytree(classifier_export, folder)
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "handler.cpython-311.pyc").write_bytes(b"code")
    assert check_manifest(folder)["kind"] == "classifier"
    assert not any("__pycache__" in name for name in export_files(folder))
