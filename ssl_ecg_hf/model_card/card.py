"""config + metrics.json + recipe -> README.md of a checkpoint; nothing in it is typed in by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from huggingface_hub import ModelCard, ModelCardData

from ssl_ecg_hf.model_card.citations import METHODS, objective_names, public_dataset
from ssl_ecg_hf.model_card.quick_start import quick_start
from ssl_ecg_hf.model_card.results import (
    check_metrics,
    class_table,
    dataset_slug,
    evaluation_results,
    macro_table,
    recipe_table,
    subgroup_table,
)

TEMPLATE = Path(__file__).with_name("template.md")
TAGS: tuple[str, ...] = (
    "ecg",
    "electrocardiogram",
    "ecg-classification",
    "time-series",
    "medical",
    "ssl_ecg",
)

Kind = Literal["classifier", "pretraining", "encoder"]


def render_model_card(
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    recipe: Mapping[str, Any] | None,
    repo_id: str,
    kind: Kind,
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
    trained_on = _training_data(recipe)
    datasets = [*trained_on, *([metrics["run"]["dataset"]] if metrics is not None else [])]
    objectives = objective_names(config, recipe)
    known = {data["name"]: public_dataset(data["name"]) for data in datasets if not data["simulated"]}
    citations = [METHODS[name] for name in objectives if name in METHODS]
    citations += [dataset.bibtex for dataset in known.values() if dataset is not None]
    card = ModelCard.from_template(
        _header(metrics, datasets, objectives, repo_id=repo_id),
        template_path=str(TEMPLATE),
        kind=kind,
        name=repo_id.split("/")[-1],
        config=config,
        metrics=metrics,
        recipe=recipe,
        objectives=objectives,
        labels=[name for _, name in sorted(_id2label(config).items())],
        seconds=f"{config['num_samples'] / config['sampling_rate']:g}",
        simulated_training=any(data["simulated"] for data in trained_on),
        simulated_test=metrics is not None and metrics["run"]["dataset"]["simulated"],
        training_data=trained_on,
        known_datasets={name: dataset for name, dataset in known.items() if dataset is not None},
        snippet=quick_start(config, repo_id=repo_id, classifier=kind == "classifier"),
        macro=macro_table(metrics) if metrics is not None else "",
        per_class=class_table(metrics) if metrics is not None else "",
        subgroups=subgroup_table(metrics) if metrics is not None else "",
        arguments=recipe_table(recipe) if recipe else "",
        citations=list(dict.fromkeys(citations)),
    )
    return str(card).rstrip() + "\n"


def _header(
    metrics: Mapping[str, Any] | None,
    datasets: list[Mapping[str, Any]],
    objectives: list[str],
    *,
    repo_id: str,
) -> ModelCardData:
    results = evaluation_results(metrics) if metrics is not None else None
    names = [
        dataset.get("hub_id") or dataset_slug(dataset["name"])
        for dataset in datasets
        if not dataset["simulated"]
    ]
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


def _id2label(config: Mapping[str, Any]) -> dict[int, str]:
    return {int(index): str(name) for index, name in (config.get("id2label") or {}).items()}
