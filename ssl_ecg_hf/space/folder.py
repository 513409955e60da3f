"""The folder of a Hugging Face Space: the page of a release, with all it needs beside it."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import metadata, requires
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from ssl_ecg_hf._version import __version__
from ssl_ecg_hf.data import STANDARD_LEADS, SUPERCLASSES
from ssl_ecg_hf.data.simulator import simulate_ecg
from ssl_ecg_hf.files import replacing_folder

GRADIO = "6.31.0"
"""Version of Gradio that a Space runs."""

EXTRAS = ("formats", "space")
EXAMPLES = "examples"
EXAMPLE_RATE = 250.0  # Hz
EXAMPLE_CLASSES = ("NORM", "MI")

_MARK = "# Written by ssl-ecg space."
_APP = '''\
{mark} The page itself is ssl_ecg_hf/space/page.py.
"""Runs the page: python app.py. SSL_ECG_MODEL names another release, a folder for instance."""

import os
from pathlib import Path

from ssl_ecg_hf.space.page import LAUNCH_OPTIONS, build_app

examples = sorted((Path(__file__).parent / "{examples}").iterdir())
app = build_app(os.environ.get("SSL_ECG_MODEL", "{repo_id}"), examples=examples)

if __name__ == "__main__":
    app.launch(**LAUNCH_OPTIONS)
'''
_README = """\
---
title: {name}
sdk: gradio
sdk_version: {gradio}
python_version: "3.12"
app_file: app.py
license: apache-2.0
short_description: Classify a 12-lead ECG and see what the model used
models:
- {repo_id}
---

# {name}

Classifies 12-lead ECGs with [{repo_id}](https://huggingface.co/{repo_id}):
drop a file, see the leads on ECG paper, the probabilities, and which part of which lead mattered.
**Not a medical device.** For research only.

Files are read in memory and a temporary folder and deleted within 20 minutes; nothing else is kept. The
examples are simulated, they come from no patient.

## Run it

    pip install -r requirements.txt
    python app.py                          # SSL_ECG_MODEL=FOLDER python app.py: with a release in a folder

The page's code lies beside this file as `ssl_ecg_hf/`, version {version}, so that it needs no release of
that package.

## Ask it from a program

`SPACE` is the address of the page, `http://127.0.0.1:7860` where it runs here. Upload the file, start, read
the answer:

```bash
SPACE=http://127.0.0.1:7860
path=$(curl -s -F "files=@{examples}/{example}" $SPACE/gradio_api/upload | tr -d '[]"')
call='{{"data": [[{{"path": "'$path'", "meta": {{"_type": "gradio.FileData"}}}}], "", "", "", false]}}'
event=$(curl -s $SPACE/gradio_api/call/predict -H "Content-Type: application/json" -d "$call" | cut -d'"' -f4)
curl -sN $SPACE/gradio_api/call/predict/$event
```

Behind the file stand the sampling rate in Hz (`"500"`), the unit (`"mV"`, `"uV"`, `"V"`) and the leads
(`"standard"`, or names as in `"I II V1"`), each only where the file does not state it, and whether missing
samples are interpolated. The answer is a line `data: ` with probabilities and thresholds as JSON, or
`event: error` with what was wrong.
"""
_REQUIREMENTS = """\
# The model is small: without the line below, pip fetches gigabytes for a GPU.
--extra-index-url https://download.pytorch.org/whl/cpu
"""


def requirements(extras: tuple[str, ...] = EXTRAS) -> list[str]:
    """Return what the package and its extras need, as it states them, without the package itself.

    Args:
        extras: names of optional parts.

    Raises:
        ValueError: if the package was installed when it had none of that name.
    """
    stated = metadata("ssl_ecg_hf").get_all("Provides-Extra") or []
    if unknown := sorted(set(extras) - set(stated)):
        raise ValueError(
            f"the installed ssl_ecg_hf has no extra {', '.join(unknown)}, so it does not state what the page "
            "needs; install it again: pip install ."
        )
    found = []
    for line in requires("ssl_ecg_hf") or []:
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            needed.marker = None
            found.append(str(needed))
    return sorted(set(found))


def _write_example(folder: Path, name: str) -> Path:
    """Write a simulated recording that states everything."""
    labels = np.array([[label == name for label in SUPERCLASSES]], dtype=np.int8)
    rng = np.random.default_rng(0)
    signal = simulate_ecg(labels, sampling_rate=EXAMPLE_RATE, rng=rng)[0]
    times = np.arange(signal.shape[1]) / EXAMPLE_RATE
    path = folder / f"simulated_{name.lower()}.csv"
    header = ",".join(["time_s", *(f"{lead}_mV" for lead in STANDARD_LEADS)])
    np.savetxt(path, np.vstack([times, signal]).T, fmt="%.3f", delimiter=",", header=header, comments="")
    return path


def _is_space(folder: Path) -> bool:
    """Whether a folder is a Space that was written here, with nothing else at its top, such as a `.git`."""
    app, written = folder / "app.py", {"README.md", "LICENSE", "app.py", "requirements.txt", EXAMPLES}
    return (
        app.is_file()
        and app.read_text(encoding="utf-8").startswith(_MARK)
        and {path.name for path in folder.iterdir()} <= {*written, Path(__file__).parents[1].name}
    )


def _build(folder: Path, *, repo_id: str) -> None:
    package = Path(__file__).parents[1]
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(package / "hub_export" / "apache-2.0.txt", folder / "LICENSE")
    (folder / EXAMPLES).mkdir()
    files = [_write_example(folder / EXAMPLES, name) for name in EXAMPLE_CLASSES]
    app = _APP.format(mark=_MARK, examples=EXAMPLES, repo_id=repo_id)
    (folder / "app.py").write_text(app, encoding="utf-8")
    lines = _REQUIREMENTS + "\n".join(requirements()) + "\n"
    (folder / "requirements.txt").write_text(lines, encoding="utf-8")
    readme = _README.format(
        name=repo_id.split("/")[-1],
        repo_id=repo_id,
        gradio=GRADIO,
        version=__version__,
        examples=EXAMPLES,
        example=files[0].name,
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def write_space(output: Path, *, repo_id: str) -> Path:
    """Write a folder that runs as a Gradio Space, and here with ``python app.py``.

    It carries the sources of this package, so it works before and without a release of the package, and
    keeps working when the package changes.

    Args:
        output: folder to write; it appears once it is complete. An earlier one is replaced, any other folder
            there is left alone.
        repo_id: repository on the Hub, ``"user/name"``, of the classifier that the page uses.

    Returns:
        ``output``.

    Raises:
        ValueError: if ``output`` exists and was not written by this function, or ``repo_id`` is not valid.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
        raise ValueError(
            f"repo_id {repo_id!r} is not valid; expected owner/name of letters, digits, '.', '_', '-'"
        )
    if output.exists() and not _is_space(output) and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(
            f"{output} exists and was not written by ssl-ecg space, or other files came to it; choose "
            "another folder"
        )
    with replacing_folder(output) as building:
        _build(building, repo_id=repo_id)
    return output
