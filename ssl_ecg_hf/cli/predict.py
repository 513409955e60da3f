"""`ssl-ecg predict`."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

READ_AHEAD = 4096  # files
MANY = 500  # files, from which on a bar is shown
READ_CHUNK = 32  # files that a process is given at once


def prediction_table(names: Sequence[str], predictions: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return a line per recording and a column per class; `*` marks a probability above its threshold.

    A column `windows` stands there where a recording was longer than the model's window.

    Args:
        names: of the recordings.
        predictions: per recording the pipeline's list of label, score and perhaps positive and windows.
    """
    from ssl_ecg_hf.evaluation.table import align

    rows = [["recording", *(entry["label"] for entry in predictions[0])]]
    for name, entries in zip(names, predictions, strict=True):
        rows.append(
            [name, *(f"{entry['score']:.3f}{'*' if entry.get('positive') else ' '}" for entry in entries)]
        )
    windows = [entries[0].get("windows", 1) for entries in predictions]
    if max(windows) > 1:
        for row, cell in zip(rows, ["windows", *map(str, windows)], strict=True):
            row.append(cell)
    return align(rows)


def recording_files(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings that paths name; a folder stands for all recordings in and below it.

    Raises:
        ValueError: if a folder holds none.
    """
    from ssl_ecg_hf.data import READERS

    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        # A WFDB record is its header and its data; the header names the record.
        found = [file for file in path.rglob("*") if file.suffix.lower() in READERS and file.suffix != ".dat"]
        if not found:
            raise ValueError(f"{path} holds no recording; known suffixes are {sorted(READERS)}")
        files.extend(sorted(found))
    return list(dict.fromkeys(files))


def _attempt(path: Path, read: Callable[[Path], Any]) -> tuple[Path, Any]:
    try:
        return path, read(path)
    except ValueError as error:
        return path, error


def read_all(
    files: Sequence[Path], read: Callable[[Path], Any], *, workers: int = 0
) -> Iterator[tuple[Path, Any]]:
    """Read files; an unreadable one gives its `ValueError` in its place.

    Args:
        files: in the order in which they are given back.
        read: what reads one; with workers a function that can be pickled.
        workers: processes that read ahead; 0: this process reads.
    """
    attempt = partial(_attempt, read=read)
    if not workers:
        yield from map(attempt, files)
        return
    # Started afresh: a fork of a process that runs threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for start in range(0, len(files), READ_AHEAD):
            yield from pool.map(attempt, files[start : start + READ_AHEAD], chunksize=READ_CHUNK)


def classify_all(
    classify: Any, records: Iterable[tuple[Path, Any]], *, batch_size: int = 64
) -> Iterator[tuple[Path, list[dict[str, Any]] | ValueError, list[str]]]:
    """Classify recordings in batches.

    Args:
        classify: the pipeline.
        records: pairs of path and `EcgRecord`, or of path and the error of reading it.
        batch_size: windows per forward pass; a recording no longer than the model's window is one.

    Yields:
        path, the pipeline's predictions or what was wrong, and warnings, in the order of `records`.
    """
    import torch

    def flush() -> Iterator[tuple[Path, list[dict[str, Any]] | ValueError, list[str]]]:
        good = [features for _, features, _ in waiting if isinstance(features, dict)]
        if good:
            lead_mask = torch.cat([features["lead_mask"] for features in good])
            with torch.inference_mode():
                recordings = [features["windows"][0] for features in good]
                logits = classify.average_logits(recordings, lead_mask, batch_size=batch_size)
            rows = iter(logits.split(1))
        for path, features, notes in waiting:
            if isinstance(features, dict):
                outputs = {"logits": next(rows), "counts": features["counts"]}
                yield path, classify.postprocess(outputs), notes
            else:
                yield path, features, notes
        waiting.clear()

    waiting: list[tuple[Path, Any, list[str]]] = []
    collected = 0
    for path, record in records:
        prepared, notes = record, []
        if not isinstance(record, ValueError):
            stated = {"sampling_rate": record.sampling_rate, "leads": list(record.leads), "unit": "mV"}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                try:
                    prepared = classify.preprocess({"signal": record.signal, **stated})
                except ValueError as error:
                    prepared = ValueError(f"{path}: {error}")
            # Those of other kinds are about code.
            notes = [str(warning.message) for warning in caught if warning.category is UserWarning]
        waiting.append((path, prepared, notes))
        collected += int(prepared["counts"]) if isinstance(prepared, dict) else 1
        if collected >= batch_size:
            yield from flush()
            collected = 0
    yield from flush()


def print_warnings(noted: Iterable[tuple[Path, list[str]]]) -> None:
    """Print each warning once, with the recording that it is about and how many others."""
    paths: dict[str, list[Path]] = {}
    for path, notes in noted:
        for note in notes:
            paths.setdefault(note, []).append(path)
    for note, where in paths.items():
        others = f" (and {len(where) - 1} others)" if len(where) > 1 else ""
        print(f"ssl-ecg predict: warning: {where[0]}{others}: {note}", file=sys.stderr)


def main(argv: list[str]) -> None:
    """Print class probabilities of ECG files; what a file does not state must be given."""
    parser = argparse.ArgumentParser(prog="ssl-ecg predict", description=main.__doc__)
    parser.add_argument("model", help="exported folder, checkpoint of a classifier, or Hub repository")
    parser.add_argument("files", nargs="+", type=Path, help="recordings (WFDB, .npy, .csv) or folders")
    parser.add_argument("--sampling_rate", type=float, help="Hz, where the files do not state it")
    parser.add_argument(
        "--leads", nargs="+", help="names in order, or 'standard', where the files do not state them"
    )
    parser.add_argument("--unit", choices=["mV", "uV", "V"], help="where the files do not state it")
    parser.add_argument(
        "--nan_policy", choices=["raise", "interpolate", "zero"], help="of NaN; default: as the model states"
    )
    parser.add_argument("--batch_size", type=int, default=64, help="windows per forward pass")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that read files ahead; worth it for thousands of files in a slow format",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    arguments = parser.parse_args(argv)
    files = recording_files(arguments.files)
    if arguments.batch_size < 1:
        raise ValueError(f"--batch_size {arguments.batch_size} must be at least 1")
    if arguments.workers < 0:
        raise ValueError(f"--workers {arguments.workers} must be 0 (read in this process) or more")

    from tqdm.auto import tqdm
    from transformers.utils import logging

    from ssl_ecg_hf.allocator import keep_freed_memory
    from ssl_ecg_hf.data import read_ecg
    from ssl_ecg_hf.evaluation.loading import load_classifier, load_feature_extractor
    from ssl_ecg_hf.modeling import EcgClassificationPipeline

    keep_freed_memory()
    logging.disable_progress_bar()
    classify = EcgClassificationPipeline(
        model=load_classifier(arguments.model),
        feature_extractor=load_feature_extractor(arguments.model),
        device="cpu",
    )
    if arguments.nan_policy is not None:
        classify.feature_extractor.nan_policy = arguments.nan_policy
    stated = {name: getattr(arguments, name) for name in ("sampling_rate", "leads", "unit")}
    if stated["leads"] == ["standard"]:
        stated["leads"] = "standard"
    records = read_all(files, partial(read_ecg, **stated), workers=arguments.workers)
    found = classify_all(classify, records, batch_size=arguments.batch_size)
    results = list(tqdm(found, total=len(files), unit="ECG", disable=None if len(files) >= MANY else True))
    good = [(path, entries, notes) for path, entries, notes in results if not isinstance(entries, ValueError)]
    bad = [entries for _, entries, _ in results if isinstance(entries, ValueError)]
    print_warnings((path, notes) for path, _, notes in results)
    if bad and len(files) == 1:
        raise bad[0]
    for error in bad:
        print(f"ssl-ecg predict: {error}", file=sys.stderr)
    if arguments.json:
        for path, entries, notes in good:
            print(json.dumps({"file": str(path), "predictions": entries, "warnings": notes}))
    elif good:
        print(prediction_table([str(path) for path, _, _ in good], [entries for _, entries, _ in good]))
        if any("positive" in entry for entry in good[0][1]):
            print("* above the threshold chosen on validation data. Not a medical device.")
    if bad:
        raise ValueError(f"{len(bad)} of {len(files)} recordings were refused, see above")
