"""The folder of one training run: whether it can be resumed and what it ends with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.utils import logging

from ssl_ecg_hf.evaluation.recipe import PLACE_FIELDS, RECIPE, read_recipe
from ssl_ecg_hf.files import write_json
from ssl_ecg_hf.modeling import SslEcgFeatureExtractor

logger = logging.get_logger(__name__)


def _checkpoints(folder: Path) -> list[Path]:
    """Return the folders `checkpoint-N`, newest first."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)


def last_complete_checkpoint(folder: Path) -> Path | None:
    """Return the newest `checkpoint-N` whose state was written to the end (a kill may leave half a one)."""
    for checkpoint in _checkpoints(folder):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return checkpoint
    return None


def describe_batch(args: TrainingArguments) -> dict[str, int]:
    """Return how many recordings all processes see in one pass, and the number of processes."""
    return {"recordings": args.train_batch_size * args.world_size, "processes": args.world_size}


def _differences(known: dict[str, Any], recipe: dict[str, Any]) -> list[str]:
    """Name the arguments in which two recipes differ, and `data` and `model` where those are others."""
    names = {*known["arguments"], *recipe["arguments"]} - PLACE_FIELDS
    before, now = known.get("batch"), recipe.get("batch")
    if before and now:
        # Another number of processes may go on with a run, if together they see as many recordings.
        names.discard("per_device_train_batch_size")
    changed = {name for name in names if known["arguments"].get(name) != recipe["arguments"].get(name)}
    for part, name in (("dataset", "data"), ("parent", "model"), ("stage", "stage")):
        if known[part] != recipe[part]:
            changed.add(name)
    if before and now and before["recordings"] != now["recordings"]:
        changed.add(
            f"per_device_train_batch_size x processes: {before['recordings']} before, {now['recordings']} now"
        )
    return sorted(changed)


def open_run(folder: Path, recipe: dict[str, Any], *, overwrite: bool) -> Path | None:
    """Prepare the folder of a run.

    Args:
        folder: created if needed.
        recipe: what the run is; stored beside its results.
        overwrite: whether an earlier run there is deleted.

    Returns:
        The checkpoint to resume from, or None for a fresh start.

    Raises:
        ValueError: if the folder holds a finished run, a run of another recipe, or a model or checkpoints
            without a recipe; the last, which are of unknown origin, are not overwritten either.
    """
    if overwrite and (folder / RECIPE).is_file():
        shutil.rmtree(folder)
    known = read_recipe(folder)
    if known is None and (_checkpoints(folder) or (folder / "config.json").is_file()):
        raise ValueError(
            f"{folder} holds a model or checkpoints without a {RECIPE}, so they are not of a run of this "
            "command, and it neither resumes nor deletes them: choose another --output_dir, or remove them "
            "yourself"
        )
    if known is not None and (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds a finished run; choose another --output_dir or pass --overwrite")
    if known is not None and (changed := _differences(known, recipe)):
        raise ValueError(
            f"{folder} holds an unfinished run with other arguments (different: {changed}); repeat them to "
            "resume, choose another --output_dir or pass --overwrite"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECIPE, recipe)
    checkpoint = last_complete_checkpoint(folder)
    if checkpoint is not None:
        logger.warning(f"resuming {folder} from {checkpoint.name}")
    return checkpoint


def save_checkpoint(model: Any, folder: Path) -> None:
    """Write weights, configuration and feature extractor; `config.json`, which marks a finished run, last."""
    extractor = SslEcgFeatureExtractor.for_model(model.config)
    staging = folder / ".saving"
    model.save_pretrained(staging)
    extractor.save_pretrained(staging)
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(folder / path.name)
    staging.rmdir()
