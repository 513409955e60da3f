"""Upload of a verified export to the Hub, in one commit."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from ssl_ecg_hf.hub_export.manifest import ExportError, check_manifest

# An unreachable server raises an error of the HTTP library; which one that is depends on the version of
# huggingface_hub, whose own error derives from it.
_HUB_ERRORS: tuple[type[Exception], ...] = tuple(
    base for base in HfHubHTTPError.__mro__ if issubclass(base, Exception) and base is not Exception
)


def push_export(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str = "Upload SSL-ECG checkpoint",
) -> str:
    """Upload an export to the Hub.

    The token is taken from where ``hf auth login`` or ``HF_TOKEN`` put it.

    Args:
        folder: an export, unchanged since it was verified.
        repo_id: repository on the Hub, ``"user/name"``; created where there is none.
        private: whether a new repository is private.
        revision: branch to commit to; created where there is none. Default the main branch.
        create_pr: open a pull request instead of committing.
        commit_message: title of the commit.

    Returns:
        Address of the commit, or of the pull request.

    Raises:
        ExportError: if the folder is no export, was changed since it was verified or is for another
            repository, if ``private`` is asked for and the repository is public already, or if the Hub
            cannot be reached or refuses.
    """
    manifest = check_manifest(folder)
    if manifest["repo_id"] != repo_id:
        raise ExportError(
            f"{folder.name} was exported for {manifest['repo_id']} and its card says so; export it again for "
            f"{repo_id}"
        )
    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if private and not api.model_info(repo_id).private:
            raise ExportError(
                f"{repo_id} exists and is public; make it private on the Hub, or leave private out"
            )
        if revision is not None and not create_pr:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            create_pr=create_pr,
            commit_message=commit_message,
            delete_patterns="*.py",  # an older export may have other files of remote code
        )
    except _HUB_ERRORS as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ExportError(
            f"{repo_id} was not pushed to {api.endpoint}: {reason}; check the network, the name, and that "
            "you are logged in with a token that may write (hf auth login)"
        ) from error
    return commit.pr_url or commit.commit_url
