from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from datasets import DatasetDict
from transformers import PrinterCallback, ProgressCallback

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments
from ssl_ecg_hf.training.progress import Bar, make_readable

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]


def test_a_line_an_evaluation(
    classifier_config: SslEcgConfig,
    recordings: DatasetDict,
    arguments: MakeArguments,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = SslEcgTrainer(
        SslEcgForSequenceClassification(classifier_config),
        arguments(max_steps=4, eval_strategy="steps", eval_steps=2),
        train_dataset=recordings["train"],
        eval_dataset=recordings["validation"],
    )
    make_readable(trainer)
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 steps of 8 recordings on cpu"
    assert len(lines) == 3
    for line in lines[1:]:
        assert re.fullmatch(
            r"epoch 0\.\d+ of 1  loss 0\.\d{4}  validation loss 0\.\d+  validation AUROC 0\.\d+  \d+ s", line
        ), line


def test_without_evaluation_a_line_a_logged_step(
    tiny_config: MakeConfig,
    recordings: DatasetDict,
    arguments: MakeArguments,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = SslEcgTrainer(
        SslEcgForSimCLR(tiny_config()),
        arguments(max_steps=4, logging_steps=2),
        train_dataset=recordings["train"],
    )
    make_readable(trainer)
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r"epoch 0\.\d+ of 1  loss \d\.\d{4}  \d+ s", line) for line in lines[1:])


@pytest.mark.parametrize(("terminal", "bars"), [(True, 1), (False, 0)])
def test_a_bar_on_a_terminal_alone(
    terminal: bool,
    bars: int,
    tiny_config: MakeConfig,
    recordings: DatasetDict,
    arguments: MakeArguments,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    trainer = SslEcgTrainer(
        SslEcgForSimCLR(tiny_config()), arguments(disable_tqdm=False), train_dataset=recordings["train"]
    )
    make_readable(trainer)
    kinds = [type(callback) for callback in trainer.callback_handler.callbacks]
    assert kinds.count(Bar) == bars
    assert ProgressCallback not in kinds
    assert PrinterCallback not in kinds
