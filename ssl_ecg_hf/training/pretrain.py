"""Pretraining: recordings without labels in, a checkpoint of an encoder and its head out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import set_seed

from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.data.source import DataArguments, Recordings
from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.evaluation.loading import load_config, load_model
from ssl_ecg_hf.evaluation.recipe import describe_arguments, make_recipe, read_recipe
from ssl_ecg_hf.files import parse_mapping
from ssl_ecg_hf.modeling import OBJECTIVES, SslEcgConfig, SslEcgForPreTraining
from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
from ssl_ecg_hf.training.progress import make_readable
from ssl_ecg_hf.training.run_folder import describe_batch, open_run, save_checkpoint
from ssl_ecg_hf.training.trainer import SslEcgTrainer

PROBE_RECORDINGS = 2000


@dataclass
class PretrainingArguments:
    """What is pretrained."""

    objective: str = field(default="simclr", metadata={"help": f"One of {sorted(OBJECTIVES)}."})
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint to continue; default: a new encoder."}
    )
    config: str = field(
        default="{}", metadata={"help": "JSON of SslEcgConfig fields, e.g. '{\"objective_options\": {...}}'."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Delete an earlier run in output_dir."})

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"unknown objective {self.objective!r}; known are {sorted(OBJECTIVES)}")


def new_config(recordings: Recordings, overrides: str, **more: Any) -> SslEcgConfig:
    """Return a configuration that fits the recordings.

    Args:
        recordings: their sampling rate and length are taken over.
        overrides: JSON text of further fields.
        more: further fields.

    Raises:
        ValueError: if a field is unknown or a value does not fit.
    """
    window = SignalTable(recordings.splits["train"]).signal_shape[1]
    measured = {"sampling_rate": recordings.description["sampling_rate"], "num_samples": window}
    try:
        return SslEcgConfig(**{**measured, **more, **config_fields(overrides)})
    except StrictDataclassError as error:
        raise ValueError(f"--config: {' '.join(str(error).split())}") from error


def config_fields(text: str) -> dict[str, Any]:
    """Return the fields of `SslEcgConfig` that a JSON text holds.

    Raises:
        ValueError: if it is no mapping or a field is unknown.
    """
    given = parse_mapping(text, what="--config", expected="a JSON mapping of SslEcgConfig fields")
    known = {entry.name for entry in fields(SslEcgConfig)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"--config has unknown fields {unknown}; known are {sorted(known)}")
    return given


def continued_model(checkpoint: str, objective: str, overrides: str) -> SslEcgForPreTraining:
    """Return the model of an objective with the encoder of a checkpoint, and its heads where they fit.

    Args:
        checkpoint: of any class; a checkpoint of another objective keeps no options of its own.
        objective: key of `OBJECTIVES`.
        overrides: JSON text of fields of the configuration that change.
    """
    changes = config_fields(overrides)
    model_class = OBJECTIVES[objective]
    same = load_config(checkpoint).architectures == [model_class.__name__]
    if not same:
        changes.setdefault("objective_options", {})
    return load_model(model_class, checkpoint, new_heads=not same, **changes)


def pretrain(what: PretrainingArguments, data: DataArguments, args: SslEcgTrainingArguments) -> Path:
    """Pretrain, or resume, and write the checkpoint to `args.output_dir`.

    Recordings of the train split are used with or without labels. The validation split tells, after each
    evaluation, the loss, whether the representation collapses, and now and then a kNN vote of its labels.

    Returns:
        The folder of the checkpoint.
    """
    recordings = data.load()
    folder = Path(args.output_dir)
    if args.augmentations is None:  # so that the recipe names what is done
        args.augmentations = OBJECTIVES[what.objective].default_augmentations or "none"
    recipe = make_recipe(
        "pretrain",
        {"objective": what.objective, **describe_arguments(what, data, args)},
        recordings.description,
        parent=None if what.model is None else read_recipe(what.model),
    )
    recipe["batch"] = describe_batch(args)
    set_seed(args.seed)
    if what.model is None:
        model = OBJECTIVES[what.objective](new_config(recordings, what.config))
    else:
        model = continued_model(what.model, what.objective, what.config)
    train = recordings.splits["train"]
    known = labelled(train) if "labels" in train.column_names else train.select([])
    trainer = SslEcgTrainer(
        model=model,
        args=args,
        train_dataset=train,
        eval_dataset=recordings.splits["validation"],
        probe_dataset=known.select(range(0, len(known), max(1, len(known) // PROBE_RECORDINGS))) or None,
    )
    # Opened only now: what does not fit is refused above, and leaves nothing behind.
    with args.main_process_first(desc="opening the run's folder"):
        resume = open_run(folder, recipe, overwrite=what.overwrite and args.process_index == 0)
    make_readable(trainer)
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(folder / "trainer_state.json"))
        save_checkpoint(trainer.accelerator.unwrap_model(trainer.model), folder)
    return folder
