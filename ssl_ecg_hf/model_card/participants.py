"""Recipe and metrics -> whose recordings a model was developed and measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssl_ecg_hf.model_card.markdown import UNKNOWN, count, listed, markdown_table


def participants_table(metrics: Mapping[str, Any] | None, recipe: Mapping[str, Any] | None) -> str:
    """What each split held, what of it was used and for what; empty where nothing is recorded."""
    rows = [_training_row(stage) for stage in stages(recipe) if "records" in stage.get("dataset", {})]
    if metrics is not None:
        held = metrics["run"]["dataset"].get("records", {})
        choices = listed([*chosen_on_validation(recipe), "thresholds", "temperature"])
        for split, purpose in (("validation", f"choosing {choices}"), ("test", "measuring")):
            used = metrics["data"][split]
            rows.append(
                [
                    split,
                    purpose,
                    count(held.get(split)),
                    count(used["records"]),
                    count(used["patients"]),
                ]
            )
    header = ["Split", "Used for", "Recordings", "Used", "Patients of these"]
    return markdown_table(header, rows, align="llrrr") if rows else ""


def chosen_on_validation(recipe: Mapping[str, Any] | None) -> list[str]:
    """What the training chose on the validation recordings, all runs that led to a checkpoint together.

    Example:
        >>> chosen_on_validation({"stage": "finetune", "parent": {"stage": "probe"}})
        ['the penalty of the probe', 'the best epoch']
    """
    return list(dict.fromkeys(choice for stage in stages(recipe) for choice in choices_of(stage)))


def choices_of(stage: Mapping[str, Any]) -> list[str]:
    """What a run chose on the validation recordings; pretraining only watches them unless it is told more.

    Example:
        >>> choices_of({"stage": "finetune", "arguments": {"probe_first": True}})
        ['the penalty of the probe', 'the best epoch']
        >>> choices_of({"stage": "pretrain"})
        []
    """
    kind, arguments = stage.get("stage"), stage.get("arguments", {})
    probed = kind == "probe" or arguments.get("probe_first", False)
    best = kind == "finetune" or arguments.get("load_best_model_at_end", False)
    return [
        *(["the penalty of the probe"] if probed else []),
        *(["the best epoch"] if best and kind != "probe" else []),
    ]


def class_counts(metrics: Mapping[str, Any] | None, recipe: Mapping[str, Any] | None) -> dict[str, Any]:
    """For each split the recordings that have a class: split -> class -> number."""
    counts: dict[str, Any] = {}
    latest = (recipe or {}).get("labels", {})
    if "per_class" in latest:
        counts["train"] = latest["per_class"]
    if metrics is not None:
        for split in ("validation", "test"):
            if split in metrics:
                per_class = metrics[split]["per_class"]
                counts[split] = {name: values["support"] for name, values in per_class.items()}
    return counts


def stages(recipe: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The runs that led to a checkpoint, the first one first."""
    return [*stages(recipe.get("parent")), recipe] if recipe else []


def stage_name(stage: Mapping[str, Any]) -> str:
    """What a run did.

    Example:
        >>> stage_name({"stage": "pretrain"})
        'pretraining'
    """
    names = {"pretrain": "pretraining", "finetune": "fine-tuning", "probe": "linear probe"}
    return names.get(str(stage.get("stage")), "training")


def labels_used(stage: Mapping[str, Any]) -> str:
    """``1,708 labelled recordings (10 %)``, or that there were none."""
    labels = stage.get("labels")
    if labels is None:
        return "none" if stage.get("stage") == "pretrain" else UNKNOWN
    return f"{count(labels['recordings'])} labelled recordings ({100 * labels['fraction']:g} %)"


def _training_row(stage: Mapping[str, Any]) -> list[str]:
    held = stage["dataset"]["records"].get("train")
    used = stage["labels"]["recordings"] if "labels" in stage else held
    return ["train", stage_name(stage), count(held), count(used), UNKNOWN]
