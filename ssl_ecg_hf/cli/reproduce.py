"""`ssl-ecg reproduce`: a table of experiments, each run a folder, each finished run a JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from ssl_ecg_hf.cli.experiment_table import Cell, Pretraining, read_table


def pretrain_once(pretraining: Pretraining | None, *, data: str, root: Path) -> Path | None:
    """Return the pretrained checkpoint that a cell needs, training it if it is not there yet."""
    from ssl_ecg_hf.cli.pretrain import main as pretrain

    if pretraining is None:
        return None
    folder = root / pretraining.name
    if not (folder / "config.json").is_file():
        seed = ["--seed", str(pretraining.seed)]
        pretrain([*pretraining.words, "--data", data, *seed, "--output_dir", str(folder)])
    return folder


def run_cell(cell: Cell, checkpoint: Path | None, *, data: str, root: Path) -> Path:
    """Train and evaluate one cell; return its folder, which then holds metrics.json and predictions."""
    from ssl_ecg_hf.cli.evaluate import main as evaluate
    from ssl_ecg_hf.cli.finetune import main as finetune

    folder = root / cell.name
    if not (folder / "config.json").is_file():
        model = [] if checkpoint is None else ["--model", str(checkpoint)]
        seeds = ["--seed", str(cell.seed), "--label_seed", str(cell.seed)]
        fraction = ["--label_fraction", str(cell.label_fraction)]
        finetune([*cell.words, "--data", data, *model, *seeds, *fraction, "--output_dir", str(folder)])
    if not (folder / "metrics.json").is_file():
        evaluate(["--model", str(folder), "--data", data, "--pictures", "false"])
    return folder


def main(argv: list[str]) -> None:
    """Run what is missing of a table, then write its summary and print it."""
    import argparse

    parser = argparse.ArgumentParser(prog="ssl-ecg reproduce", description=main.__doc__)
    parser.add_argument("table", type=Path, help="YAML file, e.g. recipes/tables/ptbxl_10_percent.yaml")
    parser.add_argument("--data", required=True, help="folder of PTB-XL, or 'simulated'")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/reproduce"), help="where checkpoints are kept"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("docs/results"), help="where results are written"
    )
    arguments = parser.parse_args(argv)

    from tqdm.auto import tqdm

    from ssl_ecg_hf.evaluation.predictions import load_predictions
    from ssl_ecg_hf.evaluation.report import load_metrics, save_metrics
    from ssl_ecg_hf.evaluation.summary import Run, summarize
    from ssl_ecg_hf.evaluation.table import summary_table
    from ssl_ecg_hf.files import replacing

    table = read_table(arguments.table)
    root = arguments.runs / table.name
    results = arguments.results / table.name
    results.mkdir(parents=True, exist_ok=True)
    runs = []
    for cell in tqdm(table.cells, desc=table.name, unit="run"):
        checkpoint = pretrain_once(cell.pretraining, data=arguments.data, root=root)
        folder = run_cell(cell, checkpoint, data=arguments.data, root=root)
        metrics = load_metrics(folder / "metrics.json")
        save_metrics(results / f"{cell.name}.json", metrics)
        runs.append(
            Run(
                method=cell.method,
                label_fraction=cell.label_fraction,
                seed=cell.seed,
                metrics=metrics,
                test=load_predictions(folder / "predictions_test.npz"),
            )
        )
    summary = summarize(runs, table.comparisons)
    summary["pretraining_seconds"] = pretraining_seconds(root)
    save_metrics(results / "summary.json", summary)
    text = summary_table(summary)
    with replacing(results / "table.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


def pretraining_seconds(root: Path) -> dict[str, float]:
    """Return how long each pretraining of a table took, as its trainer logged it."""
    found = {}
    for state in sorted(root.glob("pretrained-*/trainer_state.json")):
        history = json.loads(state.read_text(encoding="utf-8"))["log_history"]
        found[state.parent.name] = max(
            entry["train_runtime"] for entry in history if "train_runtime" in entry
        )
    return found
