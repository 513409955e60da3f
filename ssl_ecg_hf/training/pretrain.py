"""Pretraining: recordings without labels in, a checkpoint of an encoder and its head out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import AutoModelForPreTraining, set_seed

from ssl_ecg_hf.data.source import DataArguments, Recordings
from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.evaluation.recipe import describe_arguments, make_recipe, read_recipe
from ssl_ecg_hf.modeling import OBJECTIVES, SslEcgConfig
from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
from ssl_ecg_hf.training.run_folder import open_run, save_checkpoint
from ssl_ecg_hf.training.trainer import SslEcgTrainer

PROBE_RECORDINGS = 2000


@dataclass
class PretrainingArguments:
    """What is pretrained."""

    objective: str = field(default="simclr", metadata={"help": f"One of {sorted(OBJECTIVES)}."})
    model: str | None = field(default=None, metadata={"help": "Checkpoint to continue; default: a new encoder."})
    config: str = field(
        default="{}", metadata={"help": 'JSON of SslEcgConfig fields, e.g. \'{"objective_options": {...}}\'.'}
    )
    overwrite: bool = field(default=False, metadata={"help": "Delete an earlier run in output_dir."})

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"unknown objective {self.objective!r}; known are {sorted(OBJECTIVES)}")


def new_config(recordings: Recordings, overrides: str, **fields: Any) -> SslEcgConfig:
    """Return a configuration that fits the recordings.

    Args:
        recordings: their sampling rate and length are taken over.
        overrides: JSON text of further fields.
        fields: further fields.
    """
    signal = recordings.splits["train"].features
    column = signal.get("signal_uv") or signal.get("signal")
    shape = getattr(column, "shape", None)
    window = {} if shape is None else {"num_samples": int(shape[1])}
    rate = recordings.description["sampling_rate"]
    return SslEcgConfig(**{"sampling_rate": rate, **window, **fields, **json.loads(overrides)})


def pretrain(what: PretrainingArguments, data: DataArguments, args: SslEcgTrainingArguments) -> Path:
    """Pretrain, or resume, and write the checkpoint to `args.output_dir`.

    Recordings of the train split are used with or without labels. The validation split tells, after each
    evaluation, the loss, whether the representation collapses, and now and then a kNN vote of its labels.

    Returns:
        The folder of the checkpoint.
    """
    recordings = data.load()
    folder = Path(args.output_dir)
    recipe = make_recipe(
        "pretrain",
        {"objective": what.objective, **describe_arguments(what, data, args)},
        recordings.description,
        parent=None if what.model is None else read_recipe(what.model),
    )
    resume = open_run(folder, recipe, overwrite=what.overwrite)
    set_seed(args.seed)
    if what.model is None:
        model = OBJECTIVES[what.objective](new_config(recordings, what.config))
    else:
        model = AutoModelForPreTraining.from_pretrained(what.model)
    known = labelled(recordings.splits["train"])
    trainer = SslEcgTrainer(
        model=model,
        args=args,
        train_dataset=recordings.splits["train"],
        eval_dataset=recordings.splits["validation"],
        probe_dataset=known.select(range(0, len(known), max(1, len(known) // PROBE_RECORDINGS))),
    )
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(folder / "trainer_state.json"))
        save_checkpoint(trainer.accelerator.unwrap_model(trainer.model), folder)
    return folder
