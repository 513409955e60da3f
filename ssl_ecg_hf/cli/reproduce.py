"""`ssl-ecg reproduce`: a table of experiments, each run a folder, each finished run a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ssl_ecg_hf.cli.experiment_table import Cell, ExperimentTable, Pretraining, read_table
from ssl_ecg_hf.cli.recorded_recipe import Wanted, check_recipes, wanted_pretraining, wanted_run

if TYPE_CHECKING:
    from ssl_ecg_hf.evaluation.summary import Run


MOST_CURVES = 7  # methods that can be told apart in one figure
FEW_COMPARISONS = 3  # that a list tells as well as a figure does


def pretrain_once(pretraining: Pretraining | None, *, data: str, root: Path) -> Path | None:
    """Return the pretrained checkpoint that a cell needs, training it if it is not there yet."""
    from ssl_ecg_hf.cli.pretrain import main as pretrain

    if pretraining is None:
        return None
    folder = root / pretraining.name
    if not (folder / "config.json").is_file():
        pretrain([*wanted_pretraining(pretraining).command, "--data", data, "--output_dir", str(folder)])
    return folder


def run_cell(cell: Cell, checkpoint: Path | None, *, data: str, root: Path) -> Path:
    """Train and evaluate one cell; return its folder, which then holds metrics.json and predictions."""
    from ssl_ecg_hf.cli.evaluate import main as evaluate
    from ssl_ecg_hf.cli.finetune import main as finetune

    folder = root / cell.name
    if not (folder / "config.json").is_file():
        model = [] if checkpoint is None else ["--model", str(checkpoint)]
        finetune([*wanted_run(cell).command, "--data", data, *model, "--output_dir", str(folder)])
    wanted = ["metrics.json", *(["robustness.json"] if cell.robustness else [])]
    if not all((folder / name).is_file() for name in wanted):
        more = ["--robustness", "true"] if cell.robustness else []
        of_data = ["--data", data, *cell.data_words]
        evaluate(["--model", str(folder), *of_data, "--pictures", "false", *more])
    return folder


def describe_pretraining(folder: Path) -> dict[str, Any]:
    """Return recipe and log of a pretraining, the size of its encoder and its time in s."""
    import torch

    from ssl_ecg_hf.evaluation.loading import load_config
    from ssl_ecg_hf.evaluation.recipe import read_recipe
    from ssl_ecg_hf.modeling.modeling_ssl_ecg import build_encoder

    state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    history = state["log_history"]
    seconds = max(entry["elapsed_time"] for entry in history if "elapsed_time" in entry)
    evaluations = [entry for entry in history if "eval_loss" in entry]
    with torch.device("meta"):
        parameters = sum(value.numel() for value in build_encoder(load_config(folder)).parameters())
    return {
        "seconds": seconds,
        "encoder_parameters": parameters,
        "evaluations": evaluations,
        "recipe": read_recipe(folder),
    }


def pretrainings(results: Path) -> list[dict[str, Any]]:
    """Return name, time in s and, where it was noted, the encoder's size of each finished pretraining."""
    found = []
    for path in sorted(results.glob("pretrained-*.json")):
        known = json.loads(path.read_text(encoding="utf-8"))
        entry = {"name": path.stem.removeprefix("pretrained-"), "seconds": known["seconds"]}
        if "encoder_parameters" in known:
            entry["encoder_parameters"] = known["encoder_parameters"]
        found.append(entry)
    return found


def places(table: ExperimentTable) -> list[dict[str, Any]]:
    """Return row, column, title and pretraining (name or None) of each method that has a place in a grid."""
    entries = []
    for method, (row, column) in table.places.items():
        used = next(cell.pretraining for cell in table.cells if cell.method == method)
        name = None if used is None else used.name.removeprefix("pretrained-")
        entries.append({"row": row, "column": column, "method": method, "pretraining": name})
    return entries


def state_of(cell: Cell, results: Path) -> list[Path]:
    """Return the files that a finished cell leaves: metrics, logits of the test records, robustness."""
    suffixes = [".json", ".npz", *([".robustness.json"] if cell.robustness else [])]
    return [results / f"{cell.name}{suffix}" for suffix in suffixes]


def is_finished(cell: Cell, results: Path) -> bool:
    """Tell whether all of them are there."""
    return all(path.is_file() for path in state_of(cell, results))


