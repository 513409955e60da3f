"""Reading PTB-XL: building the cache, opening it again, and a plain loop over wfdb."""

from __future__ import annotations

import shutil
from typing import Any

from benchmarks.context import Context
from benchmarks.reference import read_recording
from benchmarks.results import comparison, result
from benchmarks.timing import interleave, seconds_per_call
from ssl_ecg_hf.data import load_ptbxl

LOOP = "wfdb.rdsamp, one recording after another"

METHOD = (
    "A folder that lists {part:,} of the {all:,} recordings, evenly spread, with their files in the page "
    "cache. *First start*: `load_ptbxl` reads and verifies all recordings (one thread a core) and writes the "
    "Arrow cache. *Second start*: `load_ptbxl` finds the cache, checks that no file has changed and maps it."
)


def measure(context: Context) -> dict[str, Any]:
    """Measure seconds until all recordings can be used."""
    fresh = context.work / "fresh_cache"

    def loop() -> None:
        for stem in context.stems:
            read_recording(stem)

    def first_start() -> None:
        load_ptbxl(context.part, cache_dir=fresh)

    def timed_first_start() -> float:
        seconds = seconds_per_call(first_start, calls=1)
        shutil.rmtree(fresh)
        return seconds

    values = interleave(
        {
            LOOP: lambda: seconds_per_call(loop, calls=1),
            "first start": timed_first_start,
            "second start": lambda: seconds_per_call(
                lambda: load_ptbxl(context.part, cache_dir=context.cache), calls=1
            ),
        },
        repetitions=context.repetitions,
    )
    compared = comparison(
        f"Reading {len(context.stems):,} recordings",
        values,
        device="cpu",
        unit="s",
        kind="time",
        baseline=LOOP,
    )
    return result("Data", METHOD.format(part=len(context.stems), all=context.num_records), [compared])
