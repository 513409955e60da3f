"""`ssl-ecg reproduce`: a table of experiments, each run a folder, each finished run a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a table: a method at a label fraction with a seed."""

    key: str
    method: str
    label_fraction: float
    seed: int
    recipe: Path
    pretrained: str | None

    @property
    def name(self) -> str:
        """Name of its folder and its JSON file."""
        return f"{self.key}-{100 * self.label_fraction:g}pct-seed{self.seed}"


def read_table(path: Path) -> tuple[dict[str, Any], list[Cell]]:
    """Read a table's YAML file.

    Args:
        path: see `recipes/tables/` for an example; recipes are named relative to this file.

    Returns:
        the content and its cells, seed by seed, so that an unfinished table compares all methods.

    Raises:
        ValueError: if the file is missing or lacks a key.
    """
    from ssl_ecg_hf.cli.parsing import read_yaml

    table = read_yaml(path, what="table", expected="a mapping, see recipes/tables/")
    if missing := {"name", "seeds", "label_fractions", "pretraining", "methods"} - set(table):
        raise ValueError(f"table {path} lacks {sorted(missing)}")
    cells = [
        Cell(
            key=key,
            method=method["title"],
            label_fraction=fraction,
            seed=seed,
            recipe=path.parent / method["recipe"],
            pretrained=method.get("pretrained"),
        )
        for seed in table["seeds"]
        for fraction in table["label_fractions"]
        for key, method in table["methods"].items()
    ]
    return table, cells


def pretrain_once(table: dict[str, Any], cell: Cell, *, place: Path, data: str, root: Path) -> Path | None:
    """Return the pretrained checkpoint that a cell needs, training it if it is not there yet."""
    from ssl_ecg_hf.cli.pretrain import main as pretrain

    if cell.pretrained is None:
        return None
    seeds = table.get("pretraining_seeds", {}).get(cell.pretrained, table["seeds"])
    seed = seeds[table["seeds"].index(cell.seed) % len(seeds)]
    folder = root / f"pretrained-{cell.pretrained}-seed{seed}"
    if not (folder / "config.json").is_file():
        recipe = place / table["pretraining"][cell.pretrained]
        pretrain([str(recipe), "--data", data, "--seed", str(seed), "--output_dir", str(folder)])
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
        finetune([str(cell.recipe), "--data", data, *model, *seeds, *fraction, "--output_dir", str(folder)])
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

    table, cells = read_table(arguments.table)
    root = arguments.runs / table["name"]
    results = arguments.results / table["name"]
    results.mkdir(parents=True, exist_ok=True)
    runs = []
    for cell in tqdm(cells, desc=table["name"], unit="run"):
        place = arguments.table.parent
        checkpoint = pretrain_once(table, cell, place=place, data=arguments.data, root=root)
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
    titles = {key: method["title"] for key, method in table["methods"].items()}
    comparisons = [(titles[first], titles[second]) for first, second in table.get("comparisons", [])]
    summary = summarize(runs, comparisons)
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