def check_finished(table: ExperimentTable, missing: Sequence[Cell], *, root: Path, results: Path) -> None:
    """Refuse what is there, and would be used, if it was made with other options than the table names now.

    Args:
        table: all cells.
        missing: those that are to be run; a finished checkpoint of theirs would be used.
        root: where checkpoints are.
        results: where results are.

    Raises:
        ValueError: if a result or a checkpoint is of another recipe.
    """
    from ssl_ecg_hf.evaluation.recipe import read_recipe

    def recorded(path: Path, key: str) -> Any:
        return json.loads(path.read_text(encoding="utf-8")).get(key)

    finished: list[tuple[Path, Any, Wanted]] = []
    for pretraining in dict.fromkeys(cell.pretraining for cell in table.cells if cell.pretraining):
        path = results / f"{pretraining.name}.json"
        if path.is_file():
            finished.append((path, recorded(path, "recipe"), wanted_pretraining(pretraining)))
    for cell in table.cells:
        if is_finished(cell, results):
            files = [path for path in state_of(cell, results) if path.suffix == ".json"]
            finished += [(path, recorded(path, "run"), wanted_run(cell)) for path in files]
    folders = {root / cell.name: wanted_run(cell) for cell in missing}
    folders |= {
        root / cell.pretraining.name: wanted_pretraining(cell.pretraining)
        for cell in missing
        if cell.pretraining
    }
    finished += [
        (folder, read_recipe(folder), wanted)
        for folder, wanted in folders.items()
        if (folder / "config.json").is_file()
    ]
    check_recipes(finished)


def finish(cell: Cell, *, data: str, root: Path, results: Path) -> None:
    """Run a cell and keep its results; with them it never runs again, on any machine.

    A pretraining is described once, by the run that made it.
    """
    from ssl_ecg_hf.evaluation.predictions import load_predictions, save_logits
    from ssl_ecg_hf.evaluation.report import load_metrics, save_metrics
    from ssl_ecg_hf.files import write_json

    checkpoint = pretrain_once(cell.pretraining, data=data, root=root)
    if checkpoint is not None and not (description := results / f"{checkpoint.name}.json").is_file():
        write_json(description, describe_pretraining(checkpoint))
    folder = run_cell(cell, checkpoint, data=data, root=root)
    metrics, logits, *robustness = state_of(cell, results)
    for path in robustness:
        write_json(path, json.loads((folder / "robustness.json").read_text(encoding="utf-8")))
    save_logits(logits, load_predictions(folder / "predictions_test.npz"))
    save_metrics(metrics, load_metrics(folder / "metrics.json"))


def draw(
    summary: Mapping[str, Any], runs: Sequence[Run], cells: Sequence[Cell], results: Path, *, curves: bool
) -> None:
    """Draw what the runs give.

    ROC curves and reliability at the table's first share of the labels, the macro AUROC against the share
    where there are several, else the differences, and under bad conditions where these were measured.

    Args:
        summary: of all finished runs.
        runs: those of the first share.
        cells: all finished ones.
        results: where to.
        curves: whether the table has so few methods that their curves can be told apart.
    """
    from ssl_ecg_hf.evaluation.comparison_plot import plot_methods_reliability, plot_methods_roc
    from ssl_ecg_hf.evaluation.differences_plot import plot_differences
    from ssl_ecg_hf.evaluation.pictures import draw_label_efficiency
    from ssl_ecg_hf.evaluation.robustness_plot import plot_robustness
    from ssl_ecg_hf.evaluation.summary_table import label_fractions

    disturbed = [cell for cell in cells if cell.robustness]
    if disturbed:
        first = disturbed[0]
        plot_robustness(
            {
                cell.method: json.loads(state_of(cell, results)[2].read_text(encoding="utf-8"))
                for cell in disturbed
            },
            path=results / "robustness.png",
            remark=f"{100 * first.label_fraction:g} % of the labels, seed {first.seed} alone",
        )
    if runs and curves:
        plot_methods_roc(runs, path=results / "roc.png")
        plot_methods_reliability(runs, path=results / "reliability.png")
    if len(label_fractions(summary["rows"])) > 1:
        draw_label_efficiency(results, summary)
    elif sum(entry["low"] is not None for entry in summary["comparisons"]) > FEW_COMPARISONS:
        plot_differences(summary, path=results / "differences.png")


def wanted_cells(
    table: ExperimentTable,
    *,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    label_fractions: Sequence[float] | None = None,
) -> list[Cell]:
    """Return the cells that are to be run, in the order of the table.

    Args:
        table: all cells.
        methods: keys of methods; None: all. Likewise the others.
        seeds: of cells.
        label_fractions: of cells.

    Raises:
        ValueError: if the table has no such method, seed or fraction.
    """
    cells = table.cells
    for what, wanted, has in (
        ("methods", methods, [cell.key for cell in table.cells]),
        ("seeds", seeds, [cell.seed for cell in table.cells]),
        ("label fractions", label_fractions, [cell.label_fraction for cell in table.cells]),
    ):
        if wanted is None:
            continue
        if unknown := [value for value in wanted if value not in has]:
            raise ValueError(f"table {table.name} has no {what} {unknown}; it has {list(dict.fromkeys(has))}")
        kept = {cell.name for cell, value in zip(table.cells, has, strict=True) if value in wanted}
        cells = tuple(cell for cell in cells if cell.name in kept)
    return list(cells)


