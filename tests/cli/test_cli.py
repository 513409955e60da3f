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
from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgFeatureExtractor,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
)

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
    assert capsys.readouterr().err == (
        "ssl-ecg finetune: unknown option --label_fractoin 0.1; did you mean --label_fraction?\n"
    )


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["pretrain", "--num_records", "60", "--output_dir", str(tmp_path / "file")]) == 1
    error = capsys.readouterr().err
    assert error == (
        f"ssl-ecg pretrain: {tmp_path / 'file'}: File exists; check this path and your rights to it\n"
    )


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


def save_recording(path: Path, num_samples: int = 1000) -> str:
    np.save(path, np.random.default_rng(0).normal(0, 0.3, (12, num_samples)))
    return str(path)


SHORT = [*STATED[:4], "--leads", "standard"]


def test_a_refused_file_alone_is_one_line(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_recording(tmp_path / "short.npy", 50)
    assert main(["predict", str(classifier), path, *SHORT]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ssl-ecg predict: {path}: signal has 50 samples at 100 Hz")
    assert len(error.splitlines()) == 1


def test_warnings_name_their_recordings(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [save_recording(tmp_path / f"{name}.npy", 400) for name in "abc"]
    assert main(["predict", str(classifier), *files, "--json", *SHORT]) == 0
    captured = capsys.readouterr()
    note = "the recording lasts 4 s, the model expects 10 s: the rest is padded with zeros"
    assert captured.err == f"ssl-ecg predict: warning: {files[0]} (and 2 others): {note}\n"
    assert [json.loads(line)["warnings"] for line in captured.out.splitlines()] == [[note]] * 3


def test_nan_is_refused_unless_a_policy_is_chosen(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(save_recording(tmp_path / "nan.npy"))
    signal = np.load(path)
    signal[0, 3] = np.nan
    np.save(path, signal)
    assert main(["predict", str(classifier), str(path), *SHORT]) == 1
    assert "lead I has 1 NaN or infinite of 1000 samples" in capsys.readouterr().err
    assert main(["predict", str(classifier), str(path), *SHORT, "--nan_policy", "interpolate"]) == 0


def test_only_classifiers_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SslEcgForSimCLR(SslEcgConfig()).save_pretrained(tmp_path / "simclr")
    path = save_recording(tmp_path / "ecg.npy")
    assert main(["predict", str(tmp_path / "simclr"), path, *SHORT]) == 1
    assert "simclr is no classifier (SslEcgForSimCLR)" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "nowhere"), path, *SHORT]) == 1
    assert "is no folder, and no repository of the Hub" in capsys.readouterr().err


def test_a_batch_holds_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model", str(tmp_path / "a.npy"), "--batch_size", "0"]) == 1
    assert capsys.readouterr().err == "ssl-ecg predict: --batch_size 0 must be at least 1\n"
