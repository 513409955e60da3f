"""Files in, probabilities out: what `ssl-ecg predict` does with a folder, and a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.context import Context
from benchmarks.models import classifier
from benchmarks.plain_process import PlainProcess
from benchmarks.reference import read_recording
from benchmarks.results import comparison, result
from benchmarks.timing import CPU, interleave, seconds_per_call
from ssl_ecg_hf.cli.predict import classify_all, read_all
from ssl_ecg_hf.data import read_ecg
from ssl_ecg_hf.modeling import EcgClassificationPipeline, SslEcgFeatureExtractor

LOOP = "one wfdb.rdsamp and one forward per file"
OURS = "ssl-ecg predict"

METHOD = (
    f"WFDB files in the page cache, float32. *{LOOP}*: in a process of its own with PyTorch and the C "
    f"library as they come. *{OURS}*: the functions of that command, without its start and its output; it "
    "verifies the checksums, matches leads by name, checks unit, length and sampling rate, and classifies in "
    "batches of 64."
)


def classify_one_by_one(stems: list[Path]) -> list[list[float]]:
    """Return the probabilities (recordings, labels) of WFDB records."""
    model = classifier(CPU, conv1d=True)
    probabilities = []
    with torch.no_grad():
        for stem in stems:
            logits = model(read_recording(stem).unsqueeze(0)).logits
            probabilities.append(logits[0].sigmoid().tolist())
    return probabilities


def classify_as_predict(stems: list[Path]) -> list[list[float]]:
    """Return the probabilities (recordings, labels) of WFDB records, as the command computes them.

    Raises:
        ValueError: if a recording is refused.
    """
    model = classifier(CPU)
    extractor = SslEcgFeatureExtractor.for_model(model.config)
    classify = EcgClassificationPipeline(model=model, feature_extractor=extractor, device="cpu")
    probabilities = []
    files = [stem.with_name(f"{stem.name}.hea") for stem in stems]
    for _, entries, _ in classify_all(classify, read_all(files, read_ecg)):
        if isinstance(entries, ValueError):
            raise entries
        probabilities.append([entry["score"] for entry in entries])
    return probabilities


def _rate(classify: Callable[[list[Path]], object], stems: list[Path]) -> Callable[[], float]:
    return lambda: len(stems) / seconds_per_call(lambda: classify(stems), calls=1)


def loop_rate(stems: list[Path]) -> Callable[[], float]:
    """Return what measures recordings per second of the loop."""
    return _rate(classify_one_by_one, stems)


def measure(context: Context) -> dict[str, Any]:
    """Measure recordings per second from files to probabilities."""
    stems = list(context.stems[: context.sizes.folder])
    with PlainProcess(loop_rate, stems) as loop:
        values = interleave(
            {LOOP: loop.measure, OURS: _rate(classify_as_predict, stems)}, repetitions=context.repetitions
        )
    compared = comparison(
        f"Classifying {len(stems):,} files",
        values,
        device="cpu",
        unit="recordings/s",
        kind="rate",
        baseline=LOOP,
    )
    return result("Files to probabilities", METHOD, [compared])
