"""`ssl-ecg finetune`."""

from __future__ import annotations


def main(argv: list[str]) -> None:
    """Train a classifier and print where its checkpoint lies."""
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
    from ssl_ecg_hf.training.finetune import FinetuningArguments, finetune

    what, data, args = parse(
        "finetune",
        (FinetuningArguments, DataArguments, SslEcgTrainingArguments),
        argv,
        example="ssl-ecg finetune recipes/finetune_ptbxl.yaml --model runs/simclr --data DIR --label_fraction 0.1",
    )
    print(f"checkpoint: {finetune(what, data, args)}")
