"""A training that is stopped in the middle of an epoch goes on in another number of processes."""

from __future__ import annotations

import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch.distributed as dist
from datasets import Dataset, DatasetDict
from transformers import TrainerCallback

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.evaluation.recipe import read_recipe
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments
from ssl_ecg_hf.training.run_folder import open_run

RECORDS, WHOLE_BATCH, EPOCHS = 40, 8, 2
STOPPED_AT, STEPS = 7, 10  # five steps an epoch, so it is stopped after two steps of the second one
METHODS = ("simclr", "standard", "stratified")  # pretraining, and fine-tuning with two samplers
CONFIG: dict[str, Any] = {
    "encoder_options": {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]},
    "num_samples": 64,
}
OPTIONS: dict[str, Any] = {
    "num_train_epochs": EPOCHS,
    "augmentations": "none",
    "learning_rate": 0.01,
    "warmup_steps": 2,
    "logging_steps": 1,
    "disable_tqdm": True,
    "use_cpu": True,
}


def recordings(count: int) -> Dataset:
    """Noise whose very first sample is the number of the recording in microvolts."""
    signal = np.random.default_rng(0).integers(-500, 500, (count, 12, 64)).astype(np.int16)
    signal[:, 0, 0] = np.arange(count)
    labels = np.eye(len(SUPERCLASSES), dtype=np.int8)[np.arange(count) % len(SUPERCLASSES)]
    return Dataset.from_dict({"signal_uv": list(signal), "labels": list(labels)})


class Watched:
    """Notes which recordings the models of all trainers see at each step, until it stops a training."""

    def __init__(self, *, stopped_before: int | None = None) -> None:
        self.seen: dict[int, list[int]] = {}
        self.stopped_before = stopped_before

    def __enter__(self) -> Watched:
        watched, compute_loss = self, SslEcgTrainer.compute_loss

        def watching(trainer: Any, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            if model.training:
                step = trainer.state.global_step
                if step == watched.stopped_before:
                    raise KeyboardInterrupt
                signal = inputs["views"][:, 0] if "views" in inputs else inputs["input_values"]
                watched.seen.setdefault(step, []).extend((1000 * signal[:, 0, 0]).round().int().tolist())
            return compute_loss(trainer, model, inputs, *args, **kwargs)

        self._patch = mock.patch.object(SslEcgTrainer, "compute_loss", watching)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


class SaveAndStop(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_save = control.should_training_stop = state.global_step == STOPPED_AT


def train(
    method: str, folder: Path, *, batch: int, stop: bool = False, resume: Path | None = None, **more: Any
) -> dict[str, Any]:
    """Train with a trainer of one's own, and tell what was seen and how the learning rate went."""
    model: Any
    if method == "simclr":
        sizes = {"objective_options": {"hidden_size": 24, "projection_size": 12}}
        model = SslEcgForSimCLR(SslEcgConfig(**CONFIG, **sizes))
    else:
        labels = dict(enumerate(SUPERCLASSES))
        config = SslEcgConfig(**CONFIG, id2label=labels, problem_type="multi_label_classification")
        model, more = SslEcgForSequenceClassification(config), {"sampler": method, **more}
    args = SslEcgTrainingArguments(
        str(folder), per_device_train_batch_size=batch, save_strategy="no", **OPTIONS, **more
    )
    with Watched() as watched:
        trainer = SslEcgTrainer(model, args, train_dataset=recordings(RECORDS))
        if stop:
            trainer.add_callback(SaveAndStop())
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    return {
        "seen": watched.seen,
        "steps": trainer.state.global_step,
        "learning_rates": [
            entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry
        ],
    }


def command(data: Path, folder: Path, *, batch: int) -> list[str]:
    config = {**CONFIG, "objective_options": {"hidden_size": 24, "projection_size": 12}}
    options = {**OPTIONS, "data": data, "output_dir": folder, "config": json.dumps(config)}
    options |= {"save_steps": STOPPED_AT, "per_device_train_batch_size": batch}
    words = ["pretrain", "--class_names", *SUPERCLASSES]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def run(words: list[str], *, stopped_before: int | None = None) -> dict[str, Any]:
    with Watched(stopped_before=stopped_before) as watched:
        status = main(words)
    return {"status": status, "seen": watched.seen}


def in_two_processes(folder: Path) -> dict[str, Any]:
    """What each of two processes does: train half of some runs, and the other half of others."""
    data, half, found = folder / "data", WHOLE_BATCH // 2, {}
    for method in METHODS:
        stopped = folder / f"{method}-of-1" / f"checkpoint-{STOPPED_AT}"
        found[f"{method}: first part"] = train(method, folder / f"{method}-of-2", batch=half, stop=True)
        found[f"{method}: second part"] = train(method, folder / "resumed", batch=half, resume=stopped)
    found["command: first part"] = run(
        command(data, folder / "command-of-2", batch=half), stopped_before=STOPPED_AT
    )
    # Ends the communication of the processes, therefore last:
    found["command: second part"] = run(command(data, folder / "command-of-1", batch=half))
    return found


def steps_seen(*parts: dict[str, Any]) -> dict[int, Counter[int]]:
    """The recordings of each step, of all processes together."""
    steps: dict[int, Counter[int]] = {}
    for part in parts:
        for step, indices in part["seen"].items():
            steps.setdefault(int(step), Counter()).update(indices)
    return steps


def learning_rates(folder: Path) -> list[float]:
    state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry["learning_rate"] for entry in state["log_history"] if "learning_rate" in entry]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run_python: Callable[..., str]) -> Path:
    """Holds the data, runs that one process has stopped, and what two processes made of them."""
    folder = tmp_path_factory.mktemp("runs")
    splits = {"train": recordings(RECORDS), "validation": recordings(10), "test": recordings(10)}
    DatasetDict(splits).save_to_disk(folder / "data")
    for method in METHODS:
        found = train(method, folder / f"{method}-of-1", batch=WHOLE_BATCH, stop=True)
        (folder / f"{method}-of-1.json").write_text(json.dumps(found), encoding="utf-8")
    words = command(folder / "data", folder / "command-of-1", batch=WHOLE_BATCH)
    found = run(words, stopped_before=STOPPED_AT)
    (folder / "command-of-1.json").write_text(json.dumps(found), encoding="utf-8")
    run_python(__file__, folder, processes=2)
    return folder


