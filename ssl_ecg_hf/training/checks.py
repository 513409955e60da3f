"""What a training is refused for before it begins."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, IterableDataset
from transformers import TrainingArguments

from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.modeling import SslEcgForPreTraining
from ssl_ecg_hf.training.arguments import SslEcgOptions


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


def check_wanted(model: SslEcgForPreTraining, dataset: Any) -> None:
    """Refuse a dataset without the columns that the objective asks for; rows of others show it in a batch."""
    known = dataset.column_names if isinstance(dataset, Dataset | IterableDataset) else None
    if known is not None and (missing := sorted(set(model.wanted_columns.values()) - set(known))):
        raise ValueError(
            f"{type(model).__name__} with objective_options {model.config.objective_options} needs the "
            f"columns {missing} in training and evaluation; the dataset has {known}: add them, or switch "
            "the option off"
        )


def _count(dataset: Any, *, enough: int) -> int | None:
    """Return the number of recordings, of a stream no more than `enough`; None where it is not known."""
    if isinstance(dataset, SignalTable):
        return len(dataset)
    return sum(1 for _ in dataset.take(enough)) if isinstance(dataset, IterableDataset) else None


def check_batches(args: TrainingArguments, train_dataset: Any, eval_dataset: Any) -> None:
    """Refuse a training set that fills no batch; make evaluation batches small enough to be filled.

    Pretraining leaves out incomplete batches, in evaluation too.

    Raises:
        ValueError: if the training set is too small.
    """
    needed = args.train_batch_size * args.world_size
    recordings = _count(train_dataset, enough=needed)
    if recordings is not None and recordings < needed:
        raise ValueError(
            f"{recordings} recordings do not fill one batch of {needed}; pretraining leaves out incomplete "
            "batches: choose a smaller per_device_train_batch_size"
        )
    asked = args.per_device_eval_batch_size
    recordings = _count(eval_dataset, enough=asked * args.world_size)
    if recordings is not None:
        args.per_device_eval_batch_size = min(asked, max(1, recordings // args.world_size))
