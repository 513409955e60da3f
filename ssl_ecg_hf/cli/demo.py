"""`ssl-ecg demo`: the whole way on simulated recordings, in a few minutes on a laptop."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

RECORDS = 3000
LABELS = 0.1
STEPS: dict[str, list[str]] = {
    "simclr": ["--num_train_epochs", "10", "--learning_rate", "1e-3", "--warmup_steps", "20"],
    "finetune": ["--num_train_epochs", "20", "--learning_rate", "1e-3", "--encoder_learning_rate", "3e-4"],
    "scratch": ["--num_train_epochs", "20", "--learning_rate", "1e-3"],
}
COMMON = [
    "--weight_decay", "0.01", "--lr_scheduler_type", "cosine", "--bf16", "true", "--logging_steps", "10",
    "--per_device_train_batch_size", "128", "--per_device_eval_batch_size", "256", "--overwrite", "true",
    "--save_total_limit", "1",
]  # fmt: skip


def announce(step: str, started: float) -> None:
    """Print what comes next and the time since the start (s)."""
    print(f"\n[{time.monotonic() - started:4.0f} s] {step}", flush=True)


def main(argv: list[str]) -> None:
    """Pretrain, classify with 10 % of the labels, evaluate, export, verify and predict on simulated ECGs."""
    parser = argparse.ArgumentParser(prog="ssl-ecg demo", description=main.__doc__)
    parser.add_argument("--output_dir", type=Path, default=Path("runs/demo"))
    parser.add_argument("--num_records", type=int, default=RECORDS, help="records to simulate")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    announce("loading PyTorch and Transformers", started)

    from ssl_ecg_hf.cli.evaluate import main as evaluate
    from ssl_ecg_hf.cli.export import main as export
    from ssl_ecg_hf.cli.finetune import main as finetune
    from ssl_ecg_hf.cli.pretrain import main as pretrain
    from ssl_ecg_hf.evaluation.report import load_metrics
    from ssl_ecg_hf.evaluation.table import align

    root = arguments.output_dir
    data = ["--data", "simulated", "--num_records", str(arguments.num_records)]
    announce(f"pretraining with SimCLR on {arguments.num_records} simulated recordings, no labels", started)
    pretrain(
        [*data, *COMMON, *STEPS["simclr"], "--eval_strategy", "epoch", "--output_dir", str(root / "simclr")]
    )
    pretrained = ["--model", str(root / "simclr")]
    runs = {
        "random encoder, frozen": ("random_probe", ["--probe", "true"]),
        "SimCLR, frozen": ("simclr_probe", ["--probe", "true", *pretrained]),
        "from scratch": ("scratch", [*STEPS["scratch"], "--augmentations", "light"]),
        "SimCLR, fine-tuned": ("finetune", [*STEPS["finetune"], "--augmentations", "light", *pretrained]),
    }
    rows = [["10 % of the labels", "macro AUROC (test)", "macro F1"]]
    for title, (name, words) in runs.items():
        announce(f"{title}: training and evaluating", started)
        folder = root / name
        finetune([*data, *COMMON, *words, "--label_fraction", str(LABELS), "--output_dir", str(folder)])
        evaluate(["--model", str(folder), *data])
        macro = load_metrics(folder / "metrics.json")["test"]["macro"]
        rows.append([title, f"{macro['auroc']:.3f}", f"{macro['f1']:.3f}"])
    announce("exporting the fine-tuned classifier and verifying it in a clean process", started)
    exported = root / "hub"
    export([str(root / "finetune"), str(exported), "--repo_id", "your-name/ssl-ecg-demo"])
    announce("done", started)
    print(align(rows))
    print("\nSimulated recordings: these numbers show that the program works, nothing about patients.\n")
    picture = predict_samples(exported, arguments.num_records)
    print(f"\nhub-ready folder: {exported}\npicture of these recordings: {picture}")


def predict_samples(exported: Path, num_records: int) -> Path:
    """Write a test recording of each class as WFDB-free `.npy`, predict it, and draw it.

    Returns:
        the picture's path.
    """
    import numpy as np

    from ssl_ecg_hf.cli.predict import main as predict
    from ssl_ecg_hf.data import STANDARD_LEADS, SUPERCLASSES, simulate_dataset
    from ssl_ecg_hf.data.splits import dataset_labels
    from ssl_ecg_hf.evaluation.ecg_plot import plot_ecg

    test = simulate_dataset(num_records)["test"]
    labels = dataset_labels(test)
    folder = exported.parent / "samples"
    folder.mkdir(exist_ok=True)
    files = []
    signal: Any = None
    for index, name in enumerate(SUPERCLASSES):
        row = int(np.flatnonzero(labels[:, index])[0])
        signal = np.asarray(test[row]["signal_uv"], dtype=np.float32) / 1000
        files.append(folder / f"{'+'.join(np.array(SUPERCLASSES)[labels[row] > 0])}_{row}.npy")
        np.save(files[-1], signal)
        plot_ecg(
            signal,
            sampling_rate=100,
            leads=STANDARD_LEADS,
            title=f"simulated, {files[-1].stem.rpartition('_')[0]}",
            path=files[-1].with_suffix(".png"),
        )
    stated = ["--sampling_rate", "100", "--unit", "mV", "--leads", *STANDARD_LEADS]
    predict([str(exported), *map(str, files), *stated])
    return files[0].with_suffix(".png")
