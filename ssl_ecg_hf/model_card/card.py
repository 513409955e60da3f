"""config + metrics.json + recipe -> README.md of a checkpoint; nothing in it is typed in by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from huggingface_hub import ModelCard, ModelCardData

from ssl_ecg_hf.model_card.citations import method_citations, objective_names
from ssl_ecg_hf.model_card.datasets import public_dataset
from ssl_ecg_hf.model_card.markdown import count, listed, number, patients_of, with_interval
from ssl_ecg_hf.model_card.model_index import dataset_slug, evaluation_results
from ssl_ecg_hf.model_card.participants import (
    chosen_on_validation,
    class_counts,
    participants_table,
    stages,
)
from ssl_ecg_hf.model_card.quick_start import onnx_quick_start, quick_start
from ssl_ecg_hf.model_card.results import (
    check_metrics,
    check_robustness,
    class_table,
    label_efficiency_table,
    labels_table,
    macro_table,
    robustness_table,
    subgroup_table,
    worst_conditions,
)
from ssl_ecg_hf.model_card.training import arguments_table, training_table

TEMPLATE = Path(__file__).with_name("template.md")
PICTURES = "pictures"
"""Folder of the pictures, beside the card."""
MANY = 12
"""Classes, from which on tables of them are folded."""
TAGS: tuple[str, ...] = (
    "ecg",
    "electrocardiogram",
    "ecg-classification",
    "time-series",
    "medical",
    "ssl_ecg",
)

Kind = Literal["classifier", "pretraining", "encoder"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """The recording that comes with a checkpoint.

    Args:
        title: what it is.
        simulated: whether it was computed.
        probabilities: of each class, by the checkpoint; empty without classes.
    """

    title: str
    simulated: bool
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Supplement:
    """What a card can say beyond configuration, metrics and recipe.

    Args:
        class_meanings: class -> what it stands for; by default those of the metrics.
        model: ``encoder``, ``pooling``, ``head`` in words; ``encoder_parameters``, ``parameters`` and
            ``embedding_size``, numbers.
        preprocessing: content of preprocessor_config.json.
        example: the recording that comes with it.
        pictures: names of the files in the folder ``PICTURES``: example_ecg.png, roc.png,
            precision_recall.png, reliability.png, label_efficiency.png.
        robustness: content of robustness.json.
        experiments: content of the summary.json of the table of experiments that the checkpoint belongs to.
        method: the checkpoint's row in that table.
    """

    class_meanings: Mapping[str, str] = field(default_factory=dict)
    model: Mapping[str, Any] | None = None
    preprocessing: Mapping[str, Any] | None = None
    example: Example | None = None
    pictures: tuple[str, ...] = ()
    robustness: Mapping[str, Any] | None = None
    experiments: Mapping[str, Any] | None = None
    method: str = ""


def render_model_card(
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    recipe: Mapping[str, Any] | None,
    repo_id: str,
    kind: Kind,
    onnx: Mapping[str, Any] | None = None,
    supplement: Supplement | None = None,
) -> str:
    """Write the README.md of a checkpoint.

    Args:
        config: the checkpoint's config.json: ``sampling_rate`` (Hz), ``num_samples``, ``leads``,
            ``normalization``, ``encoder_type`` and, of a classifier, ``id2label`` and ``thresholds``.
        metrics: content of its metrics.json; None: the card says that it was not evaluated.
        recipe: the training run, nested as it is; None: the card says that it is not recorded. Its
            ``"dataset": {"name": str, "simulated": bool}`` names the training data, ``"parent"`` is the
            recipe of the checkpoint that it started from, ``"software"`` what it was made with, and an
            ``"objective"`` at any depth the method to cite.
        repo_id: the repository's id on the Hub, ``owner/name``.
        kind: ``"classifier"``, ``"pretraining"`` (encoder and heads of an objective) or ``"encoder"``.
        onnx: content of onnx.json, where there are ONNX files.
        supplement: what else is known.

    Returns:
        Markdown with a YAML header that the Hub understands.

    Raises:
        ValueError: if the kind is unknown, the repository id is not valid, the training data are not
            described, or the metrics are not those of this checkpoint.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r} is not known; expected one of {list(get_args(Kind))}")
    if metrics is not None:
        check_metrics(metrics, config, classifier=kind == "classifier")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
        raise ValueError(
            f"repo_id {repo_id!r} is not valid; expected owner/name of letters, digits, '.', '_', '-'"
        )
    more = supplement or Supplement()
    if metrics is not None and more.robustness is not None:
        check_robustness(more.robustness, metrics)
    trained_on = _training_data(recipe)
    measured_on = [metrics["run"]["dataset"]] if metrics is not None else []
    data = _each_once([*trained_on, *measured_on])
    known = {one["name"]: public_dataset(one) for one in data}
    objectives = objective_names(config, recipe)
    labels = [name for _, name in sorted(_id2label(config).items())] if kind == "classifier" else []
    classes = labels or list((metrics or {}).get("classes", []))
    card = ModelCard.from_template(
        _header(metrics, data, objectives, repo_id=repo_id),
        template_path=str(TEMPLATE),
        # What is known, as it is.
        kind=kind,
        name=repo_id.split("/")[-1],
        repo_id=repo_id,
        config=config,
        metrics=metrics,
        recipe=recipe,
        more=more,
        onnx=onnx,
        objectives=objectives,
        labels=labels,
        data=data,
        trained_on=trained_on,
        labelled=_each_once([*_labelled_data(recipe), *measured_on]),
        known=known,
        # What follows from it.
        seconds=f"{config['num_samples'] / config['sampling_rate']:g}",
        simulated_training=any(one["simulated"] for one in trained_on),
        simulated_test=metrics is not None and metrics["run"]["dataset"]["simulated"],
        snippet=quick_start(config, repo_id=repo_id, classifier=kind == "classifier"),
        onnx_snippet=onnx_quick_start(config, classifier=kind == "classifier"),
        citations=_citations(config, metrics, recipe, known),
        folded=len(classes) > MANY,
        **_tables(config, metrics, recipe, more, classes=classes),
        # Functions.
        count=count,
        number=number,
        patients_of=patients_of,
        with_interval=with_interval,
        picture=lambda name: f"{PICTURES}/{name}",
    )
    return str(card).rstrip() + "\n"


