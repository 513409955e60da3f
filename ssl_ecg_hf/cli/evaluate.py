"""`ssl-ecg evaluate`."""

from __future__ import annotations

import json


def main(argv: list[str]) -> None:
    """Measure a classifier, write metrics.json, predictions and pictures, and print the table.

    On other data than those of its training the thresholds stay, and the files go to `--output_dir`.
    """
    from ssl_ecg_hf.allocator import keep_freed_memory
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.evaluation.checkpoint import ROBUSTNESS, EvaluationArguments, evaluate, results_folder
    from ssl_ecg_hf.evaluation.robustness_plot import robustness_table
    from ssl_ecg_hf.evaluation.table import metrics_table

    what, data = parse(
        "evaluate",
        (EvaluationArguments, DataArguments),
        argv,
        example="ssl-ecg evaluate --model runs/probe --data DIR; on other recordings, with the thresholds "
        "of the first: ssl-ecg evaluate --model runs/probe --data OTHER --output_dir runs/probe_on_other",
    )
    keep_freed_memory()
    print(metrics_table(evaluate(what, data)))
    if what.robustness:
        measured = json.loads((results_folder(what) / ROBUSTNESS).read_text(encoding="utf-8"))
        print(f"\n{robustness_table(measured)}")
