from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict

from ssl_ecg_hf.data import SignalTable
from ssl_ecg_hf.data.batches import collate
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments, resident
from ssl_ecg_hf.training.resident import CHUNK, ResidentTable

CPU = torch.device("cpu")
MakeConfig = Callable[..., SslEcgConfig]


def microvolts(count: int, **columns: list[object]) -> Dataset:
    signal = np.arange(count * 6, dtype=np.int16).reshape(count, 2, 3)
    return Dataset.from_dict({"signal_uv": signal.tolist(), **columns})


def test_batches_hold_row_numbers_until_they_are_filled() -> None:
    table = SignalTable(microvolts(5, labels=[[0, 1]] * 4 + [[1, 0]]), columns=("labels",))
    resident = ResidentTable(table, device=CPU)
    batch = collate(resident.__getitems__([4, 0]))
    assert sorted(batch) == ["labels", "row"]
    filled = resident.fill(batch)
    assert filled["signal_uv"].tolist() == [[[24, 25, 26], [27, 28, 29]], [[0, 1, 2], [3, 4, 5]]]
    assert filled["labels"].tolist() == [[1, 0], [0, 1]]


def test_more_recordings_than_are_copied_at_once() -> None:
    table = SignalTable(microvolts(CHUNK + 3))
    resident = ResidentTable(table, device=CPU)
    assert np.array_equal(resident.signals.numpy(), table.__getitems__(range(len(table)))["signal_uv"])


def test_signals_do_not_travel_to_reading_processes() -> None:
    table = pickle.loads(pickle.dumps(ResidentTable(SignalTable(microvolts(40)), device=CPU)))  # noqa: S301
    assert table.__getitems__([7])["row"].tolist() == [7]
    assert "signals" not in vars(table)


@pytest.mark.parametrize(
    ("broken", "named"), [([5], r"row\(s\) 5 of"), (range(12), r"row\(s\) 0, 1, .*, 9 \.\.\. of")]
)
def test_broken_recordings_are_found_while_copying(
    broken: Sequence[int], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "CHUNK", 4 if len(broken) == 1 else 100)
    signal = np.zeros((13, 2, 4))
    signal[broken, 0, 2] = np.nan
    table = SignalTable(Dataset.from_dict({"signal": signal.tolist()}))
    with pytest.raises(ValueError, match=rf"^{named} the training set hold NaN or infinite samples"):
        ResidentTable(table, device=CPU)


def test_a_full_device_says_how_much_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(ValueError, match=r"5 recordings need 0 MiB, more than is free on cpu"):
        ResidentTable(SignalTable(microvolts(5)), device=CPU)


@pytest.mark.parametrize("labelled", [False, True])
def test_training_is_the_same_wherever_the_signals_lie(
    tiny_config: MakeConfig,
    classifier_config: SslEcgConfig,
    recordings: DatasetDict,
    tmp_path: Path,
    *,
    labelled: bool,
) -> None:
    def losses(*, keep: bool) -> list[float]:
        torch.manual_seed(0)
        model = (
            SslEcgForSequenceClassification(classifier_config) if labelled else SslEcgForSimCLR(tiny_config())
        )
        args = SslEcgTrainingArguments(
            str(tmp_path),
            max_steps=3,
            per_device_train_batch_size=8,
            keep_data_on_device=keep,
            save_strategy="no",
            logging_steps=1,
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = SslEcgTrainer(model, args, train_dataset=recordings["train"])
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    found = losses(keep=True)
    assert len(found) == 3
    assert found == losses(keep=False)


def test_a_stream_cannot_be_kept(tiny_config: MakeConfig, recordings: DatasetDict, tmp_path: Path) -> None:
    args = SslEcgTrainingArguments(str(tmp_path), max_steps=1, keep_data_on_device=True, use_cpu=True)
    with pytest.raises(ValueError, match="keep_data_on_device copies the whole training set"):
        SslEcgTrainer(
            SslEcgForSimCLR(tiny_config()), args, train_dataset=recordings["train"].to_iterable_dataset()
        )
