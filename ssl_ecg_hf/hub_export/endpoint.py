"""What a released classifier needs to be served by Inference Endpoints: handler.py and requirements.txt."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

HANDLER = "handler.py"
REQUIREMENTS = "requirements.txt"
NEEDED: tuple[str, ...] = ("huggingface-hub", "numpy", "safetensors", "torch", "transformers")
"""What the remote code imports; their versions are those that this package states."""

_FURTHER = (
    "# Further ones come from ssl-ecg export --endpoint_requirements; to take recordings as files, too:\n"
    "# ssl_ecg_hf[formats] @ git+https://...\n"
)


def checked_requirement(text: str) -> str:
    """Return a requirement as a line of requirements.txt.

    Raises:
        ValueError: if it is none.

    Example:
        >>> checked_requirement("scipy >= 1.11")
        'scipy>=1.11'
    """
    try:
        line = str(Requirement(text))
        if len(line.splitlines()) == 1:
            return line
        reason = "an address ends with its line"
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
    raise ValueError(
        f"endpoint requirement {text!r} cannot be installed ({reason}); expected a name with versions or an "
        "address, as in 'scipy>=1.11' or 'ssl_ecg_hf[formats] @ git+https://...'"
    )


def requirements_text(further: Sequence[str] = ()) -> str:
    """Return requirements.txt of a release.

    Args:
        further: lines behind those that the remote code needs.
    """
    stated = map(Requirement, requires("ssl_ecg_hf") or [])
    needed = [str(one) for one in stated if one.marker is None and one.name in NEEDED]
    return "\n".join(needed) + f"\n{_FURTHER}" + "".join(f"{line}\n" for line in further)


def write_handler(folder: Path, *, further: Sequence[str] = ()) -> None:
    """Write handler.py and requirements.txt beside the model and the remote code of a classifier.

    Args:
        folder: of the release.
        further: requirements that the handler may use, see :func:`checked_requirement`.
    """
    shutil.copyfile(Path(__file__).with_name(HANDLER), folder / HANDLER)
    (folder / REQUIREMENTS).write_text(requirements_text(further), encoding="utf-8")
