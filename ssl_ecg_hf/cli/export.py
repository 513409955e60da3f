"""`ssl-ecg export`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_ecg_hf.data.source import Recordings


def recordings_of_run(recipe: Mapping[str, Any] | None, data: str, cache_dir: str | None) -> Recordings:
    """Load the recordings that a run was trained on, with its label set, rate and split.

    Args:
        recipe: of the run.
        data: where the recordings are here, see `DataArguments`.
        cache_dir: see `DataArguments`.

    Raises:
        ValueError: if there is no recipe, or these are other recordings than those of the run.
    """
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.evaluation.recipe import check_same_split, same_dataset

    if recipe is None:
        raise ValueError("the checkpoint has no recipe.json, so that its test split is not known")
    known = {entry.name for entry in fields(DataArguments)}
    chosen = {name: value for name, value in recipe["arguments"].items() if name in known}
    recordings = DataArguments(**{**chosen, "data": data, "cache_dir": cache_dir}).load()
    trained_on, given = recipe["dataset"], recordings.description
    if not same_dataset(trained_on, given):
        raise ValueError(
            f"the model was trained on {trained_on['name']!r}, --data {data!r} is {given['name']!r}; the "
            "loss in 8 bits is measured on its own test split"
        )
    check_same_split(dict(recipe), given)
    return recordings


def main(argv: list[str]) -> None:
    """Write a Hub-ready folder from a checkpoint and verify it in a process without this package."""
    parser = argparse.ArgumentParser(prog="ssl-ecg export", description=main.__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder written by pretrain or finetune")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument("--repo_id", required=True, help="owner/name that the model card speaks of")
    parser.add_argument(
        "--experiments",
        type=Path,
        help="summary.json of the table of experiments that it is a run of, for the card's label efficiency",
    )
    parser.add_argument("--onnx", action="store_true", help="add model.onnx, for onnxruntime without PyTorch")
    parser.add_argument(
        "--onnx_int8",
        action="store_true",
        help="add model_int8.onnx, too, and measure what it loses on the test split of --data",
    )
    parser.add_argument(
        "--endpoint_requirements",
        nargs="+",
        default=[],
        metavar="REQUIREMENT",
        help="further lines of requirements.txt of a classifier, for an Inference Endpoint; with "
        "'ssl_ecg_hf[formats] @ git+https://...' it takes files, too",
    )
    parser.add_argument("--data", help="recordings of the training, for --onnx_int8")
    parser.add_argument("--cache_dir", help="where caches of recordings are kept")
    arguments = parser.parse_args(argv)
    if arguments.onnx_int8 and arguments.data is None:
        raise ValueError(
            "--onnx_int8 needs the recordings of the training (--data): their train split gives the ranges "
            "of the activations, their test split the loss"
        )

    from ssl_ecg_hf.evaluation.checkpoint import METRICS
    from ssl_ecg_hf.evaluation.recipe import read_recipe
    from ssl_ecg_hf.hub_export import export_checkpoint

    recipe = read_recipe(arguments.checkpoint)
    metrics = arguments.checkpoint / METRICS
    folder = export_checkpoint(
        arguments.checkpoint,
        arguments.output,
        repo_id=arguments.repo_id,
        metrics=metrics if metrics.is_file() else None,
        experiments=arguments.experiments,
        recipe=recipe,
        onnx=arguments.onnx or arguments.onnx_int8,
        int8=recordings_of_run(recipe, arguments.data, arguments.cache_dir) if arguments.onnx_int8 else None,
        endpoint_requirements=arguments.endpoint_requirements,
    )
    print(f"exported and verified: {folder}")
