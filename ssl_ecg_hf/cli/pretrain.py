"""`ssl-ecg pretrain`."""

from __future__ import annotations


def main(argv: list[str]) -> None:
    """Pretrain an encoder and print where its checkpoint lies."""
    import torch.distributed as dist

    from ssl_ecg_hf.cli.parsing import data_words, parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
    from ssl_ecg_hf.training.pretrain import PretrainingArguments, pretrain

    what, data, args = parse(
        "pretrain",
        (PretrainingArguments, DataArguments, SslEcgTrainingArguments),
        argv,
        example="ssl-ecg pretrain recipes/simclr_ptbxl.yaml --data DIR",
    )
    folder = pretrain(what, data, args)
    if args.process_index == 0:
        print(f"checkpoint: {folder}")
        print(f"next: ssl-ecg finetune RECIPE.yaml --model {folder} {data_words(data)}")
    if dist.is_initialized():
        dist.destroy_process_group()
