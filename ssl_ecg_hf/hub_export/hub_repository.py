"""A repository on the Hub: what is there, and how it is changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from ssl_ecg_hf.hub_export.hub_files import FileChange, changes, differ, earlier_files
from ssl_ecg_hf.hub_export.manifest import MANIFEST, ExportError, RepoType

MAIN = "main"
# An unreachable server raises an error of the HTTP library; which one that is depends on the version of
# huggingface_hub, whose own error derives from it. A RuntimeError says which large file did not arrive.
HUB_ERRORS: tuple[type[Exception], ...] = (
    *(base for base in HfHubHTTPError.__mro__ if issubclass(base, Exception) and base is not Exception),
    RuntimeError,
)


def without_token(text: str) -> str:
    """Return a text without the token of this machine, should it stand there."""
    token = get_token()
    if token:
        for form in (token, repr(token)[1:-1]):  # a header that cannot be sent is quoted with escapes
            text = text.replace(form, "<token>")
    return text


def reason_of(error: Exception) -> str:
    """Return what an error of the Hub and its cause say, in one line and without the token."""
    said = [str(each) for each in (error, error.__cause__) if each is not None]
    return without_token(" ".join(" ".join(said).split()).rstrip("."))


class HubRepository:
    """A repository, seen with the token that ``hf auth login`` or ``HF_TOKEN`` left on this machine.

    Args:
        repo_id: ``"user/name"``.
        kind: model or dataset.
    """

    def __init__(self, repo_id: str, kind: RepoType) -> None:
        self.api, self.repo_id, self.kind = HfApi(), repo_id, kind

    @contextmanager
    def explained(self, done: str) -> Iterator[None]:
        """Turn what the Hub or the way to it refuses into one line.

        Args:
            done: what was not done, e.g. "pushed to".
        """
        try:
            yield
        except HUB_ERRORS as error:
            # Not `from error`: the error of the HTTP library may quote the token.
            raise ExportError(
                f"{self.repo_id} was not {done} {self.api.endpoint}: {reason_of(error)}; check the network, "
                "the name, and that you are logged in with a token that may write (hf auth login); then push "
                "again, what arrived is not sent twice"
            ) from None

    def create(self, *, private: bool) -> None:
        """Create the repository where it does not exist.

        Raises:
            ExportError: if it shall be private and is public already.
        """
        self.api.create_repo(self.repo_id, repo_type=self.kind, private=private, exist_ok=True)
        if private and not self.state().private:
            raise ExportError(
                f"{self.repo_id} exists and is public; make it private on the Hub, or leave private out"
            )

    def create_branch(self, branch: str) -> None:
        """Create a branch at the head of the main branch where it does not exist."""
        self.api.create_branch(self.repo_id, branch=branch, repo_type=self.kind, exist_ok=True)

    def state(self, revision: str = MAIN) -> Any:
        """Return what the Hub says of a revision: ``sha`` of its commit, ``private``, ``gated`` and more."""
        return self.api.repo_info(self.repo_id, repo_type=self.kind, revision=revision)

    def compare(self, folder: Path, commit: str) -> tuple[FileChange, ...]:
        """Return what would change if a commit were replaced by a folder."""
        entries = self.api.list_repo_tree(self.repo_id, recursive=True, revision=commit, repo_type=self.kind)
        remote = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
        earlier: list[str] = []
        if MANIFEST in remote:
            with tempfile.TemporaryDirectory() as name:
                path = self.api.hf_hub_download(
                    self.repo_id, MANIFEST, repo_type=self.kind, revision=commit, local_dir=name
                )
                earlier = earlier_files(Path(path))
        return changes(folder, remote, kind=self.kind, earlier=earlier)

    def tag_target(self, tag: str) -> str | None:
        """Return the commit that a tag points to, None where there is no such tag."""
        tags = self.api.list_repo_refs(self.repo_id, repo_type=self.kind).tags
        return next((ref.target_commit for ref in tags if ref.name == tag), None)

    def tag(self, tag: str, commit: str) -> None:
        """Let a new tag point to a commit."""
        self.api.create_tag(self.repo_id, tag=tag, revision=commit, repo_type=self.kind)

    def open_pull_request(self, folder: Path) -> tuple[str, str] | None:
        """Return revision and address of an open pull request that holds the folder as it is, if any does."""
        for discussion in self.api.get_repo_discussions(
            self.repo_id, repo_type=self.kind, discussion_type="pull_request", discussion_status="open"
        ):
            revision = f"refs/pr/{discussion.num}"
            if not differ(self.compare(folder, self.state(revision).sha)):
                return revision, discussion.url
        return None

    def commit(
        self,
        folder: Path,
        found: Sequence[FileChange],
        *,
        branch: str,
        parent: str,
        create_pr: bool,
        message: str,
    ) -> Any:
        """Make the changes in one commit, on a branch that still ends at ``parent``, or in a pull request."""
        operations: list[CommitOperationAdd | CommitOperationDelete] = []
        for change in found:
            if change.state == "deleted":
                operations.append(CommitOperationDelete(change.path))
            elif change.state != "unchanged":
                operations.append(CommitOperationAdd(change.path, folder / change.path))
        return self.api.create_commit(
            self.repo_id,
            operations,
            repo_type=self.kind,
            revision=branch,
            create_pr=create_pr,
            parent_commit=parent,
            commit_message=message,
        )
