"""`ssl-ecg demo`: the whole way in one command, on simulated recordings in a few minutes on a laptop."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_ecg_hf.data.source import Recordings

RECORDS = 3000
BATCH = 128  # recordings, in pretraining
COMMON: dict[str, Any] = {
    "per_device_eval_batch_size": 256,
    "lr_scheduler_type": "cosine",
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "bf16": True,
    "logging_steps": 10,
    "save_total_limit": 1,
    "overwrite": True,
}
PRETRAINING: dict[str, Any] = COMMON | {
    "num_train_epochs": 10,
    "warmup_steps": 20,
    "eval_strategy": "epoch",
}
TRAINING: dict[str, Any] = COMMON | {
    "label_fraction": 0.1,
    "num_train_epochs": 30,
    "per_device_train_batch_size": 32,
    "augmentations": "light",
}


def announce(step: str, started: float) -> None:
    """Print what comes next and the time since the start (s)."""
    print(f"\n[{time.monotonic() - started:4.0f} s] {step}", flush=True)


def main(argv: list[str]) -> None:
    """Pretrain, classify with 10 % of the labels, evaluate, export, verify and predict."""
    parser = argparse.ArgumentParser(prog="ssl-ecg demo", description=main.__doc__)
    parser.add_argument("--output_dir", type=Path, default=Path("runs/demo"))
    parser.add_argument("--data", default="simulated", help="'simulated' or a folder of PTB-XL")
    parser.add_argument("--num_records", type=int, default=RECORDS, help="records to simulate")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    announce("loading PyTorch and Transformers", started)

    from transformers.utils import logging

    from ssl_ecg_hf.cli.evaluate import main as evaluate
    from ssl_ecg_hf.cli.export import main as export
    from ssl_ecg_hf.cli.finetune import main as finetune
    from ssl_ecg_hf.cli.parsing import words_of
    from ssl_ecg_hf.cli.pretrain import main as pretrain
    from ssl_ecg_hf.data.source import load_recordings
    from ssl_ecg_hf.evaluation.report import load_metrics
    from ssl_ecg_hf.evaluation.table import align

    logging.disable_progress_bar()  # of loading and saving; those of training stay
    root = arguments.output_dir
    data = {"data": arguments.data, "num_records": arguments.num_records}
    recordings = load_recordings(arguments.data, num_records=arguments.num_records)
    train, source = len(recordings.splits["train"]), recordings.description["name"]
    announce(f"pretraining with SimCLR on {train} recordings ({source}), no labels", started)
    batch = {"per_device_train_batch_size": min(BATCH, train // 2)}
    pretrain(words_of(PRETRAINING | data | batch | {"output_dir": root / "simclr"}))
    pretrained = {"model": root / "simclr"}
    runs: dict[str, tuple[str, dict[str, Any]]] = {
        "random encoder, frozen": ("random_probe", {"probe": True}),
        "SimCLR, frozen": ("simclr_probe", {"probe": True, **pretrained}),
        "from scratch": ("scratch", {}),
        "SimCLR, fine-tuned": ("finetune", pretrained),
    }
    rows = [["10 % of the labels", "macro AUROC (test)", "95 % interval", "macro AUROC (validation)"]]
    for title, (name, options) in runs.items():
        announce(f"{title}: training and evaluating", started)
        folder = root / name
        finetune(words_of(TRAINING | data | options | {"output_dir": folder}))
        evaluate(words_of({"model": folder, **data}))
        metrics = load_metrics(folder / "metrics.json")
        test, validation = (metrics[split]["macro"]["auroc"] for split in ("test", "validation"))
        interval = metrics["intervals"]["auroc"]["macro"]
        low, high = interval["low"], interval["high"]
        within = "-" if low is None else f"{low:.3f} to {high:.3f}"
        rows.append([title, f"{test:.3f}", within, f"{validation:.3f}"])
    announce("exporting the fine-tuned classifier and verifying it in a clean process", started)
    exported = root / "hub"
    export([str(root / "finetune"), str(exported), "--repo_id", "your-name/ssl-ecg-demo"])
    announce("done", started)
    print(align(rows))
    if recordings.description["simulated"]:
        print(
            "\nSimulated recordings: these numbers show that the program works, nothing about patients. One "
            "seed and a\nfew hundred test recordings: rows whose intervals overlap are not told apart. What "
            "pretraining is worth\non real recordings stands in docs/results.md."
        )
    print()
    pictures = predict_samples(exported, recordings)
    print("\npictures of these recordings:", *pictures, sep="\n  ")
    print(f"hub-ready folder: {exported}")


def predict_samples(exported: Path, recordings: Recordings) -> list[Path]:
    """Write a test recording of each class as `.npy`, predict them from these files, and draw them.

    Returns:
        the pictures' paths.
    """
    import numpy as np

    from ssl_ecg_hf.cli.predict import main as predict
    from ssl_ecg_hf.data import STANDARD_LEADS
    from ssl_ecg_hf.data.splits import dataset_labels
    from ssl_ecg_hf.evaluation.ecg_plot import plot_ecg
    from ssl_ecg_hf.files import replacing

    test, classes = recordings.splits["test"], recordings.class_names
    labels, rate = dataset_labels(test), recordings.description["sampling_rate"]
    folder = exported.parent / "samples"
    folder.mkdir(exist_ok=True)
    files: list[Path] = []
    taken: set[int] = set()
    for index in range(len(classes)):
        row = next((row for row in np.flatnonzero(labels[:, index]).tolist() if row not in taken), None)
        if row is None:
            continue
        taken.add(row)
        name = "+".join(name for name, positive in zip(classes, labels[row], strict=True) if positive)
        signal = np.asarray(test[row]["signal_uv"], dtype=np.float32) / 1000
        files.append(folder / f"{row:04d}_{name}.npy")
        with replacing(files[-1]) as temporary, temporary.open("wb") as file:
            np.save(file, signal)
        picture = files[-1].with_suffix(".png")
        title = f"{recordings.description['name']}, {name}"
        plot_ecg(signal, sampling_rate=rate, leads=STANDARD_LEADS, title=title, path=picture)
    stated = ["--sampling_rate", f"{rate:g}", "--unit", "mV", "--leads", "standard"]
    print(f"ssl-ecg predict {exported} {folder} {' '.join(stated)}")
    print("(a file's name states its true classes; the first test recording of each class, not selected)\n")
    predict([str(exported), *map(str, files), *stated])
    return [file.with_suffix(".png") for file in files]
