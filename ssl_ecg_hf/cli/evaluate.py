"""`ssl-ecg evaluate`."""

from __future__ import annotations


def main(argv: list[str]) -> None:
    """Measure a classifier, write metrics.json, predictions and pictures, and print the table."""
    from ssl_ecg_hf.allocator import keep_freed_memory
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.evaluation.checkpoint import EvaluationArguments, evaluate
    from ssl_ecg_hf.evaluation.table import metrics_table

    what, data = parse(
        "evaluate",
        (EvaluationArguments, DataArguments),
        argv,
        example="ssl-ecg evaluate --model runs/probe --data DIR",
    )
    keep_freed_memory()
    print(metrics_table(evaluate(what, data)))