def _tables(
    config: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    recipe: Mapping[str, Any] | None,
    more: Supplement,
    *,
    classes: list[str],
) -> dict[str, Any]:
    """Every table of the card by its name in the template; empty where nothing is known."""
    thresholds = dict(zip(classes, config.get("thresholds") or [], strict=False))
    meanings = dict(more.class_meanings) or dict((metrics or {}).get("class_meanings", {}))
    measured: dict[str, Any] = dict.fromkeys(("macro", "per_class", "subgroups", "robustness", "worst"), "")
    if metrics is not None:
        measured = {
            "macro": macro_table(metrics),
            "per_class": class_table(metrics),
            "subgroups": subgroup_table(metrics),
            "robustness": robustness_table(more.robustness) if more.robustness is not None else "",
            "worst": _worst_table(more.robustness),
        }
    return measured | {
        "class_list": labels_table(
            classes, meanings=meanings, thresholds=thresholds, counts=class_counts(metrics, recipe)
        )
        if classes
        else "",
        "named": [f"{name} ({meanings[name]})" if name in meanings else name for name in classes],
        "few_seeds": any(
            row["test_auroc"]["seeds"] < 3 for row in (more.experiments or {"rows": []})["rows"]
        ),
        "participants": participants_table(metrics, recipe),
        "chosen": listed(chosen_on_validation(recipe)),
        "training": training_table(recipe),
        "arguments": arguments_table(recipe) if recipe else "",
        "label_efficiency": label_efficiency_table(more.experiments) if more.experiments is not None else "",
    }


def _worst_table(robustness: Mapping[str, Any] | None) -> str:
    """The conditions with the largest losses; empty where none was measured or none is defined."""
    worst = {"conditions": []} if robustness is None else worst_conditions(robustness)
    return robustness_table(worst) if worst["conditions"] else ""


def _citations(
    config: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    recipe: Mapping[str, Any] | None,
    known: Mapping[str, Any],
) -> list[str]:
    found = method_citations(config, recipe, measured=metrics is not None)
    found += [entry for dataset in known.values() if dataset is not None for entry in dataset.bibtex]
    return list(dict.fromkeys(found))


def _header(
    metrics: Mapping[str, Any] | None,
    data: list[Mapping[str, Any]],
    objectives: list[str],
    *,
    repo_id: str,
) -> ModelCardData:
    results = evaluation_results(metrics) if metrics is not None else None
    names = [one.get("hub_id") or dataset_slug(one["name"]) for one in data if not one["simulated"]]
    return ModelCardData(
        license="apache-2.0",
        library_name="transformers",
        tags=[*TAGS, *(["self-supervised-learning", *objectives] if objectives else [])],
        datasets=list(dict.fromkeys(names)) or None,
        metrics=sorted({result.metric_type for result in results}) if results else None,
        eval_results=results or None,
        model_name=repo_id.split("/")[-1],
    )


def _training_data(recipe: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The data of a run and of the runs before it, the latest first."""
    if not recipe:
        return []
    dataset, before = recipe.get("dataset"), _training_data(recipe.get("parent"))
    if dataset is None:
        return before
    if not isinstance(dataset, Mapping) or not {"name", "simulated"} <= dataset.keys():
        raise ValueError(
            f"recipe['dataset'] is {dataset!r}; expected {{'name': str, 'simulated': bool}}: "
            "a card must say what its model was trained on"
        )
    return [dataset, *before]


def _labelled_data(recipe: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The data of those runs that used labels."""
    runs = [stage for stage in stages(recipe) if stage.get("stage") != "pretrain"]
    return [stage["dataset"] for stage in runs if "dataset" in stage]


def _each_once(data: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first description of each dataset."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in data:
        found.setdefault(one["name"], one)
    return list(found.values())


def _id2label(config: Mapping[str, Any]) -> dict[int, str]:
    return {int(index): str(name) for index, name in (config.get("id2label") or {}).items()}
