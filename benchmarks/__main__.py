"""Run all benchmarks: ``python -m benchmarks --data DIR|simulated --output docs/benchmarks.json``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import disable_progress_bars
from transformers.utils import logging as transformers_logging

from benchmarks import (
    augmentation,
    cache,
    classifier,
    folder,
    memory,
    nt_xent,
    pretraining,
    processes,
    start,
    zoo,
)
from benchmarks.chart import draw
from benchmarks.context import FULL, QUICK, SIMULATED, Context, prepared
from benchmarks.machine import describe_machine
from benchmarks.tables import markdown
from ssl_ecg_hf.allocator import keep_freed_memory
from ssl_ecg_hf.evaluation.run_information import run_information
from ssl_ecg_hf.files import replacing, write_json

BENCHMARKS: dict[str, Callable[[Context], dict[str, Any]]] = {
    "pretraining": pretraining.measure,
    "augmentation": augmentation.measure,
    "cache": cache.measure,
    "classifier": classifier.measure,
    "folder": folder.measure,
    "start": start.measure,
    "memory": memory.measure,
    "nt_xent": nt_xent.measure,
    "processes": processes.measure,
    "zoo": zoo.measure,
}
"""Name -> function that measures it."""

FORMAT = 2
"""Of the JSON file: raise it whenever an older one cannot be rendered any more."""


def run_benchmarks(context: Context, *, simulated: bool) -> dict[str, Any]:
    """Run all benchmarks one after another, in this process set up as the package sets up its own.

    Args:
        context: see :func:`benchmarks.context.prepared`.
        simulated: whether the recordings are.

    Returns:
        Plain values, ready for JSON.
    """
    machine = {**describe_machine(), "keeps_freed_memory": keep_freed_memory()}
    results = []
    for name, measure in BENCHMARKS.items():
        print(f"measuring: {name}", flush=True)
        results.append({"name": name, **measure(context)})
    return {
        "format": FORMAT,
        "run": run_information(),
        "machine": machine,
        "data": {"name": SIMULATED if simulated else "PTB-XL", "records": context.num_records},
        "sizes": {**asdict(context.sizes), "nt_xent": list(context.sizes.nt_xent)},
        "repetitions": context.repetitions,
        "quick": context.sizes != FULL,
        "benchmarks": results,
    }


def render(content: Mapping[str, Any], output: Path) -> None:
    """Write the Markdown page and the chart beside the JSON file ``output``."""
    chart = draw(content, output.with_suffix(".png"))
    with replacing(output.with_suffix(".md")) as temporary:
        temporary.write_text(
            markdown(content, json_name=output.name, chart_name=chart.name), encoding="utf-8"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, write JSON, Markdown and PNG."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", default=SIMULATED, help="folder of PTB-XL, or 'simulated' (default)")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks.json"), help="JSON file")
    parser.add_argument("--repetitions", type=int, default=None, help="values per variant (5; quick: 2)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--render-only", action="store_true", help="draw page and chart of an existing JSON")
    arguments = parser.parse_args(argv)
    output: Path = arguments.output
    if output.suffix != ".json":
        parser.error(f"--output {output} is not named .json; the page and the chart are named after it")
    if arguments.render_only:
        if not output.is_file():
            parser.error(f"--output {output} does not exist; measure first, without --render-only")
        content = json.loads(output.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            parser.error(f"--output {output} has format {content['format']}, this is {FORMAT}; measure again")
        render(content, output)
        return
    repetitions = (2 if arguments.quick else 5) if arguments.repetitions is None else arguments.repetitions
    if repetitions < 1:
        parser.error(f"--repetitions {repetitions} must be at least 1")
    output.parent.mkdir(parents=True, exist_ok=True)
    sizes = QUICK if arguments.quick else FULL
    with ExitStack() as stack:
        try:
            context = stack.enter_context(prepared(arguments.data, sizes=sizes, repetitions=repetitions))
        except ValueError as error:
            parser.error(str(error))
        disable_progress_bars()
        transformers_logging.set_verbosity_error()
        content = run_benchmarks(context, simulated=arguments.data == SIMULATED)
    write_json(output, content)
    render(content, output)
    print(f"wrote {output}, {output.with_suffix('.md')} and {output.with_suffix('.png')}")


if __name__ == "__main__":
    main()
