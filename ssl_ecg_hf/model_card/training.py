"""recipe.json -> how a checkpoint was trained: the arguments that matter, and all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ssl_ecg_hf.model_card.markdown import UNKNOWN, cell, count, listed, markdown_table
from ssl_ecg_hf.model_card.participants import choices_of, labels_used, stage_name, stages

DEFAULT = "default"
"""What is shown of an argument that a recipe leaves out, because it was not changed."""

Stage = Mapping[str, Any]


def _argument(stage: Stage, name: str, otherwise: str = DEFAULT) -> str:
    value = stage.get("arguments", {}).get(name)
    return otherwise if value is None else cell(f"{value:g}" if isinstance(value, float) else value)


def _data(stage: Stage) -> str:
    data = stage.get("dataset")
    if data is None:
        return UNKNOWN
    simulated = " (simulated)" if data["simulated"] else ""
    records = data.get("records", {}).get("train")
    return cell(f"{data['name']}{simulated}") + (f", {count(records)} recordings" if records else "")


def _epochs(stage: Stage) -> str:
    patience = stage["arguments"].get("patience")
    epochs = _argument(stage, "num_train_epochs")
    return f"{epochs} at most, fewer after {patience} without gain on validation" if patience else epochs


def _batch(stage: Stage) -> str:
    batch = stage.get("batch")
    if batch is None:
        return _argument(stage, "per_device_train_batch_size")
    processes = f" on {batch['processes']} processes" if batch["processes"] > 1 else ""
    return f"{count(batch['recordings'])} recordings{processes}"


def _learning_rate(stage: Stage) -> str:
    encoder = stage["arguments"].get("encoder_learning_rate")
    rate = _argument(stage, "learning_rate")
    return f"{rate}, of the encoder {encoder:g}" if encoder is not None else rate


def _schedule(stage: Stage) -> str:
    warmup = stage["arguments"].get("warmup_steps")
    kind = _argument(stage, "lr_scheduler_type")
    return f"{kind}, {warmup:g} steps of warm-up" if warmup else kind


def _augmentations(stage: Stage) -> str:
    none = DEFAULT if stage.get("stage") == "pretrain" else "none"
    return _argument(stage, "augmentations", none)


def _imbalance(stage: Stage) -> str:
    if stage.get("stage") == "pretrain":
        return UNKNOWN
    arguments = stage["arguments"]
    changed = [f"{name} `{arguments[key]}`" for key, name in _IMBALANCE.items() if key in arguments]
    return ", ".join(changed) if changed else "not corrected for"


def _precision(stage: Stage) -> str:
    arguments = stage["arguments"]
    return "bfloat16" if arguments.get("bf16") else "float16" if arguments.get("fp16") else "float32"


def _objective(stage: Stage) -> str:
    if stage.get("stage") == "pretrain":
        return _argument(stage, "objective")
    return UNKNOWN


def _made_with(stage: Stage) -> str:
    software = stage.get("software")
    if not software:
        return UNKNOWN
    revision = f", revision `{software['git_revision'][:12]}`" if software.get("git_revision") else ""
    changed = " with local changes" if software.get("git_modified") else ""
    return f"ssl_ecg_hf {software['ssl_ecg_hf']}{revision}{changed}, {software['date']}"


_IMBALANCE = {"classification_loss": "loss", "sampler": "sampler"}
_BY_GRADIENT: dict[str, Callable[[Stage], str]] = {
    "Epochs": _epochs,
    "Batch": _batch,
    "Learning rate": _learning_rate,
    "Schedule": _schedule,
    "Weight decay": lambda stage: _argument(stage, "weight_decay"),
    "Augmentations": _augmentations,
    "Class imbalance": _imbalance,
    "Precision": _precision,
    "Seed": lambda stage: _argument(stage, "seed"),
}
_OF_ALL: dict[str, Callable[[Stage], str]] = {
    "Data": _data,
    "Labels": labels_used,
    "Objective": _objective,
    "Chosen on validation": lambda stage: listed(choices_of(stage)) or UNKNOWN,
}


def training_table(recipe: Mapping[str, Any] | None) -> str:
    """The arguments that matter, one column a run; empty where no run is recorded."""
    runs = [stage for stage in stages(recipe) if "arguments" in stage]
    if not runs:
        return ""
    rows = [[title, *(show(stage) for stage in runs)] for title, show in _OF_ALL.items()]
    for title, show in _BY_GRADIENT.items():
        # A probe is a logistic regression: the arguments of the optimiser do not apply to it.
        rows.append([title, *(UNKNOWN if stage.get("stage") == "probe" else show(stage) for stage in runs)])
    rows.append(["Made with", *(_made_with(stage) for stage in runs)])
    told = [row for row in rows if set(row[1:]) != {UNKNOWN}]
    return markdown_table(["", *(_title(stage) for stage in runs)], told, align="l" * (1 + len(runs)))


def arguments_table(recipe: Mapping[str, Any]) -> str:
    """A run's recipe, names joined with dots, without software and tokens; of paths only the last part."""
    rows = [[f"`{key}`", f"`{value}`"] for key, value in _flatten(recipe)]
    return markdown_table(["Argument", "Value"], rows, align="ll") if rows else ""


def _title(stage: Stage) -> str:
    return stage_name(stage).capitalize()


def _flatten(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if key == "software":
            continue
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None and "token" not in str(key).lower():
            yield f"{prefix}{key}", cell(value)
