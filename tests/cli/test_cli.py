from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_ecg_hf import __version__
from ssl_ecg_hf.cli import VERBS, main
from ssl_ecg_hf.data import STANDARD_LEADS
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgFeatureExtractor, SslEcgForSequenceClassification

WATCH = """
import sys
from ssl_ecg_hf.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as stop:
    status = stop.code
heavy = [name for name in ("torch", "transformers", "datasets", "numpy") if name in sys.modules]
print("imported:", heavy, "status:", status)
"""


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"]])
def test_help_needs_no_torch(words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    finished = subprocess.run(
        [sys.executable, "-c", WATCH, *words], env=environment, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.splitlines()[-1] == "imported: [] status: 0", finished.stderr


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_a_help_text(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"usage: ssl-ecg {verb}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_no_verb_and_unknown_verbs_are_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: ssl-ecg VERB" in capsys.readouterr().out
    assert main(["train"]) == 2
    assert capsys.readouterr().err == (f"ssl-ecg: unknown verb 'train'; known are {', '.join(VERBS)}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pretrain", "--data", "nowhere"], "ssl-ecg pretrain: --data 'nowhere' is neither 'simulated'"),
        (["pretrain", "missing.yaml"], "ssl-ecg pretrain: recipe missing.yaml does not exist"),
        (["pretrain", "--objective", "moco"], "ssl-ecg pretrain: unknown objective 'moco'"),
        (
            ["pretrain", "--num_records", "10", "--config", '{"lead": []}'],
            "--config has unknown fields ['lead']",
        ),
        (
            ["pretrain", "--num_records", "10", "--config", '{"num_samples": "x"}'],
            "'num_samples' expected int",
        ),
        (["finetune", "--label_fraction", "0", "--num_records", "10"], "fraction=0.0 must be above 0"),
        (["evaluate", "--model", "."], "ssl-ecg evaluate: . has no recipe.json"),
        (["reproduce", "missing.yaml", "--data", "simulated"], "table missing.yaml does not exist"),
    ],
)
def test_wrong_input_is_one_line_and_status_1(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    place = ["--output_dir", str(tmp_path / "run")] if words[0] in ("pretrain", "finetune") else []
    assert main([*words, *place]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_misspelt_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "--label_fractoin", "0.1"]) == 1
    assert "['--label_fractoin', '0.1']" in capsys.readouterr().err


def test_interruption_is_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(argv: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ssl_ecg_hf.cli.download.main", interrupted)
    assert main(["download"]) == 130
    assert capsys.readouterr().err == "ssl-ecg download: interrupted\n"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its logits are -1, 0 and 1 whatever the recording."""
    folder = tmp_path_factory.mktemp("classifier")
    names = ("NORM", "MI", "CD")
    config = SslEcgConfig(
        encoder_options={"hidden_sizes": [8], "kernel_sizes": [5], "strides": [4]},
        id2label=dict(enumerate(names)),
        problem_type="multi_label_classification",
        thresholds=[0.5, 0.5, 0.5],
    )
    model = SslEcgForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    model.save_pretrained(folder)
    SslEcgFeatureExtractor().save_pretrained(folder)
    return folder


STATED = ["--sampling_rate", "100", "--unit", "mV", "--leads", *STANDARD_LEADS]


def test_prediction_prints_a_table(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "one.npy", np.random.default_rng(0).normal(0, 0.3, (12, 1000)))
    assert main(["predict", str(classifier), str(tmp_path / "one.npy"), *STATED]) == 0
    header, row, note = capsys.readouterr().out.splitlines()
    assert header.split() == ["recording", "NORM", "MI", "CD"]
    assert row.split() == [str(tmp_path / "one.npy"), "0.269", "0.500*", "0.731*"]
    assert "Not a medical device" in note


def test_prediction_goes_on_after_a_refused_file(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "good.npy", np.random.default_rng(0).normal(0, 0.3, (12, 1000)))
    np.save(tmp_path / "bad.npy", np.zeros((5, 1000)))
    files = [str(tmp_path / name) for name in ("bad.npy", "good.npy")]
    assert main(["predict", str(classifier), *files, "--json", *STATED]) == 1
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    found = json.loads(line)
    assert found["file"] == files[1]
    assert [entry["label"] for entry in found["predictions"]] == ["NORM", "MI", "CD"]
    assert [entry["score"] for entry in found["predictions"]] == pytest.approx(
        [0.2689, 0.5, 0.7311], abs=1e-4
    )
    assert "bad.npy" in captured.err
    assert "1 of 2 recordings were refused" in captured.err
