"""A verified export becomes a release: one commit, read back from the Hub and tried, then tagged."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import get_token
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from ssl_ecg_hf._version import __version__
from ssl_ecg_hf.hub_export.hub_files import FileChange, all_with_state, differ
from ssl_ecg_hf.hub_export.hub_repository import HUB_ERRORS, MAIN, HubRepository, reason_of, without_token
from ssl_ecg_hf.hub_export.manifest import ExportError, check_manifest, repo_type
from ssl_ecg_hf.hub_export.verify import verify_release

_TAG = r"\w+([.+-]\w+)*"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a push would do.

    Args:
        changes: one a file, see :class:`FileChange`.
        note: what else there is to know, e.g. that the repository would be new.
    """

    changes: tuple[FileChange, ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """An export on the Hub that was read back and verified.

    Args:
        url: address of the commit, or of the pull request.
        commit: hash of the commit that holds the export.
        revision: what a reader gives as ``revision``: the tag, else the pull request, else the commit.
        changes: what the push did; all "unchanged" where the Hub held the export already.
        verified: what was tried with the release in a clean process.
    """

    url: str
    commit: str
    revision: str
    changes: tuple[FileChange, ...]
    verified: tuple[str, ...]


def _checked_manifest(folder: Path, repo_id: str) -> dict[str, Any]:
    manifest = check_manifest(folder)
    if manifest["repo_id"] != repo_id:
        raise ExportError(
            f"{folder.name} was exported for {manifest['repo_id']} and its card says so; export it again for "
            f"{repo_id}"
        )
    return manifest


def preview_push(folder: Path, repo_id: str, *, revision: str | None = None) -> Preview:
    """Compare an export with the Hub; nothing is uploaded or created.

    Args:
        folder: an export, unchanged since it was verified.
        repo_id: repository on the Hub, ``"user/name"``.
        revision: branch; default the main branch.

    Returns:
        The changes; where the Hub cannot be asked they are "unknown", and the note says why.

    Raises:
        ExportError: if the folder is no export, was changed since it was verified or is for another
            repository.
    """
    repository = HubRepository(repo_id, repo_type(_checked_manifest(folder, repo_id)))
    endpoint = repository.api.endpoint
    try:
        head = repository.state()
        place = f"{repo_id} is {'private' if head.private else 'public'} on {endpoint}"
        if revision is not None:
            try:
                head = repository.state(revision)
            except RevisionNotFoundError:
                place += f", branch {revision} would be new"
        found = repository.compare(folder, head.sha)
    except RepositoryNotFoundError:
        note = f"{repo_id} would be new on {endpoint} (or it is private and you are not logged in)"
        return Preview(changes=all_with_state(folder, "new"), note=note)
    except HUB_ERRORS as error:
        note = f"{endpoint} cannot be asked what it holds: {reason_of(error)}"
        return Preview(changes=all_with_state(folder, "unknown"), note=note)
    return Preview(changes=found, note=f"{place}, compared with commit {head.sha}")


def _check_tag(repository: HubRepository, tag: str, head: str, found: tuple[FileChange, ...]) -> None:
    """Refuse a tag that is taken by another commit than the one that holds, or will hold, the export."""
    target = repository.tag_target(tag)
    if target is not None and (target != head or differ(found)):
        raise ExportError(
            f"the tag {tag} of {repository.repo_id} exists and points to {target}, which is another release "
            "than this one; choose another tag, nothing was uploaded"
        )


def _upload(
    repository: HubRepository,
    folder: Path,
    *,
    private: bool,
    branch: str,
    create_pr: bool,
    tag: str | None,
    message: str,
) -> tuple[str, str, str, tuple[FileChange, ...]]:
    """Make the Hub hold what the folder holds; returns address, commit, a name of the commit, and changes."""
    repository.create(private=private)
    if branch != MAIN:
        repository.create_branch(branch)
    head = repository.state(branch).sha
    found = repository.compare(folder, head)
    if tag is not None:
        _check_tag(repository, tag, head, found)
    place = (
        f"{repository.api.endpoint}/{'datasets/' if repository.kind == 'dataset' else ''}{repository.repo_id}"
    )
    if not differ(found):
        return f"{place}/commit/{head}", head, head, found
    if create_pr and (known := repository.open_pull_request(folder)) is not None:
        revision, url = known
        return url, repository.state(revision).sha, revision, all_with_state(folder, "unchanged")
    made = repository.commit(folder, found, branch=branch, parent=head, create_pr=create_pr, message=message)
    if create_pr:
        return made.pr_url, made.oid, made.pr_revision, found
    return made.commit_url, made.oid, made.oid, found


def push_export(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = None,
    commit_message: str | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Release:
    """Upload an export to the Hub in one commit, use it from there as a stranger would, then tag it.

    What the Hub holds already is not uploaded again and an empty commit is never made, so that a push which
    was interrupted, anywhere, is completed by the same call. Files of an earlier release that the export
    lacks are deleted; files from elsewhere stay.

    The commit is downloaded into an empty cache, compared with the folder by its hashes and used in a process
    that cannot import this package (:func:`verify_release`); the tag is created only after that. The token
    is taken from where ``hf auth login`` or ``HF_TOKEN`` put it; the process gets it only where the
    repository is private or gated.

    Args:
        folder: an export, unchanged since it was verified.
        repo_id: repository on the Hub, ``"user/name"``; created where there is none.
        private: whether a new repository is private.
        revision: branch to commit to; created where there is none. Default the main branch.
        create_pr: open a pull request instead of committing; one that is open and holds the export is kept.
        tag: name for the commit, e.g. "v1.0".
        commit_message: title of the commit; by default it names the kind of the export and this version.
        say: is given a line as each stage begins.

    Returns:
        The release.

    Raises:
        ExportError: if the folder is no export, was changed since it was verified or is for another
            repository, ``private`` is asked for and the repository is public already, the tag points
            elsewhere, the Hub cannot be reached or refuses, or the release does not work.
        ValueError: if options exclude each other.
    """
    if create_pr and (revision is not None or tag is not None):
        raise ValueError(
            "a pull request goes to the main branch and is tagged after it was merged; leave create_pr out, "
            "or revision and tag"
        )
    if tag is not None and not re.fullmatch(_TAG, tag, re.ASCII):
        raise ValueError(f"tag {tag!r} must be letters and digits, divided by '.', '-' or '+', e.g. v1.0")
    manifest = _checked_manifest(folder, repo_id)
    repository = HubRepository(repo_id, repo_type(manifest))
    say(f"comparing {folder} with {repo_id} on {repository.api.endpoint}")
    with repository.explained("pushed to"):
        url, commit, pinned, found = _upload(
            repository,
            folder,
            private=private,
            branch=revision or MAIN,
            create_pr=create_pr,
            tag=tag,
            message=commit_message or f"{manifest['kind'].capitalize()} by ssl_ecg_hf {__version__}",
        )
        state = repository.state(pinned)
        main = repository.state().sha
    say(f"{'committed' if differ(found) else 'nothing to change, the Hub holds this export'}: {url}")
    if state.sha != commit:
        raise ExportError(f"{pinned} of {repo_id} moved to {state.sha} while {commit} was pushed; push again")
    say("reading it back in a clean process")
    report = verify_release(
        folder,
        repo_id,
        revision=pinned,
        endpoint=repository.api.endpoint,
        token=get_token() if state.private or state.gated else None,
        as_written=commit == main,
    )
    if not report.ok:
        raise ExportError(
            f"{url} was uploaded but does not work as read back from the Hub, so that it got no tag: "
            f"{without_token(str(report))}"
        )
    if tag is not None:
        with repository.explained(f"tagged {tag} on"):
            if repository.tag_target(tag) != commit:
                repository.tag(tag, commit)
    return Release(url=url, commit=commit, revision=tag or pinned, changes=found, verified=report.steps)
