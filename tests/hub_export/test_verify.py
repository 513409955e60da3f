from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ssl_ecg_hf.hub_export import clean_process, verify, verify_export
from ssl_ecg_hf.hub_export.checkpoint import load_source


def test_other_weights_than_the_source_model_are_found(classifier_export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tampered"
    shutil.copytree(classifier_export, folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] += np.float32(1e-5)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    report = verify_export(folder, source=load_source(classifier_export))
    assert not report.ok
    assert report.failed_step == "AutoModel"
    assert "AutoModel: logits differs from the source model" in str(report)


@pytest.mark.slow
def test_missing_remote_code_is_found(classifier_export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "incomplete"
    shutil.copytree(classifier_export, folder)
    (folder / "encoder_cnn.py").unlink()
    report = verify_export(folder)
    assert report.failed_step == "AutoModel"
    assert "encoder_cnn" in report.stderr


def test_the_clean_process_is_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    identity = {"HF_TOKEN", "HF_TOKEN_PATH", "HF_OIDC_RESOURCE", "HF_OIDC_ID_TOKEN", "HF_OIDC_OF_LATER"}
    for name in identity | {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_CACHE", "HF_HUB_DISABLE_XET"}:
        monkeypatch.setenv(name, "1")
    environment = verify._environment(tmp_path)
    assert not identity & set(environment)
    assert "HF_HUB_DISABLE_IMPLICIT_TOKEN" not in environment  # a token that it is given would not be used
    assert "HF_HUB_CACHE" not in environment
    assert environment["HF_HUB_DISABLE_XET"] == "1"


def test_the_clean_process_cannot_import_the_package() -> None:
    blocker = clean_process.PackageBlocker()
    for name in ("ssl_ecg_hf", "ssl_ecg_hf.modeling"):
        with pytest.raises(ModuleNotFoundError, match="is blocked"):
            blocker.find_spec(name)
    assert blocker.find_spec("ssl_ecg_hf_other") is None


def test_arrays_must_be_equal_to_the_last_bit() -> None:
    one = np.ones(3, dtype=np.float32)
    clean_process.check_equal("x", one, one.copy())
    with pytest.raises(AssertionError, match=r"x differs from the source model \(largest difference"):
        clean_process.check_equal("x", one, np.nextafter(one, np.float32(2)))
    with pytest.raises(AssertionError, match="shapes differ"):
        clean_process.check_equal("x", one, one[:2])


def test_the_quick_start_runs_with_the_folder_as_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = '```python\nrepo = "user/model"\nprint(repo)\n```\n'
    (tmp_path / "README.md").write_text(f"# Card\n```bash\nexit 1\n```\n{block}", encoding="utf-8")
    clean_process.check_card(tmp_path, str(tmp_path))
    assert capsys.readouterr().err == f"{tmp_path}\n"


def test_a_card_without_quick_start_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Card\n```python\nprint(1)\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="no python block"):
        clean_process.check_card(tmp_path, str(tmp_path))


def test_a_quick_start_that_fails_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text('```python\nrepo = "a/b"\n1 / 0\n```\n', encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        clean_process.check_card(tmp_path, str(tmp_path))


def test_a_release_from_the_hub_must_hold_every_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    expected = {"data/a.txt": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
    clean_process.check_files(tmp_path, expected)
    with pytest.raises(AssertionError, match=r"b\.txt is missing in the repository"):
        clean_process.check_files(tmp_path, {**expected, "b.txt": "0"})
    (tmp_path / "data" / "a.txt").write_text("b")
    with pytest.raises(AssertionError, match=r"data/a\.txt in the repository is not the one"):
        clean_process.check_files(tmp_path, expected)
