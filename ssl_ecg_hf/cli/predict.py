"""`ssl-ecg predict`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def prediction_table(names: Sequence[str], predictions: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return a line per recording and a column per class; `*` marks a probability above its threshold.

    Args:
        names: of the recordings.
        predictions: per recording the pipeline's list of label, score and perhaps positive.
    """
    from ssl_ecg_hf.evaluation.table import align

    rows = [["recording", *(entry["label"] for entry in predictions[0])]]
    for name, entries in zip(names, predictions, strict=True):
        rows.append(
            [name, *(f"{entry['score']:.3f}{'*' if entry.get('positive') else ' '}" for entry in entries)]
        )
    return align(rows)


def main(argv: list[str]) -> None:
    """Print class probabilities of ECG files; what a file does not state must be given."""
    parser = argparse.ArgumentParser(prog="ssl-ecg predict", description=main.__doc__)
    parser.add_argument("model", help="exported folder, checkpoint of a classifier, or Hub repository")
    parser.add_argument("files", nargs="+", type=Path, help="WFDB, .npy or .csv recordings")
    parser.add_argument("--sampling_rate", type=float, help="Hz, where the files do not state it")
    parser.add_argument("--leads", nargs="+", help="lead names in order, where the files do not state them")
    parser.add_argument("--unit", choices=["mV", "uV", "V"], help="where the files do not state it")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    arguments = parser.parse_args(argv)

    from transformers import pipeline
    from transformers.utils import logging

    from ssl_ecg_hf.data import EcgFormatError, read_ecg
    from ssl_ecg_hf.modeling import EcgClassificationPipeline

    logging.disable_progress_bar()
    classify = pipeline(
        "ecg-classification", model=arguments.model, pipeline_class=EcgClassificationPipeline, device="cpu"
    )
    names, predictions, refused = [], [], []
    for path in arguments.files:
        try:
            record = read_ecg(
                path, sampling_rate=arguments.sampling_rate, leads=arguments.leads, unit=arguments.unit
            )
            stated = {"sampling_rate": record.sampling_rate, "leads": list(record.leads), "unit": "mV"}
            predictions.append(classify({"signal": record.signal, **stated}))
            names.append(str(path))
        except ValueError as error:
            text = str(error) if isinstance(error, EcgFormatError) else f"{path}: {error}"
            refused.append(text)
            print(f"ssl-ecg predict: {text}", file=sys.stderr)
    if arguments.json:
        for name, entries in zip(names, predictions, strict=True):
            print(json.dumps({"file": name, "predictions": entries}))
    elif names:
        print(prediction_table(names, predictions))
        if any("positive" in entry for entry in predictions[0]):
            print("* above the threshold chosen on validation data. Not a medical device.")
    if refused:
        raise ValueError(f"{len(refused)} of {len(arguments.files)} files were refused, see above")
