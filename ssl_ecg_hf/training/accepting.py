"""The datasets that a Trainer is given: checked against its model, wrapped for fast reading."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasets import Dataset, IterableDataset
from numpy.typing import NDArray
from transformers.utils import logging

from ssl_ecg_hf.data.signals import SignalTable, numeric_column
from ssl_ecg_hf.data.splits import HAS_LABELS, labelled
from ssl_ecg_hf.evaluation.inference import checked_stream, signal_table
from ssl_ecg_hf.modeling import SslEcgForPreTraining

logger = logging.get_logger(__name__)


def check_wanted(model: SslEcgForPreTraining, dataset: Dataset | IterableDataset) -> None:
    """Refuse a dataset without the columns that the objective asks for; rows of others show it in a batch.

    Raises:
        ValueError: naming the columns.
    """
    known = dataset.column_names
    if known is not None and (missing := sorted(set(model.wanted_columns.values()) - set(known))):
        raise ValueError(
            f"{type(model).__name__} with objective_options {model.config.objective_options} needs the "
            f"columns {missing} in training and evaluation; the dataset has {known}: add them, or switch "
            "the option off"
        )


def supervised(dataset: Dataset, *, role: str) -> Dataset:
    """Return the recordings whose multi-hot labels are known; the log says how many are left out.

    Args:
        dataset: has a column `labels` and perhaps `has_labels`, see [`labelled`].
        role: name of the dataset in messages.

    Raises:
        ValueError: if there are recordings and none is left, or the labels are not multi-hot.
    """
    if numeric_column(dataset, "labels").ndim != 2:
        raise ValueError(
            f"{role}: column 'labels' holds one number a recording; expected 0 and 1 for each class, or a "
            "model whose problem_type is 'single_label_classification'"
        )
    known = labelled(dataset)
    left_out = len(dataset) - len(known)
    if not left_out:
        return dataset
    if HAS_LABELS in dataset.column_names:
        reason = f"their column {HAS_LABELS!r} says that their labels are not known"
    else:
        reason = (
            "their labels are all 0, which counts as not known. If they have been looked at and show none of "
            f"the classes, add a column {HAS_LABELS!r} that is true for them: "
            f"dataset.add_column({HAS_LABELS!r}, [True] * len(dataset))"
        )
    if not len(known):
        raise ValueError(f"{role}: none of its {left_out} recordings can be used: {reason}")
    logger.warning(f"{role}: {left_out} of {len(dataset)} recordings are left out: {reason}")
    return known


def accept(
    dataset: Any, model: Any, *, role: str, needs_labels: bool = True, only_labelled: bool = True
) -> Any:
    """Check a dataset against a model and make it fast to read.

    Args:
        dataset: `datasets.Dataset`, stream, or a mapping of names to such; others are given back as they are,
            without any check.
        model: an SslEcg model with a loss.
        role: name of the dataset in messages.
        needs_labels: whether a classifier's dataset must have labels.
        only_labelled: whether recordings whose multi-hot labels are not known are left out; of a stream none
            are.

    Returns:
        A `SignalTable` in place of a `Dataset`, a stream that gives arrays, or a dict of these.

    Raises:
        ValueError: if a dataset's lead count, sampling rate or unit does not fit the model, or it lacks a
            column.
    """
    if isinstance(dataset, dict):
        choices = {"needs_labels": needs_labels, "only_labelled": only_labelled}
        return {
            name: accept(one, model, role=f"{role}[{name!r}]", **choices) for name, one in dataset.items()
        }
    if not isinstance(dataset, Dataset | IterableDataset):
        return dataset
    if isinstance(model, SslEcgForPreTraining):
        check_wanted(model, dataset)
    if isinstance(dataset, IterableDataset):
        return checked_stream(dataset, model.config)
    if isinstance(model, SslEcgForPreTraining):
        return signal_table(dataset, model.config, columns=tuple(model.wanted_columns.values()))
    if not needs_labels and "labels" not in dataset.column_names:
        return signal_table(dataset, model.config)
    if only_labelled and model.config.problem_type != "single_label_classification":
        dataset = supervised(dataset, role=role)
    return signal_table(dataset, model.config, columns=("labels",))


def each(dataset: Any) -> list[Any]:
    """Return the datasets among which an evaluation is divided: none, one, or the values of a mapping."""
    if isinstance(dataset, dict):
        return list(dataset.values())
    return [] if dataset is None else [dataset]


def table_labels(dataset: Any, option: str) -> NDArray[np.int8]:
    """Return the labels of a whole training set.

    Args:
        dataset: of the Trainer.
        option: that asks for them.

    Raises:
        ValueError: if it is no table.
    """
    if not isinstance(dataset, SignalTable):
        raise ValueError(
            f"{option} needs the labels of the whole training set: give a datasets.Dataset with a column "
            f"`labels` in place of {type(dataset).__name__}, or leave {option} at its default"
        )
    return dataset.column("labels")


def probe_sets(train: Dataset, validation: Any) -> tuple[Dataset, Dataset] | None:
    """Return the labelled recordings of both for the kNN probe; None, and a word in the log, without them.

    Args:
        train: whose labels vote.
        validation: the `eval_dataset` of the Trainer.
    """
    if not isinstance(validation, SignalTable):
        logger.warning("no kNN probe: it needs an eval_dataset that is one datasets.Dataset")
        return None
    found = []
    for name, dataset in (("probe_dataset", train), ("eval_dataset", validation.dataset)):
        known = labelled(dataset) if "labels" in dataset.column_names else dataset.select([])
        if not len(known):
            logger.warning(f"no kNN probe: {name} has no labelled recording among {len(dataset)}")
            return None
        found.append(known)
    return found[0], found[1]