def load_runs(cells: Sequence[Cell], *, data: str, results: Path) -> dict[str, Run]:
    """Read the results of finished cells, with the test records that they are about.

    Args:
        cells: those that may be finished; others are passed over.
        data: where the recordings are.
        results: where the results are.

    Returns:
        Name of a cell -> its run, in the order of `cells`.
    """
    from ssl_ecg_hf.cli.parsing import parse
    from ssl_ecg_hf.data.source import DataArguments
    from ssl_ecg_hf.data.splits import labelled
    from ssl_ecg_hf.evaluation.checkpoint import with_logits
    from ssl_ecg_hf.evaluation.predictions import load_logits
    from ssl_ecg_hf.evaluation.report import load_metrics
    from ssl_ecg_hf.evaluation.summary import Run

    tests: dict[tuple[str, ...], Any] = {}
    runs = {}
    for cell in cells:
        if not is_finished(cell, results):
            continue
        if cell.data_words not in tests:
            (arguments,) = parse("reproduce", (DataArguments,), ["--data", data, *cell.data_words])
            tests[cell.data_words] = labelled(arguments.load().splits["test"])
        test = tests[cell.data_words]
        metrics, logits = state_of(cell, results)[:2]
        runs[cell.name] = Run(
            method=cell.method,
            label_fraction=cell.label_fraction,
            seed=cell.seed,
            metrics=load_metrics(metrics),
            test=with_logits(test, load_logits(logits, list(test["ecg_id"]))),
        )
    return runs


def main(argv: list[str]) -> None:
    """Run what is missing of a table, then write the summary of what is finished and print it."""
    import argparse

    parser = argparse.ArgumentParser(prog="ssl-ecg reproduce", description=main.__doc__)
    parser.add_argument("table", type=Path, help="YAML file, e.g. recipes/tables/ptbxl_10_percent.yaml")
    parser.add_argument("--data", required=True, help="folder of PTB-XL, or 'simulated'")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/reproduce"), help="where checkpoints are kept"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("runs/results"),
        help="where results are written and looked for (default: runs/results); docs/results goes on with "
        "those that come with the sources",
    )
    parser.add_argument(
        "--methods", nargs="+", default=None, help="run these keys of the table alone; default: all"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=None, help="run these seeds alone")
    parser.add_argument(
        "--label_fractions", nargs="+", type=float, default=None, help="run these shares of labels alone"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no further run after this time"
    )
    arguments = parser.parse_args(argv)

    from tqdm.auto import tqdm

    from ssl_ecg_hf.evaluation.details_table import details_table
    from ssl_ecg_hf.evaluation.report import save_metrics
    from ssl_ecg_hf.evaluation.summary import summarize
    from ssl_ecg_hf.evaluation.summary_table import label_fractions, overview_table, summary_table
    from ssl_ecg_hf.files import replacing

    table = read_table(arguments.table)
    results = arguments.results / table.name
    results.mkdir(parents=True, exist_ok=True)
    wanted = wanted_cells(
        table,
        methods=arguments.methods,
        seeds=arguments.seeds,
        label_fractions=arguments.label_fractions,
    )
    missing = [cell for cell in wanted if not is_finished(cell, results)]
    print(f"{table.name}: {len(table.cells)} runs, {len(missing)} to do", flush=True)
    # Before hours of training: what is there is refused if it is of other options or other recordings.
    check_finished(table, missing, root=arguments.runs / table.name, results=results)
    loaded = load_runs(table.cells, data=arguments.data, results=results)
    start = perf_counter()
    for cell in tqdm(missing, desc=table.name, unit="run"):
        if perf_counter() - start > 60 * arguments.minutes:
            break
        finish(cell, data=arguments.data, root=arguments.runs / table.name, results=results)
    others = [cell for cell in table.cells if cell.name not in loaded]
    loaded |= load_runs(others, data=arguments.data, results=results)
    finished = [cell for cell in table.cells if cell.name in loaded]
    runs = [loaded[cell.name] for cell in finished]
    summary = summarize(runs, table.comparisons, shares=table.shares)
    summary["unfinished"] = len(table.cells) - len(runs)
    summary["pretrainings"] = pretrainings(results)
    summary["grid"] = places(table)
    save_metrics(results / "summary.json", summary)
    first = table.cells[0].label_fraction
    of_first = [run for run in runs if run.label_fraction == first]
    few = len({cell.method for cell in table.cells}) <= MOST_CURVES
    draw(summary, of_first, finished, results, curves=few)
    text = summary_table(summary)
    pages = {"table.md": text}
    if len(label_fractions(summary["rows"])) > 1:
        pages["overview.md"] = overview_table(summary)
    # Its counts of records are those of one test split.
    if table.shares is None and of_first:
        pages["details.md"] = details_table(runs, label_fraction=first)
    for name, page in pages.items():
        with replacing(results / name) as temporary:
            temporary.write_text(page, encoding="utf-8")
    print(text)
