import json
import platform
import re
import shutil
import subprocess

import pytest

from ssl_ecg_hf.evaluation.run_information import LIBRARIES, _git_state, run_information

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_versions_but_no_paths_and_no_names():
    found = run_information()
    assert set(found["libraries"]) == set(LIBRARIES)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["date"])
    text = json.dumps(found)
    assert "/" not in text
    assert platform.node() not in text or len(platform.node()) < 4


@needs_git
def test_a_checkout_has_a_revision_and_says_whether_it_was_changed(tmp_path):
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    assert _git_state(package) == (None, None)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    revision, modified = _git_state(package)
    assert re.fullmatch(r"[0-9a-f]{40}", revision)
    assert modified is False
    (tmp_path / "results.md").write_text("0.89\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "second")
    (tmp_path / "results.md").write_text("0.90\n")  # not of the package
    revision, modified = _git_state(package)
    assert modified is False
    (package / "a.py").write_text("x = 2\n")
    assert _git_state(package) == (revision, True)


@needs_git
def test_a_package_installed_inside_another_repository_has_no_revision(tmp_path):
    package = tmp_path / "venv" / "some_package"
    package.mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    assert _git_state(package) == (None, None)
