"""`ssl-ecg export`."""

from __future__ import annotations

import argparse
from pathlib import Path


def main(argv: list[str]) -> None:
    """Write a Hub-ready folder from a checkpoint and verify it in a process without this package."""
    parser = argparse.ArgumentParser(prog="ssl-ecg export", description=main.__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder written by pretrain or finetune")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument("--repo_id", required=True, help="owner/name that the model card speaks of")
    arguments = parser.parse_args(argv)

    from ssl_ecg_hf.evaluation.checkpoint import METRICS
    from ssl_ecg_hf.evaluation.recipe import read_recipe
    from ssl_ecg_hf.hub_export import export_checkpoint

    metrics = arguments.checkpoint / METRICS
    folder = export_checkpoint(
        arguments.checkpoint,
        arguments.output,
        repo_id=arguments.repo_id,
        metrics=metrics if metrics.is_file() else None,
        recipe=read_recipe(arguments.checkpoint),
    )
    print(f"exported and verified: {folder}")
