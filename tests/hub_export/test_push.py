from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import LocalTokenNotFoundError

from ssl_ecg_hf.hub_export import ExportError, push_export
from ssl_ecg_hf.hub_export.manifest import check_manifest
from ssl_ecg_hf.hub_export.push import _HUB_ERRORS

ROOT = Path(__file__).parents[2]
STANDIN = ROOT.parent / "shared" / "tools" / "hub_standin.py"
TOKEN = "hf_user"  # one of those the stand-in server knows

SESSION = """
import sys
from pathlib import Path
from huggingface_hub import HfApi, snapshot_download
from ssl_ecg_hf.hub_export import ExportError, push_export
from ssl_ecg_hf.hub_export.manifest import check_manifest

folder, api = Path(sys.argv[1]), HfApi()
api.create_repo("user/classifier", private=True)
api.upload_file(path_or_fileobj=b"", path_in_repo="old_code.py", repo_id="user/classifier")
api.upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id="user/classifier")
commits = len(api.list_repo_commits("user/classifier"))
print(push_export(folder, "user/classifier", private=True, commit_message="Version 1"))
assert len(api.list_repo_commits("user/classifier")) == commits + 1
assert api.list_repo_commits("user/classifier")[0].title == "Version 1"
assert api.model_info("user/classifier").private
local = Path(snapshot_download("user/classifier", local_dir=sys.argv[2]))
assert not (local / "old_code.py").exists()
assert (local / "notes.txt").read_text() == "mine"
for name in check_manifest(folder)["sha256"]:
    assert (local / name).read_bytes() == (folder / name).read_bytes(), name
api.delete_file("README.md", "user/classifier")
push_export(folder, "user/classifier", revision="next")
assert "README.md" not in api.list_repo_files("user/classifier")
assert "README.md" in api.list_repo_files("user/classifier", revision="next")
print(push_export(folder, "user/classifier", create_pr=True))
api.update_repo_settings("user/classifier", private=False)
try:
    push_export(folder, "user/classifier", private=True)
except ExportError as error:
    print(error)
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """Address of a stand-in for the Hub on this machine."""
    if not STANDIN.is_file():
        pytest.skip("the stand-in server ../shared/tools/hub_standin.py is not there")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, str(STANDIN), str(tmp_path / "hub"), str(port)])
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_an_export_arrives_in_one_commit(classifier_export: Path, hub: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "HF_ENDPOINT": hub,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    session = subprocess.run(
        [sys.executable, "-c", SESSION, str(classifier_export), str(tmp_path / "download")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert session.returncode == 0, session.stderr
    first, pull_request, refusal = session.stdout.splitlines()
    assert first.startswith(f"{hub}/user/classifier/commit/")
    assert pull_request == f"{hub}/user/classifier/discussions/1"
    assert refusal.startswith("user/classifier exists and is public")
    assert TOKEN not in session.stdout + session.stderr


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_folder_changed_since_it_was_verified_is_refused(
    classifier_export: Path, tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(classifier_export, folder)
    if change == "edit":
        with (folder / "README.md").open("a") as card:
            card.write("AUROC 0.99\n")
    elif change == "add":
        (folder / "optimizer.pt").write_bytes(b"")
    else:
        (folder / "LICENSE").unlink()
    name = {"edit": "README.md", "add": "optimizer.pt", "remove": "LICENSE"}[change]
    with pytest.raises(ExportError, match=f"^{name} changed since copy was verified"):
        push_export(folder, "user/classifier")


def test_an_unchanged_copy_is_accepted(classifier_export: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_export, tmp_path / "copy")
    assert check_manifest(tmp_path / "copy")["kind"] == "classifier"


def test_a_folder_without_verification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"has no export.json, so it is no verified export"):
        push_export(tmp_path, "user/classifier")


def test_an_export_for_another_repository_is_refused(classifier_export: Path) -> None:
    with pytest.raises(ExportError, match="was exported for user/classifier and its card says so"):
        push_export(classifier_export, "user/other")


@pytest.mark.parametrize(
    "error",
    [
        LocalTokenNotFoundError("Token is required,\nbut no token found."),
        _HUB_ERRORS[1]("[Errno -2] Name or service not known"),
    ],
    ids=["no token", "unreachable"],
)
def test_what_the_hub_refuses_is_one_line(
    classifier_export: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    with pytest.raises(
        ExportError, match=r"^user/classifier was not pushed to http.*hf auth login"
    ) as refusal:
        push_export(classifier_export, "user/classifier")
    assert "\n" not in str(refusal.value)
