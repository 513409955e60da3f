"""Fine-tuning: a checkpoint (or nothing) and some labels in, a classifier out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import EarlyStoppingCallback, set_seed
from transformers.trainer_utils import IntervalStrategy

from ssl_ecg_hf.data.source import DataArguments, Recordings
from ssl_ecg_hf.data.splits import dataset_labels, label_fraction, labelled
from ssl_ecg_hf.evaluation.inference import signal_table
from ssl_ecg_hf.evaluation.loading import load_config, load_model
from ssl_ecg_hf.evaluation.metrics import undefined_classes
from ssl_ecg_hf.evaluation.recipe import check_same_split, describe_arguments, make_recipe, read_recipe
from ssl_ecg_hf.modeling import SslEcgForSequenceClassification
from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
from ssl_ecg_hf.training.pretrain import config_fields, new_config
from ssl_ecg_hf.training.probe import fit_probe
from ssl_ecg_hf.training.progress import make_readable
from ssl_ecg_hf.training.run_folder import describe_batch, open_run, save_checkpoint
from ssl_ecg_hf.training.trainer import SslEcgTrainer


@dataclass
class FinetuningArguments:
    """What is fine-tuned, on which share of the labels."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint whose encoder is taken; default: a random encoder."}
    )
    config: str = field(default="{}", metadata={"help": "JSON of SslEcgConfig fields that differ."})
    label_fraction: float = field(default=1.0, metadata={"help": "Share of the labelled train recordings."})
    label_seed: int = field(default=0, metadata={"help": "Seed of the (nested) label subsets."})
    probe: bool = field(
        default=False,
        metadata={
            "help": "Fit a logistic regression on the frozen encoder in place of training by gradient."
        },
    )
    probe_first: bool = field(
        default=False,
        metadata={
            "help": "Start the classification layer from that logistic regression, then train everything "
            "(LP-FT, Kumar et al. 2022); by default it starts from random weights."
        },
    )
    patience: int = field(
        default=0,
        metadata={"help": "Stop after so many evaluations without a better macro AUROC; 0 = never."},
    )
    overwrite: bool = field(default=False, metadata={"help": "Delete an earlier run in output_dir."})

    def __post_init__(self) -> None:
        if self.patience < 0:
            raise ValueError(f"patience={self.patience} must be 0 (never stop early) or a positive number")
        if self.probe and self.probe_first:
            raise ValueError(
                "probe fits the classification layer alone, probe_first goes on from there: give one of them"
            )


def check_labels(train: Dataset, validation: Dataset, class_names: Sequence[str]) -> None:
    """Refuse splits that nothing can be learnt from or chosen on.

    Args:
        train: labelled recordings.
        validation: labelled recordings; the best epoch is that with the highest macro AUROC here.
        class_names: one a column of `labels`.

    Raises:
        ValueError: if a split is empty, or no class has positive and negative validation recordings.
    """
    hint = (
        "recordings whose labels are all zero count as unlabelled: give 'none of these' a class of its own, "
        "or a column has_labels (as recordings.csv does by itself)"
    )
    for name, split in (("train", train), ("validation", validation)):
        if not len(split):
            raise ValueError(f"the {name} split has no labelled recording; {hint}")
    if len(undefined_classes(dataset_labels(validation), class_names=class_names)) == len(class_names):
        raise ValueError(
            f"none of {list(class_names)} is both present and absent in the {len(validation)} labelled "
            f"recordings of the validation split, so no epoch can be chosen on them; {hint}"
        )


def label_subset(train: Dataset, fraction: float, *, seed: int) -> Dataset:
    """Return the labelled recordings of a nested, stratified, patient-wise subset of a train split."""
    known = labelled(train)
    if fraction == 1:
        return known
    patients = known["patient_id"] if "patient_id" in known.column_names else [None] * len(known)
    return known.select(label_fraction(dataset_labels(known), list(patients), fraction, seed=seed))


def build_classifier(what: FinetuningArguments, recordings: Recordings) -> SslEcgForSequenceClassification:
    """Return a classifier for the classes of the recordings, with a checkpoint's encoder or a random one."""
    labels = {
        "id2label": dict(enumerate(recordings.class_names)),
        "label2id": {name: index for index, name in enumerate(recordings.class_names)},
        "problem_type": "multi_label_classification",
    }
    if what.model is None:
        return SslEcgForSequenceClassification(new_config(recordings, what.config, **labels))
    # The classification layer of a classifier may know other labels: only its encoder is taken.
    has_head = load_config(what.model).architectures == ["SslEcgForSequenceClassification"]
    model = load_model(
        SslEcgForSequenceClassification,
        what.model,
        new_heads=has_head,
        **{"thresholds": None, **labels, **config_fields(what.config)},
    )
    if has_head:
        model.classifier = model.new_head()
    return model


def finetune(what: FinetuningArguments, data: DataArguments, args: SslEcgTrainingArguments) -> Path:
    """Train a classifier, or resume, and write the best checkpoint to `args.output_dir`.

    The epoch with the highest macro AUROC on the validation split is kept. With `probe` the encoder stays
    frozen and the classification layer is a logistic regression.

    Returns:
        The folder of the checkpoint.
    """
    recordings = data.load()
    folder = Path(args.output_dir)
    recipe = make_recipe(
        "probe" if what.probe else "finetune",
        describe_arguments(what, data, args),
        recordings.description,
        parent=None if what.model is None else read_recipe(what.model),
    )
    check_same_split(recipe["parent"], recordings.description)
    train = label_subset(recordings.splits["train"], what.label_fraction, seed=what.label_seed)
    validation = labelled(recordings.splits["validation"])
    check_labels(train, validation, recordings.class_names)
    recipe["labels"] = {
        "fraction": what.label_fraction,
        "recordings": len(train),
        "per_class": dict(
            zip(recordings.class_names, np.sum(dataset_labels(train), axis=0).tolist(), strict=True)
        ),
    }
    if not what.probe:
        recipe["batch"] = describe_batch(args)
    set_seed(args.seed)
    model = build_classifier(what, recordings)
    signal_table(train, model.config)  # refused here, what does not fit leaves nothing behind
    with args.main_process_first(desc="opening the run's folder"):
        resume = open_run(folder, recipe, overwrite=what.overwrite and args.process_index == 0)
    if what.probe or (what.probe_first and resume is None):
        fit_probe(model, train, validation)
    if what.probe:
        if args.process_index == 0:
            save_checkpoint(model, folder)
        return folder
    args.eval_strategy = args.save_strategy = IntervalStrategy.EPOCH
    args.load_best_model_at_end = True
    args.metric_for_best_model, args.greater_is_better = "macro_auroc", True
    args.restore_callback_states_from_checkpoint = True  # patience goes on counting after a resume
    trainer = SslEcgTrainer(
        model=model,
        args=args,
        train_dataset=train,
        eval_dataset=validation,
        callbacks=[EarlyStoppingCallback(what.patience)] if what.patience else None,
    )
    make_readable(trainer)
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(folder / "trainer_state.json"))
        save_checkpoint(trainer.accelerator.unwrap_model(trainer.model), folder)
    return folder
