from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import LocalTokenNotFoundError

from ssl_ecg_hf.cli.push import main as push_command
from ssl_ecg_hf.hub_export import ExportError, VerificationReport, preview_push, push, push_export
from ssl_ecg_hf.hub_export.hub_files import earlier_files
from ssl_ecg_hf.hub_export.hub_repository import HUB_ERRORS
from ssl_ecg_hf.hub_export.manifest import MANIFEST, check_manifest, write_manifest
from ssl_ecg_hf.hub_export.verify import verify_release

# huggingface_hub uploads large files in a way that its HTTP library does not like any more.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
NAME = "user/classifier"
USED = [
    "download",
    "AutoModel",
    "AutoModelForSequenceClassification",
    "AutoFeatureExtractor",
    "pipeline ecg-classification",
    "README.md",
]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Leave out the clean process, which costs seconds; what it would have been told."""
    asked: list[dict[str, Any]] = []

    def passed(folder: Path, repo_id: str, **told: Any) -> VerificationReport:
        asked.append(told)
        return VerificationReport(steps=("download",), failed_step=None, stderr="", seconds=0.0)

    monkeypatch.setattr(push, "verify_release", passed)
    return asked


@pytest.fixture
def folder(classifier_export: Path, tmp_path: Path) -> Path:
    """A copy of an export, to be changed."""
    return shutil.copytree(classifier_export, tmp_path / "copy")


def change(folder: Path, name: str, content: str | None) -> None:
    """Write or remove a file and verify the export again, so to say."""
    manifest = check_manifest(folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    write_manifest(folder, {key: manifest[key] for key in ("kind", "repo_id", "verified", "versions")})


def states(release: Any) -> dict[str, str]:
    return {entry.path: entry.state for entry in release.changes}


@pytest.mark.slow
def test_a_private_release_by_the_command_line(
    classifier_export: Path, hub: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["push", str(classifier_export), NAME, "--private", "--tag", "v1.0", "--message", "Version 1"]
    finished = subprocess.run(
        [sys.executable, "-m", "ssl_ecg_hf", *command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    repo = hub.repo(NAME)
    assert repo.private
    assert [title for _, title, _ in repo.commits] == ["initial commit", "Version 1"]
    commit = repo.refs["refs/heads/main"]
    assert repo.refs["refs/tags/v1.0"] == commit
    for path in filter(Path.is_file, classifier_export.rglob("*")):
        name = path.relative_to(classifier_export).as_posix()
        assert repo.files("v1.0")[name].content == path.read_bytes()
    assert f"verified from the Hub: {', '.join(USED)}" in finished.stdout
    assert f"released: {NAME}, revision='v1.0', {hub.url}/{NAME}/commit/{commit}" in finished.stdout
    assert os.environ["HF_TOKEN"] not in finished.stdout + finished.stderr
    assert f"GET /{NAME}/resolve/{commit}/config.json" in hub.requests


@pytest.mark.slow
def test_a_pull_request_is_read_back_before_it_is_merged(
    classifier_export: Path, hub: Any, request: pytest.FixtureRequest
) -> None:
    release = push_export(classifier_export, NAME, create_pr=True)
    assert release.revision == "refs/pr/1"
    assert release.url == f"{hub.url}/{NAME}/discussions/1"
    assert list(release.verified) == USED
    repo = hub.repo(NAME)
    assert set(repo.files("main")) == {".gitattributes"}
    assert repo.refs["refs/pr/1"] == release.commit
    request.getfixturevalue("unread")
    again = push_export(classifier_export, NAME, create_pr=True)
    assert (again.revision, again.commit, again.url) == (release.revision, release.commit, release.url)
    assert set(states(again).values()) == {"unchanged"}
    assert repo.pull_requests == ["Classifier by ssl_ecg_hf 0.1.0"]


def test_what_arrives_damaged_is_found_and_not_tagged(folder: Path, hub: Any) -> None:
    said: list[str] = []

    def damage(line: str) -> None:
        said.append(line)
        if line.startswith("reading it back"):
            files = hub.repo(NAME).files("main")
            files["config.json"] = type(files["config.json"])(b"{}", large=False)

    with pytest.raises(ExportError, match="step 'download' failed") as error:
        push_export(folder, NAME, tag="v1", say=damage)
    assert "config.json in the repository is not the one that was exported" in str(error.value)
    assert f"{hub.url}/{NAME}/commit/" in str(error.value)
    assert "it got no tag" in str(error.value)
    assert "refs/tags/v1" not in hub.repo(NAME).refs
    assert said[1].startswith("committed: ")


def test_a_repeated_push_changes_nothing(folder: Path, hub: Any, unread: list[dict[str, Any]]) -> None:
    first = push_export(folder, NAME)
    assert set(states(first).values()) == {"new"}
    said: list[str] = []
    again = push_export(folder, NAME, say=said.append)
    assert again.commit == first.commit == again.revision
    assert set(states(again).values()) == {"unchanged"}
    assert len(hub.repo(NAME).commits) == 2  # with that of the new repository
    assert said[1] == f"nothing to change, the Hub holds this export: {again.url}"
    told = {"revision": first.commit, "endpoint": hub.url, "token": None, "as_written": True}
    assert unread == [told, told]  # it is verified all the same
    assert push_export(folder, NAME, tag="v1").revision == "v1"
    assert push_export(folder, NAME, tag="v1").revision == "v1"
    assert hub.repo(NAME).refs["refs/tags/v1"] == first.commit


@pytest.mark.parametrize("moment", ["large_files", "store", "commit"])
@pytest.mark.usefixtures("unread")
def test_an_interrupted_push_is_completed_by_the_next(folder: Path, hub: Any, moment: str) -> None:
    hub.faults[moment] = "refuse"
    with pytest.raises(ExportError, match=r"^user/classifier was not pushed to http.*out of order"):
        push_export(folder, NAME, tag="v1")
    assert len(hub.repo(NAME).commits) == 1
    assert set(hub.repo(NAME).refs) == {"refs/heads/main"}
    hub.faults.clear()
    hub.requests.clear()
    release = push_export(folder, NAME, tag="v1")
    assert len(hub.repo(NAME).commits) == 2
    assert hub.repo(NAME).refs["refs/tags/v1"] == release.commit
    sent = [request for request in hub.requests if request.startswith("PUT /stored/")]
    assert len(sent) == (0 if moment == "commit" else 2)  # weights and example


@pytest.mark.usefixtures("unread")
def test_a_commit_whose_answer_was_lost_is_not_made_twice(folder: Path, hub: Any) -> None:
    hub.faults["commit"] = "lose the answer"
    with pytest.raises(ExportError, match="was not pushed"):
        push_export(folder, NAME)
    hub.faults.clear()
    release = push_export(folder, NAME)
    assert len(hub.repo(NAME).commits) == 2
    assert set(states(release).values()) == {"unchanged"}
    assert release.commit == hub.repo(NAME).refs["refs/heads/main"]


def test_a_release_that_does_not_work_gets_its_tag_later(
    folder: Path, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok = VerificationReport(steps=("download",), failed_step=None, stderr="", seconds=0.0)
    bad = VerificationReport(steps=("download",), failed_step="AutoModel", stderr="Boom", seconds=0.0)
    reports = iter([bad, ok])
    monkeypatch.setattr(push, "verify_release", lambda *args, **told: next(reports))
    with pytest.raises(ExportError, match="step 'AutoModel' failed after") as error:
        push_export(folder, NAME, tag="v1")
    assert "Boom" in str(error.value)
    assert "refs/tags/v1" not in hub.repo(NAME).refs
    release = push_export(folder, NAME, tag="v1")
    assert hub.repo(NAME).refs["refs/tags/v1"] == release.commit


@pytest.mark.usefixtures("unread")
def test_a_tag_never_moves(folder: Path, hub: Any) -> None:
    first = push_export(folder, NAME, tag="v1")
    change(folder, "README.md", "# Another card\n")
    with pytest.raises(ExportError, match=f"tag v1 of {NAME} exists and points to {first.commit}"):
        push_export(folder, NAME, tag="v1")
    assert len(hub.repo(NAME).commits) == 2  # nothing was uploaded
    second = push_export(folder, NAME, tag="v2")
    assert states(second)["README.md"] == "changed"
    assert states(second)["config.json"] == "unchanged"
    refs = hub.repo(NAME).refs
    assert (refs["refs/tags/v1"], refs["refs/tags/v2"]) == (first.commit, second.commit)


@pytest.mark.usefixtures("unread")
def test_files_of_an_older_release_go_and_those_of_others_stay(folder: Path, hub: Any) -> None:
    change(folder, "old_weights.onnx", "old")
    push_export(folder, NAME)
    files = hub.repo(NAME).files("main")
    one = files[".gitattributes"]
    files |= {"old_code.py": one, "notes.txt": one, "scripts/mine.py": one}
    change(folder, "old_weights.onnx", None)
    release = push_export(folder, NAME)
    gone = {path for path, state in states(release).items() if state == "deleted"}
    assert gone == {"old_weights.onnx", "old_code.py"}
    own = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    kept = set(hub.repo(NAME).files("main")) - own
    assert kept == {".gitattributes", "notes.txt", "scripts/mine.py"}


def test_a_branch_is_made_where_there_is_none(folder: Path, hub: Any, unread: list[dict[str, Any]]) -> None:
    release = push_export(folder, NAME, revision="next", private=True)
    repo = hub.repo(NAME)
    assert repo.refs["refs/heads/next"] == release.commit != repo.refs["refs/heads/main"]
    assert "README.md" not in repo.files("main")
    (told,) = unread
    assert told["token"] == os.environ["HF_TOKEN"]  # a private repository cannot be read without
    assert told["as_written"] is False  # the card's code would get the main branch
    repo.private = False
    with pytest.raises(ExportError, match=r"^user/classifier exists and is public"):
        push_export(folder, NAME, private=True)


@pytest.mark.parametrize("gated", ["auto", "manual"])
def test_a_gated_repository_is_read_back_with_the_token(
    folder: Path, hub: Any, unread: list[dict[str, Any]], gated: str
) -> None:
    HfApi().create_repo(NAME)
    hub.repo(NAME).gated = gated
    push_export(folder, NAME)
    (told,) = unread
    assert told["token"] == os.environ["HF_TOKEN"]


def test_files_of_a_gated_repository_are_not_for_strangers(
    folder: Path, hub: Any, unread: list[dict[str, Any]]
) -> None:
    release = push_export(folder, NAME)
    hub.repo(NAME).gated = "auto"
    report = verify_release(
        folder, NAME, revision=release.commit, endpoint=hub.url, token=None, as_written=True
    )
    assert report.failed_step == "download"
    assert f"Access to {NAME} is restricted" in report.stderr


@pytest.mark.usefixtures("unread")
def test_somebody_else_commits_at_the_same_time(
    folder: Path, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = HfApi.create_commit

    def late(self: HfApi, *args: Any, **options: Any) -> Any:
        repo = hub.repo(NAME)
        repo.commit("refs/heads/main", "theirs", dict(repo.files("main")))
        return create(self, *args, **options)

    monkeypatch.setattr(HfApi, "create_commit", late)
    with pytest.raises(ExportError, match="A commit has happened since"):
        push_export(folder, NAME)
    assert [title for _, title, _ in hub.repo(NAME).commits] == ["initial commit", "theirs"]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    folder: Path, hub: Any, unread: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder), NAME, "--dry_run"]
    push_command(words)
    new = capsys.readouterr().out
    assert f"{NAME} would be new on {hub.url}" in new
    assert re.search(r"^LICENSE +11\.4 kB +new$", new, re.MULTILINE)
    assert hub.repos == {}
    push_export(folder, NAME)
    change(folder, "README.md", "# Another card\n")
    hub.repo(NAME).files("main")["old_code.py"] = hub.repo(NAME).files("main")["LICENSE"]
    commit = hub.repo(NAME).refs["refs/heads/main"]
    push_command([*words, "--revision", "next"])
    text = capsys.readouterr().out
    assert re.search(r"^README\.md +15 B +changed$", text, re.MULTILINE)
    assert re.search(r"^config\.json +1\.\d kB +unchanged$", text, re.MULTILINE)
    assert re.search(r"^old_code\.py +11\.4 kB +deleted$", text, re.MULTILINE)
    assert "1 deleted; to upload: " in text
    assert f"branch next would be new, compared with commit {commit}" in text
    assert set(hub.repo(NAME).refs) == {"refs/heads/main"}
    assert len(unread) == 1  # of the push
    assert not [line for line in hub.requests[-20:] if "branch" in line and line.startswith("POST")]


def test_a_dry_run_without_a_hub(folder: Path, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    preview = preview_push(folder, NAME)
    assert {entry.state for entry in preview.changes} == {"unknown"}
    assert preview.note.startswith("http://127.0.0.1:9 cannot be asked what it holds: ")


@pytest.mark.parametrize(
    "word", ["marker", "marker\x00"], ids=["unknown to the Hub", "no header can hold it"]
)
def test_the_token_is_not_quoted(
    folder: Path,
    hub: Any,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._auth._get_token_from_environment", lambda: f"hf_{word}")
    with pytest.raises(ExportError, match="was not pushed") as error:
        push_export(folder, NAME, say=print)
    assert "hf_marker" not in "".join(traceback.format_exception(error.value))
    assert "hf_marker" not in "".join(capfd.readouterr())
    assert "hf_marker" not in preview_push(folder, NAME).note


@pytest.mark.usefixtures("unread")
def test_the_token_is_in_no_file(folder: Path, hub: Any, tmp_path: Path) -> None:
    push_export(folder, NAME, private=True)
    token = os.environ["HF_TOKEN"].encode()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or token not in path.read_bytes(), path
    assert not any(token in file.content for file in hub.repo(NAME).files("main").values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"create_pr": True, "tag": "v1"}, "a pull request goes to the main branch"),
        ({"create_pr": True, "revision": "next"}, "a pull request goes to the main branch"),
        ({"tag": "v 1"}, "tag 'v 1' must be letters and digits"),
        ({"tag": "v1..2"}, "tag 'v1..2' must be"),
    ],
)
def test_options_that_cannot_be(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        push_export(folder, NAME, **options)


@pytest.mark.parametrize("kind", ["edit", "add", "remove"])
def test_a_folder_changed_since_it_was_verified_is_refused(folder: Path, kind: str) -> None:
    if kind == "edit":
        with (folder / "README.md").open("a") as card:
            card.write("AUROC 0.99\n")
    elif kind == "add":
        (folder / "optimizer.pt").write_bytes(b"")
    else:
        (folder / "LICENSE").unlink()
    message = {
        "edit": r"^README\.md changed since copy was verified; export it again",
        "add": r"^copy holds optimizer\.pt, which its export did not write; move what",
        "remove": "^LICENSE changed since copy was verified; export it again",
    }[kind]
    for function in (push_export, preview_push):
        with pytest.raises(ExportError, match=message):
            function(folder, NAME)


def test_an_unchanged_copy_is_accepted(folder: Path) -> None:
    assert check_manifest(folder)["kind"] == "classifier"


def test_a_folder_without_verification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"has no export.json that an export wrote"):
        push_export(tmp_path, NAME)


def test_an_export_for_another_repository_is_refused(classifier_export: Path) -> None:
    with pytest.raises(ExportError, match="was exported for user/classifier and its card says so"):
        push_export(classifier_export, "user/other")


@pytest.mark.parametrize(
    "error",
    [
        LocalTokenNotFoundError("Token is required,\nbut no token found."),
        HUB_ERRORS[1]("[Errno -2] Name or service not known"),
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
        push_export(classifier_export, NAME)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content", ["[]", "{}", "no JSON", '{"schema": 1, "sha256": 3}', '{"sha256": {"a": "b"}}']
)
def test_a_manifest_of_somebody_else_names_no_files(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    assert earlier_files(tmp_path / MANIFEST) == []
