"""`ssl-ecg finetune`."""

from __future__ import annotations


def main(argv: list[str]) -> None:
    """Train a classifier and print where its checkpoint lies."""
    import torch.distributed as dist

    from ssl_ecg_hf.cli.parsing import data_words, parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
    from ssl_ecg_hf.training.finetune import FinetuningArguments, finetune

    what, data, args = parse(
        "finetune",
        (FinetuningArguments, DataArguments, SslEcgTrainingArguments),
        argv,
        example="ssl-ecg finetune recipes/finetune_ptbxl.yaml --model runs/simclr_ptbxl --data DIR",
    )
    folder = finetune(what, data, args)
    if args.process_index == 0:
        print(f"checkpoint: {folder}")
        print(f"next: ssl-ecg evaluate --model {folder} {data_words(data)}")
    if dist.is_initialized():
        dist.destroy_process_group()
