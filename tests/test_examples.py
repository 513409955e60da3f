"""The examples run as they stand, one after the other."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_examples_are_short() -> None:
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert [script.name for script in scripts] == ["finetune.py", "load_from_folder.py", "pretrain_simclr.py"]
    for script in scripts:
        assert len(script.read_text(encoding="utf-8").splitlines()) <= 45, script.name


@pytest.mark.slow
def test_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ssl_ecg_hf import export_checkpoint

    run("pretrain_simclr.py", tmp_path / "simclr", monkeypatch=monkeypatch)
    run("finetune.py", tmp_path / "simclr", tmp_path / "classifier", monkeypatch=monkeypatch)
    auroc = float(capsys.readouterr().out.splitlines()[-1])
    assert 0.5 < auroc <= 1  # the two made-up classes are easy to tell apart
    exported = export_checkpoint(tmp_path / "classifier", tmp_path / "hub", repo_id="somebody/example")
    run("load_from_folder.py", exported, monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.strip().splitlines()[-2:]
    assert [line.rsplit(maxsplit=1)[0] for line in lines] == ["rhythm A", "rhythm B"]
    assert all(0 <= float(line.rsplit(maxsplit=1)[1]) <= 1 for line in lines)
