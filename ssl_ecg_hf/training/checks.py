"""What a training is refused for before it begins."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasets import IterableDataset
from transformers import TrainingArguments
from transformers.utils import logging

from ssl_ecg_hf.data.schema import SIGNAL_COLUMNS
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.modeling import SslEcgForCLOCS, SslEcgForPreTraining, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.classification_heads import MlpHead
from ssl_ecg_hf.training.arguments import SslEcgOptions

logger = logging.get_logger(__name__)


def check_options(model: Any, args: TrainingArguments, options: SslEcgOptions, given: dict[str, Any]) -> None:
    """Refuse what would do nothing, and yet stand in the recipe of the run.

    Raises:
        ValueError: naming the option.
    """
    remedies: dict[str, str] = {}
    if args.label_smoothing_factor:
        remedies["label_smoothing_factor"] = "losses of several labels are not smoothed: leave it at 0"
    if given.get("compute_loss_func") is not None:
        remedies["compute_loss_func"] = "the model has its loss: override compute_loss in a subclass"
    changed = [
        name
        for name in ("freeze_encoder", "sampler", "classification_loss")
        if getattr(options, name) != getattr(SslEcgOptions, name)
    ]
    if isinstance(model, SslEcgForPreTraining):
        for name in changed:
            remedies[name] = (
                "it is for classifiers, this is pretraining: leave it out, and give it to finetune"
            )
    elif model.config.problem_type == "single_label_classification":
        for name in [name for name in changed if name != "freeze_encoder"]:
            remedies[name] = "it counts multi-hot labels, this model has single ones: leave it at its default"
    if remedies:
        raise ValueError("; ".join(f"{name} would do nothing: {remedy}" for name, remedy in remedies.items()))


def check_processes(args: TrainingArguments) -> None:
    """Refuse several accelerators in one process, among which the Trainer would divide every batch.

    Raises:
        ValueError: with the command that starts a process for each.
    """
    if args.n_gpu > 1:
        raise ValueError(
            f"this process sees {args.n_gpu} GPUs, among which a batch would be divided, and each loss would "
            "compare a part of it only; start a process a GPU: torchrun --nproc_per_node "
            f"{args.n_gpu} -m ssl_ecg_hf pretrain ..., or show one with CUDA_VISIBLE_DEVICES=0"
        )


def _count(dataset: Any, *, enough: int) -> int | None:
    """Return the number of recordings, of a stream no more than `enough`; None where it is not known."""
    if isinstance(dataset, SignalTable):
        return len(dataset)
    return sum(1 for _ in dataset.take(enough)) if isinstance(dataset, IterableDataset) else None


def _samples(dataset: Any) -> int | None:
    """Return the length of the recordings, of a stream that of its first; None where it is not known."""
    if isinstance(dataset, SignalTable):
        return dataset.signal_shape[1] if len(dataset) else None
    rows = list(dataset.take(1)) if isinstance(dataset, IterableDataset) else []
    return next((np.shape(row[name])[-1] for row in rows for name in SIGNAL_COLUMNS if name in row), None)


def check_lengths(model: Any, dataset: Any) -> None:
    """Refuse, or warn of, recordings so short that what is made of them may show nothing but padding.

    Raises:
        ValueError: if a segment of every recording would be blank.
    """
    samples, window = _samples(dataset), model.config.num_samples
    if samples is None or samples >= window:
        return
    remedy = f"set num_samples={samples} in the configuration, or give longer recordings"
    if isinstance(model, SslEcgForCLOCS) and model.options.divides_time:
        segments = model.options.segments
        if samples <= (segments - 1) * (window // segments):
            raise ValueError(
                f"recordings of {samples} samples are padded with zeros to the model's window of {window}, "
                f"so the last of its {segments} segments would be blank in every recording: {remedy}"
            )
    if 2 * samples <= window:
        logger.warning(
            f"recordings of {samples} samples fill {samples / window:.0%} of the model's window of {window}; "
            f"the rest is zeros, and what is cropped from it shows nothing: {remedy}"
        )


def needs_company(model: Any) -> bool:
    """Does a part of the model normalise over the recordings of a batch, which one alone cannot train?"""
    return isinstance(model, SslEcgForSequenceClassification) and isinstance(model.classifier, MlpHead)


def check_batches(model: Any, args: TrainingArguments, train_dataset: Any) -> None:
    """Refuse batches that teach nothing, or a pretraining set that fills none: incomplete ones are left out.

    Raises:
        ValueError: if the batch or the training set is too small.
    """
    needed = args.train_batch_size * args.world_size
    if isinstance(model, SslEcgForPreTraining) and needed < model.recordings_needed:
        raise ValueError(
            f"{type(model).__name__} compares the recordings of a batch with each other and learns nothing "
            "from one: choose a per_device_train_batch_size of at least 2, better hundreds"
        )
    if needs_company(model) and (args.train_batch_size < 2 or _count(train_dataset, enough=2) == 1):
        raise ValueError(
            f"classifier_head {model.config.classifier_head!r} normalises over the recordings of a batch and "
            "cannot train on one: give at least 2 recordings, and a per_device_train_batch_size of at least "
            "2, or choose another head"
        )
    if not isinstance(model, SslEcgForPreTraining):
        return
    recordings = _count(train_dataset, enough=needed)
    if recordings is not None and recordings < needed:
        raise ValueError(
            f"{recordings} recordings do not fill one batch of {needed}; pretraining leaves out incomplete "
            "batches: choose a smaller per_device_train_batch_size"
        )


def filled_batch(dataset: Any, asked: int, processes: int) -> int:
    """Return how many recordings a process is given at once so that a dataset fills at least one batch.

    Args:
        dataset: that a pretraining model is evaluated on; incomplete batches are left out.
        asked: recordings that a process is to be given.
        processes: among which a batch is divided.
    """
    recordings = _count(dataset, enough=asked * processes)
    return asked if recordings is None else min(asked, max(1, recordings // processes))
