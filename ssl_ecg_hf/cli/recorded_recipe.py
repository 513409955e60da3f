"""Whether a finished run was made with the options that a table of experiments names now."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ssl_ecg_hf.cli.experiment_table import Cell, Pretraining
from ssl_ecg_hf.cli.parsing import words_of
from ssl_ecg_hf.evaluation.recipe import PLACE_FIELDS
from ssl_ecg_hf.files import parse_mapping

# Beyond places: what a run looks at and keeps on its way changes nothing of what it ends with.
ON_THE_WAY = PLACE_FIELDS | {
    "probe_every", "per_device_eval_batch_size", "batch_eval_metrics", "do_train", "do_predict", "local_rank",
    "prediction_loss_only", "project", "skip_memory_metrics", "torch_empty_cache_steps",
}  # fmt: skip
ON_THE_WAY_PREFIXES = (
    "dataloader_", "ddp_", "eval_", "hub_", "log_", "logging_", "save_", "trackio_",
)  # fmt: skip
CHANGES_BATCHES = {"dataloader_drop_last"}
MEASURED = {"sampling_rate", "num_samples"}  # fields of the configuration that come from the recordings
SHOWN = 5  # files in a message


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A run as a table describes it.

    Args:
        verb: ``"pretrain"`` or ``"finetune"``.
        words: recipe and options of that verb, without places.
        numbers: options that every run has its own of, such as seeds.
        parent: the pretraining that it starts from.
    """

    verb: str
    words: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    parent: Wanted | None = None

    @property
    def command(self) -> list[str]:
        """All words but those that name places."""
        return [*self.words, *words_of(self.numbers)]


def wanted_pretraining(pretraining: Pretraining) -> Wanted:
    """Return what a table says of a pretraining."""
    words = (*pretraining.words, *pretraining.data_words)
    return Wanted(verb="pretrain", words=words, numbers={"seed": pretraining.seed})


def wanted_run(cell: Cell) -> Wanted:
    """Return what a table says of a cell."""
    return Wanted(
        verb="finetune",
        words=(*cell.words, *cell.data_words),
        numbers={"seed": cell.seed, "label_seed": cell.seed, "label_fraction": cell.label_fraction},
        parent=None if cell.pretraining is None else wanted_pretraining(cell.pretraining),
    )


def is_compared(name: str) -> bool:
    """Tell whether an option changes what a run ends with.

    Example:
        >>> is_compared("learning_rate"), is_compared("logging_steps")
        (True, False)
    """
    on_the_way = name in ON_THE_WAY or name.startswith(ON_THE_WAY_PREFIXES)
    return name in CHANGES_BATCHES or not on_the_way


@functools.cache
def _values(verb: str, words: tuple[str, ...]) -> Mapping[str, Any]:
    """Every option that is compared, and `model`, with its value by these words, as a recipe writes it."""
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
    from ssl_ecg_hf.training.finetune import FinetuningArguments
    from ssl_ecg_hf.training.pretrain import PretrainingArguments

    first = {"pretrain": PretrainingArguments, "finetune": FinetuningArguments}[verb]
    return {
        entry.name: json.loads(json.dumps(getattr(group, entry.name), default=str))
        for group in parse(verb, (first, DataArguments, SslEcgTrainingArguments), words)
        for entry in fields(group)
        if is_compared(entry.name) or entry.name == "model"
    }


@functools.cache
def _default_config() -> Mapping[str, Any]:
    """Fields of a new model's configuration that do not come from the recordings."""
    from ssl_ecg_hf.modeling import SslEcgConfig

    known = SslEcgConfig().to_dict()
    return {name: value for name, value in known.items() if name not in MEASURED}


@functools.cache
def _default_options(objective: str) -> Mapping[str, Any]:
    """Options of an objective."""
    import torch

    from ssl_ecg_hf.modeling import OBJECTIVES, SslEcgConfig

    with torch.device("meta"):
        return vars(OBJECTIVES[objective](SslEcgConfig()).options)


def _parsed(value: Any) -> Any:
    """A value; JSON text of a mapping as that mapping, whose spaces and order say nothing."""
    is_mapping = isinstance(value, str) and value.lstrip().startswith("{")
    return json.loads(value) if is_mapping else value


def _flat(values: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """Options by name, the fields of `config` and the options of an objective each by its own.

    Args:
        values: of all options that are compared.
        new: whether the model starts from nothing, so that what `config` leaves out has its default;
            otherwise it is that of a checkpoint.
    """
    from ssl_ecg_hf.modeling import OBJECTIVES

    flat = {name: _parsed(value) for name, value in values.items() if name not in {"model", "config"}}
    config = parse_mapping(values["config"], what="--config", expected="JSON of SslEcgConfig fields")
    objective = flat.get("objective")
    if objective in OBJECTIVES and flat["augmentations"] is None:  # as `pretrain` does
        flat["augmentations"] = OBJECTIVES[objective].default_augmentations or "none"
    options = config.pop("objective_options", None) or {}
    if new:
        config = {**_default_config(), **config}
        options = {**(_default_options(objective) if objective in OBJECTIVES else {}), **options}
        config.pop("objective_options", None)
    flat |= {f"config.{name}": value for name, value in config.items()}
    return flat | {f"config.objective_options.{name}": value for name, value in options.items()}


def differences(recipe: Mapping[str, Any], wanted: Wanted) -> list[str]:
    """Name the options in which a finished run is not what a table asks for, with both values.

    Args:
        recipe: of the run, as its recipe.json or the `run` of its metrics.json has it. An option that it does
            not record had its default.
        wanted: what the table says.
    """
    asked = {**_values(wanted.verb, wanted.words), **wanted.numbers}
    made = {name: value for name, value in recipe.get("arguments", {}).items() if is_compared(name)}
    new = wanted.parent is None and asked["model"] is None
    then = _flat({**_values(wanted.verb, ()), **made}, new=new)
    now = _flat(asked, new=new)
    found = [
        f"{name}: {json.dumps(then.get(name))} then, {json.dumps(now.get(name))} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    # What a recipe starts from by a --model of its own is a place, and not the table's to say.
    if wanted.verb == "pretrain" or asked["model"] is not None:
        return found
    parent = recipe.get("parent")
    if parent is None or wanted.parent is None:
        given = ["none" if start is None else "one" for start in (parent, wanted.parent)]
        return found if parent is wanted.parent else [*found, f"pretraining: {given[0]} then, {given[1]} now"]
    return [*found, *(f"pretraining's {line}" for line in differences(parent, wanted.parent))]


def check_recipes(finished: Iterable[tuple[Path, Mapping[str, Any] | None, Wanted]]) -> None:
    """Refuse finished runs that are not what a table asks for now.

    Args:
        finished: of each run its file of results or its folder, the recipe that it was made with, None where
            there is none, and what the table says.

    Raises:
        ValueError: if one was made with other options.
    """
    other = {}
    for path, recipe, wanted in finished:
        lines = ["it has no recipe.json"] if recipe is None else differences(recipe, wanted)
        if lines:
            other[path] = "; ".join(lines)
    if other:
        shown = "".join(f"\n  {path}: {lines}" for path, lines in list(other.items())[:SHOWN])
        more = f"\n  and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        raise ValueError(
            f"{len(other)} finished runs were made with other options than the table and its recipes name "
            f"now:{shown}{more}\nRemove these to make them anew, undo the change, or give the table another "
            "name"
        )
