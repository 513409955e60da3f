"""Columns beyond the signal that an objective asks for: patients for a patient-aware SimCLR."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, load_dataset

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForBYOL, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}
PATIENTS = [4, None, 4, 9, None, 9, 9, 4] * 3


def recordings_of(patients: list[Any] | None, count: int = 24) -> Dataset:
    """Noise whose very first sample is the number of the recording in microvolts."""
    signal = np.random.default_rng(0).integers(-500, 500, (count, 12, 64)).astype(np.int16)
    signal[:, 0, 0] = np.arange(count)
    columns = {} if patients is None else {"patient_id": patients}
    return Dataset.from_dict({"signal_uv": list(signal), "note": ["-"] * count, **columns})


class Watched(SslEcgTrainer):
    """Notes for each recording that the model sees which patient it is said to be of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[dict[int, int | None]] = []

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        rows = (1000 * inputs["views"][:, 0, 0, 0]).round().int().tolist()
        ids = inputs["patient_ids"]
        assert ids.dtype == torch.int64
        told = [None if patient < 0 else patient for patient in ids.tolist()]
        self.seen.append(dict(zip(rows, told, strict=True)))
        return super().compute_loss(model, inputs, *args, **kwargs)


@pytest.fixture
def aware(tiny_config: MakeConfig) -> SslEcgForSimCLR:
    torch.manual_seed(0)
    return SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "patient_aware": True}))


def streamed(data: Dataset, folder: Path) -> Any:
    data.to_parquet(folder / "0.parquet")
    return load_dataset("parquet", data_files=str(folder / "0.parquet"), split="train", streaming=True)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("dataset", {}),
        ("dataset", {"keep_data_on_device": True}),
        ("selection", {"dataloader_num_workers": 1}),
        ("floats", {}),
        ("rows", {}),
        ("stream", {}),
    ],
)
def test_every_batch_knows_the_patients(
    aware: SslEcgForSimCLR, arguments: MakeArguments, tmp_path: Path, form: str, options: dict[str, Any]
) -> None:
    data = recordings_of(PATIENTS)
    forms: dict[str, Callable[[], Any]] = {
        "dataset": lambda: data,
        "selection": lambda: data.select(range(23, -1, -1)),
        "floats": lambda: recordings_of([None if one is None else float(one) for one in PATIENTS]),
        "rows": lambda: [dict(row) for row in data],
        "stream": lambda: streamed(data, tmp_path),
    }
    args = arguments(augmentations="none", **options)
    trainer = Watched(aware, args, train_dataset=forms[form](), eval_dataset=data.select(range(8)))
    trainer.train()
    assert len(trainer.seen) == 3
    assert {row: one for batch in trainer.seen for row, one in batch.items()} == dict(enumerate(PATIENTS))
    trainer.evaluate()
    assert trainer.seen[3:] == [dict(enumerate(PATIENTS[:8]))]


def losses(model: Any, args: SslEcgTrainingArguments, data: Dataset) -> list[float]:
    trainer = SslEcgTrainer(copy.deepcopy(model), args, train_dataset=data)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_patients_change_the_loss_of_an_aware_model_alone(
    aware: SslEcgForSimCLR, tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    plain = SslEcgForSimCLR(tiny_config(objective_options=HEAD))
    plain.load_state_dict(aware.state_dict())
    with_ids, without = recordings_of([4] * 24), recordings_of(None)
    assert losses(aware, arguments(), with_ids) == pytest.approx([0, 0, 0], abs=1e-5)
    assert losses(plain, arguments(), with_ids) == losses(plain, arguments(), without)
    one_each = recordings_of(list(range(24)))
    assert losses(aware, arguments(), one_each) == losses(plain, arguments(), without)


@pytest.mark.parametrize("role", ["train_dataset", "eval_dataset"])
@pytest.mark.parametrize("form", ["dataset", "stream"])
def test_a_dataset_without_patients_is_refused(
    aware: SslEcgForSimCLR, arguments: MakeArguments, tmp_path: Path, form: str, role: str
) -> None:
    data = recordings_of(None)
    given = data if form == "dataset" else data.to_iterable_dataset()
    message = r"SslEcgForSimCLR with .*'patient_aware': True.* needs the columns \['patient_id'\] in training"
    with pytest.raises(ValueError, match=message):
        SslEcgTrainer(aware, arguments(), **{role: given})


def test_rows_without_patients_are_refused(aware: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    rows = [dict(row) for row in recordings_of(None)]
    with pytest.raises(ValueError, match=r"no column \['patient_id'\], which the model's objective asks"):
        SslEcgTrainer(aware, arguments(), train_dataset=rows).train()


def test_names_of_patients_are_refused(aware: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    named = recordings_of(["a"] * 24)
    with pytest.raises(ValueError, match="column 'patient_id' holds string; expected numbers"):
        SslEcgTrainer(aware, arguments(), train_dataset=named)


def test_byol_is_told_nothing_of_patients(tiny_config: MakeConfig, arguments: MakeArguments) -> None:
    model = SslEcgForBYOL(tiny_config(objective_options=HEAD))
    trainer = SslEcgTrainer(model, arguments(), train_dataset=recordings_of(PATIENTS))
    trainer.train()
    assert set(trainer._prepare_inputs({"signal": torch.zeros(2, 12, 64)})) == {"views"}
