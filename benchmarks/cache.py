"""Reading PTB-XL: building the cache, opening it again, and a plain loop over wfdb."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.context import Context
from benchmarks.plain_process import PlainProcess
from benchmarks.recordings import record_stems
from benchmarks.reference import read_recording
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call
from ssl_ecg_hf.data import load_ptbxl

LOOP = "wfdb.rdsamp, one recording after another"

METHOD = (
    "All recordings of the folder (of a part of it in a quick run), with their files in the page cache. "
    "*First start*: `load_ptbxl` reads and verifies all recordings (one thread a core) and writes the Arrow "
    "cache. *Second start*: `load_ptbxl` finds the cache, checks that no file has changed and maps it. The "
    "loop over wfdb ran once, in a process of its own before the others."
)


def loop_seconds(stems: list[Path]) -> Callable[[], float]:
    """Return what measures the time (s) of reading WFDB records one after another."""

    def loop() -> None:
        for stem in stems:
            read_recording(stem)

    return lambda: seconds_per_call(loop, calls=1)


def measure(context: Context) -> dict[str, Any]:
    """Measure seconds until all recordings can be used."""
    folder = context.folder if context.sizes.whole_folder else context.part
    stems = record_stems(folder)
    fresh = context.work / "fresh_cache"

    def first_start() -> float:
        seconds = seconds_per_call(lambda: load_ptbxl(folder, cache_dir=fresh), calls=1)
        shutil.rmtree(fresh)
        return seconds

    def second_start() -> float:
        return seconds_per_call(lambda: load_ptbxl(folder, cache_dir=context.cache), calls=1)

    # The files were read before: when the caches of the context were built.
    with PlainProcess(loop_seconds, stems) as loop:
        once = {LOOP: [loop.measure()]}
    values = interleave(
        {"first start": first_start, "second start": second_start},
        repetitions=context.repetitions,
        warm_up=False,
    )
    compared = comparison(
        f"Reading {len(stems):,} recordings",
        {**once, **values},
        device="cpu",
        unit="s",
        kind="time",
        baseline=LOOP,
    )
    return result("Data", METHOD, [compared])
