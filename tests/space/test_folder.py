from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data import read_upload
from ssl_ecg_hf.space import folder as space_folder
from ssl_ecg_hf.space.analysis import analyse, load_classify
from ssl_ecg_hf.space.folder import requirements, write_space

ROOT = Path(__file__).resolve().parents[2]


def stated(*extras: str) -> list[str]:
    """What setup.cfg requires of the package and of some extras."""
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [metadata["options"]["install_requires"]]
    lists += [metadata["options.extras_require"][extra] for extra in extras]
    return sorted({str(Requirement(line)) for text in lists for line in text.split("\n") if line})


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_space(tmp_path_factory.mktemp("spaces") / "page", repo_id="user/small-ecg")


def test_it_is_a_gradio_space_with_all_it_needs(space: Path) -> None:
    text = (space / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["sdk"] == "gradio"
    assert header["sdk_version"] == space_folder.GRADIO
    assert header["models"] == ["user/small-ecg"]
    assert len(header["short_description"]) <= 60  # the Hub refuses longer ones
    assert (space / header["app_file"]).is_file()
    assert "Not a medical device" in text
    assert "{" not in re.sub(r"```bash.*?```", "", text, flags=re.DOTALL)
    assert (space / "ssl_ecg_hf" / "space" / "page.py").is_file()
    assert not list(space.rglob("__pycache__"))
    for example in sorted((space / "examples").iterdir()):
        assert read_upload([example]).duration == 10.0


def test_its_requirements_are_those_of_the_package(space: Path) -> None:
    lines = (space / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("--extra-index-url https://download.pytorch.org")
    assert lines[2:] == requirements()
    names = {Requirement(line).name for line in lines[2:]}
    assert {"torch", "gradio", "captum", "ecgdatakit"} <= names
    assert not [line for line in lines if line.startswith("ssl") or "extra ==" in line]
    assert not [line for line in lines if line.startswith(("pytest", "ruff"))]


def test_the_installed_metadata_are_those_of_setup_cfg() -> None:
    assert requirements() == stated(*space_folder.EXTRAS), (
        "setup.cfg changed since the package was installed, and pages and endpoints require what was "
        "installed; install it again: pip install -e ."
    )


def test_the_version_of_gradio_is_one_that_the_package_allows() -> None:
    (allowed,) = (one for one in map(Requirement, stated("space")) if one.name == "gradio")
    assert re.fullmatch(r"\d+\.\d+\.\d+", space_folder.GRADIO)
    assert space_folder.GRADIO in allowed.specifier
    assert "6.23.0" not in allowed.specifier  # its launch does not know LAUNCH_OPTIONS


def test_it_replaces_itself_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "page"
    write_space(output, repo_id="user/first")
    write_space(output, repo_id="user/second")
    assert '"user/second"' in (output / "app.py").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.py").write_text("print()", encoding="utf-8")
    with pytest.raises(ValueError, match="was not written by ssl-ecg space"):
        write_space(tmp_path / "mine", repo_id="user/name")
    write_space(tmp_path / "cloned", repo_id="user/name")
    (tmp_path / "cloned" / ".git").mkdir()
    with pytest.raises(ValueError, match="or other files came to it"):
        write_space(tmp_path / "cloned", repo_id="user/name")
    with pytest.raises(ValueError, match="repo_id 'name' is not valid"):
        write_space(tmp_path / "other", repo_id="name")


def test_the_verb_says_how_to_run_it(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["space", str(release), str(tmp_path / "page"), "--repo_id", "user/name"]) == 0
    printed = capsys.readouterr().out
    assert f"page of user/name: {tmp_path / 'page'}" in printed
    assert f"SSL_ECG_MODEL={release}" in printed
    assert main(["space", str(release), str(tmp_path / "page")]) == 1
    assert "has no export.json" in capsys.readouterr().err


@pytest.mark.slow
def test_it_runs_by_itself_and_answers_the_commands_of_its_readme(
    space: Path, release: Path, tmp_path: Path
) -> None:
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'ssl_ecg_hf[space]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=space,
            env={
                **os.environ,
                "SSL_ECG_MODEL": str(release),
                "GRADIO_SERVER_PORT": str(port),
                "GRADIO_TEMP_DIR": str(tmp_path / "uploads"),
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONWARNINGS": "default",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + 300
        while "Running on local URL" not in (text := (tmp_path / "log.txt").read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < end, text
            time.sleep(0.5)
        readme = (space / "README.md").read_text(encoding="utf-8")
        (commands,) = re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)
        answer = subprocess.run(
            ["bash", "-c", commands.replace(":7860", f":{port}")],
            cwd=space,
            env={**os.environ, "no_proxy": "*"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert answer.startswith("event: complete\n")
    (example, *_) = sorted(path for path in (space / "examples").iterdir() if "norm" in path.name)
    expected = analyse(load_classify(release), read_upload([example])).findings
    for finding in expected:
        assert f'{{"label": "{finding.label}", "score": {finding.probability:.6f}'[:-2] in answer
