"""`ssl-ecg pretrain`."""

from __future__ import annotations


def main(argv: list[str]) -> None:
    """Pretrain an encoder and print where its checkpoint lies."""
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
    from ssl_ecg_hf.training.pretrain import PretrainingArguments, pretrain

    what, data, args = parse(
        "pretrain",
        (PretrainingArguments, DataArguments, SslEcgTrainingArguments),
        argv,
        example="ssl-ecg pretrain recipes/simclr_ptbxl.yaml --data DIR",
    )
    print(f"checkpoint: {pretrain(what, data, args)}")
