"""What was run: the recipe.json that lies beside every checkpoint and is copied into metrics.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from ssl_ecg_hf.evaluation.run_information import run_information

RECIPE = "recipe.json"
# Where a run happens and what it prints do not change what it computes.
PLACE_FIELDS = {
    "data", "cache_dir", "output_dir", "overwrite", "model", "disable_tqdm", "run_name", "report_to",
    "resume_from_checkpoint", "hub_token", "push_to_hub", "accelerator_config",
    "use_cpu", "dataloader_pin_memory", "do_eval", "keep_data_on_device", "keep_freed_memory",
    "dataloader_num_workers", "dataloader_prefetch_factor", "dataloader_persistent_workers",
    "ddp_backend", "ddp_timeout", "ddp_bucket_cap_mb", "ddp_find_unused_parameters",
}  # fmt: skip


def changed_arguments(group: Any) -> dict[str, Any]:
    """Return the fields of a dataclass instance that differ from their defaults.

    No other instance is built to compare with: `TrainingArguments` set up the state of all processes.
    """
    changed: dict[str, Any] = {}
    for entry in fields(group):
        value = getattr(group, entry.name)
        default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
        # `__post_init__` turns some defaults of None or "" into False or []; a number is never one of these.
        if value != default and (value or default or type(value) in (int, float)):
            changed[entry.name] = value
    return changed


def describe_arguments(*groups: Any) -> dict[str, Any]:
    """Return the arguments that differ from their defaults, in plain JSON values, without places and tokens.

    Args:
        groups: dataclass instances.
    """
    described: dict[str, Any] = {}
    for group in groups:
        for name, value in changed_arguments(group).items():
            if name not in PLACE_FIELDS:
                described[name] = json.loads(json.dumps(value, default=str))
    return described


def read_recipe(checkpoint: str | Path) -> dict[str, Any] | None:
    """Return the recipe beside a checkpoint, or None where there is none."""
    path = Path(checkpoint) / RECIPE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def check_same_split(recipe: dict[str, Any] | None, given: dict[str, Any]) -> None:
    """Refuse recordings that are divided otherwise than those of a run, or of one that it started from.

    Args:
        recipe: of the run that the checkpoint comes from; None where nothing is known of it.
        given: description of the recordings.

    Raises:
        ValueError: if dataset and split say that the run may have trained on what is now measured.
    """
    for run in _lineage(recipe):
        trained_on = run["dataset"]
        if trained_on["name"] != given["name"]:
            continue
        if trained_on.get("split") != given.get("split"):
            raise ValueError(
                f"the model was trained ({run['stage']}) on the split {trained_on.get('split')!r} of "
                f"{given['name']}, these recordings are divided as {given.get('split')!r}: it may have seen "
                "those that it would be measured on; use one split (--split_seed) throughout"
            )
        then, now = (description.get("held_out", {}) for description in (trained_on, given))
        if moved := [name for name in then if then[name] != now.get(name, then[name])]:
            raise ValueError(
                f"{' and '.join(moved)} of {given['name']} hold other recordings than when the model was "
                f"trained ({run['stage']}): recordings came, went or got other labels since, and were "
                "divided otherwise, so that it may have seen those that it would be measured on. Go back to "
                "the earlier recordings, or train again; a column 'split' in the table keeps a division"
            )


def same_dataset(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two descriptions are of the same dataset, whatever folder it lies in.

    A folder that was moved or renamed is still the same if its validation and test hold the same recordings.
    Two folders of one name count as the same; whether they are divided alike is for `check_same_split`.

    Args:
        one: description of recordings.
        other: likewise.

    Example:
        >>> ours, digests = {"name": "ours", "simulated": False}, {"validation": "ab", "test": "cd"}
        >>> same_dataset(ours, {**ours, "name": "moved"})
        False
        >>> same_dataset({**ours, "held_out": digests}, {**ours, "name": "moved", "held_out": digests})
        True
    """
    stated = [key for key in ("simulated", "public", "seed") if key in one and key in other]
    if any(one[key] != other[key] for key in stated):
        return False
    if "public" in stated or one["name"] == other["name"]:
        return True
    # Ids that merely count are alike in many datasets; their table and their numbers are not.
    alike = ("held_out", "records", "table_sha256")
    return bool(one.get("held_out")) and all(one.get(key) == other.get(key) for key in alike)


def check_own_metrics(recipe: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Refuse metrics of an external test, where those of a checkpoint's own data are wanted.

    Args:
        recipe: of the checkpoint.
        metrics: content of a metrics.json.

    Raises:
        ValueError: if they were measured on another dataset, or on another division of it.
    """
    trained_on, measured_on = recipe["dataset"], metrics["run"]["dataset"]
    own = same_dataset(trained_on, measured_on) and "trained_on" not in metrics["run"]
    # What one of them does not state, as older ones do not, is no difference.
    stated = [key for key in ("split", "held_out") if trained_on.get(key) and measured_on.get(key)]
    if not own or any(trained_on[key] != measured_on[key] for key in stated):
        raise ValueError(
            f"metrics.json was measured on {measured_on['name']!r}{_divided(measured_on)}, the checkpoint "
            f"was trained on {trained_on['name']!r}{_divided(trained_on)}: its own results are wanted, which "
            "ssl-ecg evaluate writes for the data of the training; those on others go to an --output_dir"
        )


def _divided(dataset: Mapping[str, Any]) -> str:
    return f" ({dataset['split']})" if dataset.get("split") else ""


def _lineage(recipe: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The run of a recipe, the run that it started from, and so on."""
    while recipe is not None:
        yield recipe
        recipe = recipe["parent"]


def make_recipe(
    stage: str, arguments: dict[str, Any], dataset: dict[str, Any], *, parent: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a run: its stage, arguments, data, software, and the run whose checkpoint it started from."""
    return {
        "stage": stage,
        "arguments": arguments,
        "dataset": dataset,
        "software": run_information(),
        "parent": parent,
    }