def one_process(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}-of-1.json").read_text(encoding="utf-8"))


def two_processes(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    for rank in range(2):
        yield json.loads((folder / f"rank-{rank}.json").read_text(encoding="utf-8"))[name]


@pytest.fixture(scope="module")
def uninterrupted(folder: Path) -> dict[str, dict[str, Any]]:
    """What one process does in one go, of each method."""
    return {method: train(method, folder / "whole", batch=WHOLE_BATCH) for method in METHODS}


def assert_every_recording_once_an_epoch(steps: dict[int, Counter[int]]) -> None:
    epoch = STEPS // EPOCHS
    for first in range(0, STEPS, epoch):
        seen: Counter[int] = sum((steps[step] for step in range(first, first + epoch)), Counter())
        assert seen == Counter(range(RECORDS))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_then_one(folder: Path, uninterrupted: dict[str, Any], method: str) -> None:
    whole = uninterrupted[method]
    checkpoint = folder / f"{method}-of-2" / f"checkpoint-{STOPPED_AT}"
    assert {path.name for path in checkpoint.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    resumed = train(method, folder / "resumed", batch=WHOLE_BATCH, resume=checkpoint)
    assert list(resumed["seen"]) == [7, 8, 9]
    assert resumed["steps"] == whole["steps"] == STEPS
    assert resumed["learning_rates"] == pytest.approx(whole["learning_rates"])
    steps = steps_seen(*two_processes(folder, f"{method}: first part"), resumed)
    assert steps == steps_seen(whole)
    assert_every_recording_once_an_epoch(steps)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_one_process_then_two(folder: Path, uninterrupted: dict[str, Any], method: str) -> None:
    whole = uninterrupted[method]
    checkpoint = folder / f"{method}-of-1" / f"checkpoint-{STOPPED_AT}"
    assert [path.name for path in checkpoint.glob("rng_state*")] == ["rng_state.pth"]
    resumed = list(two_processes(folder, f"{method}: second part"))
    for part in resumed:
        assert part["steps"] == STEPS
        assert part["learning_rates"] == pytest.approx(whole["learning_rates"])
    steps = steps_seen(one_process(folder, method), *resumed)
    assert steps == steps_seen(whole)
    assert_every_recording_once_an_epoch(steps)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS[:2])
def test_another_whole_batch_is_refused(folder: Path, method: str) -> None:
    # The Trainer counts steps: it would take these 7 steps of 8 recordings for 7 of 4, and train 20.
    with pytest.raises(ValueError, match=r"about 5 steps an epoch; here an epoch has 10 of 4 .*, about 8$"):
        train(
            method,
            folder / "resumed",
            batch=WHOLE_BATCH // 2,
            resume=folder / f"{method}-of-2" / f"checkpoint-{STOPPED_AT}",
        )


@pytest.mark.slow
def test_accumulated_batches_count_as_well(folder: Path, uninterrupted: dict[str, Any]) -> None:
    checkpoint = folder / "standard-of-2" / f"checkpoint-{STOPPED_AT}"
    resumed = train("standard", folder / "resumed", batch=4, gradient_accumulation_steps=2, resume=checkpoint)
    assert resumed["steps"] == STEPS
    assert steps_seen(*two_processes(folder, "standard: first part"), resumed) == steps_seen(
        uninterrupted["standard"]
    )


@pytest.mark.slow
def test_the_command_goes_on_with_as_many_recordings_a_step(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder / "data"
    assert run(command(data, tmp_path / "whole", batch=WHOLE_BATCH))["status"] == 0
    whole = learning_rates(tmp_path / "whole")

    second = list(two_processes(folder, "command: second part"))
    assert [part["status"] for part in second] == [0, 0]
    assert_every_recording_once_an_epoch(steps_seen(one_process(folder, "command"), *second))
    assert learning_rates(folder / "command-of-1") == pytest.approx(whole)
    assert (read_recipe(folder / "command-of-1") or {})["batch"] == {"recordings": 8, "processes": 2}

    first = list(two_processes(folder, "command: first part"))
    assert [part["status"] for part in first] == [130, 130]
    capsys.readouterr()
    assert run(command(data, folder / "command-of-2", batch=WHOLE_BATCH // 2))["status"] == 1
    assert "['per_device_train_batch_size x processes: 8 before, 4 now']" in capsys.readouterr().err
    resumed = run(command(data, folder / "command-of-2", batch=WHOLE_BATCH))
    assert resumed["status"] == 0
    assert_every_recording_once_an_epoch(steps_seen(*first, resumed))
    assert learning_rates(folder / "command-of-2") == pytest.approx(whole)


BATCH = {"recordings": 16, "processes": 2}
RECIPE: dict[str, Any] = {
    "stage": "pretrain",
    "arguments": {"per_device_train_batch_size": 8, "seed": 3, "dataloader_num_workers": 2},
    "dataset": {"name": "simulated ECGs"},
    "parent": None,
}


def test_what_counts_is_the_batch_of_all_processes(tmp_path: Path) -> None:
    open_run(tmp_path, {**RECIPE, "batch": BATCH}, overwrite=False)
    alone = copy.deepcopy({**RECIPE, "batch": {"recordings": 16, "processes": 1}})
    alone["arguments"] = {"per_device_train_batch_size": 16, "seed": 3}
    open_run(tmp_path, alone, overwrite=False)
    with pytest.raises(ValueError, match=r"\['per_device_train_batch_size x processes: 16 before, 8 now'\]"):
        open_run(tmp_path, {**RECIPE, "batch": {"recordings": 8, "processes": 1}}, overwrite=False)
    with pytest.raises(ValueError, match=r"\(different: \['seed'\]\)"):
        open_run(tmp_path, {**alone, "arguments": {"per_device_train_batch_size": 16}}, overwrite=False)


def test_a_recipe_without_a_batch_is_compared_by_its_arguments(tmp_path: Path) -> None:
    open_run(tmp_path, RECIPE, overwrite=False)
    other = {**RECIPE, "batch": BATCH, "arguments": {"per_device_train_batch_size": 16, "seed": 3}}
    with pytest.raises(ValueError, match=r"\(different: \['per_device_train_batch_size'\]\)"):
        open_run(tmp_path, other, overwrite=False)
    open_run(tmp_path, {**RECIPE, "batch": BATCH}, overwrite=False)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    rank = int(os.environ["RANK"])
    (place / f"rank-{rank}.json").write_text(json.dumps(in_two_processes(place)), encoding="utf-8")
    if dist.is_initialized():
        dist.destroy_process_group()
