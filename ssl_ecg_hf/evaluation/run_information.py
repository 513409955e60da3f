"""What a result was made with: versions and the state of the sources, no paths and no host names."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ssl_ecg_hf._version import __version__

LIBRARIES: tuple[str, ...] = ("torch", "transformers", "datasets", "numpy", "scipy", "scikit-learn")


def run_information() -> dict[str, Any]:
    """Describe the program that runs.

    Returns:
        ``{"date", "ssl_ecg_hf", "git_revision", "git_modified", "python", "platform", "libraries"}``; the
        date in UTC (ISO 8601); `git_modified` tells whether files of the package differ from the revision;
        both git entries None where the package does not run from its checkout.
    """
    revision, modified = _git_state(Path(__file__).resolve().parents[1])
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "ssl_ecg_hf": __version__,
        "git_revision": revision,
        "git_modified": modified,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _git_state(package: Path) -> tuple[str | None, bool | None]:
    """Revision of the checkout that holds ``package`` at its top, and whether the package differs from it."""
    prefix = _git(package, "rev-parse", "--show-prefix")
    # Installed into a virtual environment inside somebody else's repository, the prefix is another one.
    if prefix != f"{package.name}/":
        return None, None
    revision = _git(package, "rev-parse", "HEAD")
    # Not what else the checkout holds: a table of results that grows is no change of the sources.
    changes = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return revision, None if changes is None else changes != ""


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        finished = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()
