"""The Trainer: views on the model's device, learning rates by part, collapse monitors."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from datasets import Dataset, IterableDataset
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import IterableDataset as AnyStream
from transformers import EvalPrediction, Trainer, TrainingArguments
from transformers.trainer_utils import EvalLoopOutput

from ssl_ecg_hf.allocator import keep_freed_memory
from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.evaluation.inference import checked_stream, embed, signal_table
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.representation import alignment, effective_rank, knn_probe, uniformity
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgFeatureExtractor, SslEcgForPreTraining
from ssl_ecg_hf.modeling.windows_ssl_ecg import pad_to_window
from ssl_ecg_hf.training.arguments import (
    SslEcgOptions,
    SslEcgTrainingArguments,
    resolve_augmentation,
)
from ssl_ecg_hf.training.augmentations import Compose, check_lead_order
from ssl_ecg_hf.training.checks import check_batches, check_options, check_processes, check_wanted
from ssl_ecg_hf.training.losses import build_loss
from ssl_ecg_hf.training.progress import Stopwatch
from ssl_ecg_hf.training.resident import ROW, ResidentTable
from ssl_ecg_hf.training.resuming import ResumeAtTheSameBatch
from ssl_ecg_hf.training.sampling import LabelSampler
from ssl_ecg_hf.training.views import make_views, random_windows, seeded_generator
from ssl_ecg_hf.training.window_average import WindowAverage

EVALUATION_KEY = 2**31  # in place of a step: every evaluation sees the same views
NEIGHBOURS = 20  # of the kNN probe
MAX_MONITORED = 2000  # recordings; pairwise distances need memory of the square of it


def representation_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Tell whether representation collapses, from the outputs of a pretraining model.

    Args:
        prediction: `predictions` is (projections, embeddings), each (recordings, views, size).

    Returns:
        `alignment` (of two views or more) and `uniformity` of the projections (Wang & Isola 2020),
        `effective_rank` of projections and of embeddings. Collapse shows as a uniformity near 0 and an
        effective rank near 1.
    """
    projections, embeddings = (values[:MAX_MONITORED] for values in prediction.predictions)
    several = projections.shape[1] > 1
    return {
        **({"alignment": alignment(projections[:, 0], projections[:, 1])} if several else {}),
        "uniformity": uniformity(projections[:, 0]),
        "effective_rank": effective_rank(embeddings[:, 0]),
        "projection_effective_rank": effective_rank(projections[:, 0]),
    }


def macro_auroc_metric(prediction: EvalPrediction) -> dict[str, float]:
    """Macro AUROC of a classifier's outputs against multi-hot labels; absent where it is undefined."""
    logits = torch.as_tensor(prediction.predictions[0]).float()
    value = macro_auroc(prediction.label_ids, logits.sigmoid().numpy())
    return {} if value is None else {"macro_auroc": value}


def single_label_macro_auroc_metric(prediction: EvalPrediction) -> dict[str, float]:
    """Macro AUROC of each class against all others, from class indices; absent where it is undefined."""
    scores = torch.as_tensor(prediction.predictions[0]).float().softmax(dim=-1).numpy()
    value = macro_auroc(np.eye(scores.shape[1], dtype=np.int8)[prediction.label_ids], scores)
    return {} if value is None else {"macro_auroc": value}


def _readable(dataset: Any, config: SslEcgConfig, *, columns: tuple[str, ...]) -> Any:
    """Wrap a `datasets.Dataset` for fast reading, let a stream give arrays; others are not even checked."""
    if isinstance(dataset, Dataset):
        return signal_table(dataset, config, columns=columns)
    if isinstance(dataset, IterableDataset):
        return checked_stream(dataset, config)
    return dataset


def _num_views(model: SslEcgForPreTraining, options: SslEcgOptions) -> int:
    """Return how many views of a recording are made; by default as many as the objective needs."""
    wanted = model.views_needed if options.num_views is None else options.num_views
    if wanted < model.views_needed:
        raise ValueError(f"{type(model).__name__} needs num_views >= {model.views_needed}; got {wanted}")
    return wanted


def _synchronized(model: Any, args: TrainingArguments) -> Any:
    """Let BatchNorm share its statistics between processes; names of the weights stay the same."""
    if args.world_size == 1:
        return model
    if args.device.type == "cpu":
        raise ValueError(
            "sync_batch_norm needs accelerators: PyTorch's SyncBatchNorm does not run on the CPU"
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)


def _resident(dataset: Any, device: torch.device) -> ResidentTable:
    if not isinstance(dataset, SignalTable):
        raise ValueError(
            f"keep_data_on_device copies the whole training set: give a datasets.Dataset in place of "
            f"{type(dataset).__name__}, or leave the option off"
        )
    return ResidentTable(dataset, device=device)


def _train_labels(dataset: Any, option: str) -> NDArray[np.int8]:
    if not isinstance(dataset, SignalTable):
        raise ValueError(
            f"{option} needs the labels of the whole training set: give a datasets.Dataset with a column "
            f"`labels` in place of {type(dataset).__name__}, or leave {option} at its default"
        )
    return dataset.column("labels")


class SslEcgTrainer(Trainer):
    """Hugging Face Trainer for the SslEcg models.

    Datasets are `datasets.Dataset`s with a column `signal` (floats, mV) or `signal_uv` (integers,
    microvolts) of shape (leads, samples), and `labels` (multi-hot) for a classifier; a streamed
    `datasets.IterableDataset` or any other dataset may yield such rows. Signals are converted and augmented
    in batches on the model's device. A pretraining model gets `views` and what its `wanted_columns` name, a
    classifier `input_values`. Random numbers of crops and augmentation are a function of (seed, process,
    step), so a resumed run repeats the uninterrupted one.

    Recordings shorter than `config.num_samples` are padded with zeros on the right. Longer ones are seen
    through windows of that length: a random one for each view (pretraining) or for each recording and step
    (classifier). The evaluation of a classifier averages its logits over all windows.

    Args:
        model: an SslEcg model with a loss.
        args: plain `TrainingArguments` or [`SslEcgTrainingArguments`].
        train_dataset, eval_dataset: see above.
        augmentation: overrides `args.augmentations`. By default pretraining uses the preset that its
            objective names (`default_augmentations`), a classifier none.
        probe_dataset: labelled recordings; with them a pretraining evaluation also reports `knn_auroc`,
            the macro AUROC of their nearest neighbours' votes on the labelled part of `eval_dataset`.
        kwargs: further arguments of `Trainer`.

    Raises:
        ValueError: if a dataset's lead count, sampling rate or unit does not fit the model, or it lacks a
            column, or if an argument would do nothing.

    Example:
        ```python
        trainer = SslEcgTrainer(
            model=SslEcgForSimCLR(SslEcgConfig()),
            args=TrainingArguments("runs/simclr", per_device_train_batch_size=128),
            train_dataset=simulate_dataset(1000)["train"],
        )
        trainer.train()
        ```
    """

    loss_is_scaled_for_ga = False

    def __init__(
        self,
        model: Any = None,
        args: TrainingArguments | None = None,
        *,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        augmentation: Compose | None = None,
        probe_dataset: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            args = SslEcgTrainingArguments("trainer_output")
        if args.world_size < int(os.environ.get("WORLD_SIZE", "1")):
            raise ValueError(
                f"{os.environ['WORLD_SIZE']} processes were launched, these arguments see {args.world_size}: "
                "build TrainingArguments once, and no second ones with another device after them"
            )
        options = args if isinstance(args, SslEcgOptions) else SslEcgOptions()
        self.options = options
        self.is_pretraining = isinstance(model, SslEcgForPreTraining)
        check_options(model, args, options, kwargs)
        self.classification_loss: Callable[[Tensor, Tensor], Tensor] | None = None
        self._step_key, self._micro_step = -1, 0
        self._wanted: dict[str, str] = {}
        self._num_views = 1
        if self.is_pretraining:
            check_processes(args)
            self._wanted = model.wanted_columns
            self._num_views = _num_views(model, options)
            for dataset in (train_dataset, eval_dataset):
                check_wanted(model, dataset)
        columns = tuple(self._wanted.values()) if self.is_pretraining else ("labels",)
        train_dataset = _readable(train_dataset, model.config, columns=columns)
        eval_dataset = _readable(eval_dataset, model.config, columns=columns)
        if augmentation is None:
            default = model.default_augmentations if self.is_pretraining else None
            augmentation = resolve_augmentation(options.augmentations or default)
        check_lead_order(augmentation, model.config.leads)
        self.augmentation = augmentation
        self._probe_sets = None
        if self.is_pretraining:
            args.dataloader_drop_last = True  # NT-Xent needs equal batches in every process
            check_batches(args, train_dataset, eval_dataset)
            kwargs.setdefault("compute_metrics", representation_metrics)
            if probe_dataset is not None and isinstance(eval_dataset, SignalTable):
                self._probe_sets = (probe_dataset, eval_dataset.dataset)
        else:
            single = model.config.problem_type == "single_label_classification"
            kwargs.setdefault(
                "compute_metrics", single_label_macro_auroc_metric if single else macro_auroc_metric
            )
            if options.freeze_encoder:
                model.freeze_encoder()
            if options.classification_loss != "bce" and train_dataset is not None:
                labels = torch.as_tensor(_train_labels(train_dataset, "classification_loss"))
                self.classification_loss = build_loss(options.classification_loss, labels)
        if options.sync_batch_norm:
            model = _synchronized(model, args)
        args.remove_unused_columns = False
        if not torch.accelerator.is_available():
            args.dataloader_pin_memory = False  # only warns there
        # Saved with every checkpoint, so that each one knows how its input is prepared.
        kwargs.setdefault("processing_class", SslEcgFeatureExtractor.for_model(model.config))
        super().__init__(
            model=model,
            args=args,
            data_collator=partial(collate, integers=tuple(self._wanted.values())),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            **kwargs,
        )
        self.add_callback(ResumeAtTheSameBatch())
        self.add_callback(Stopwatch())
        if self.is_pretraining:
            for callback in model.trainer_callbacks():
                self.add_callback(callback)
        if options.keep_data_on_device and train_dataset is not None:
            self.train_dataset = _resident(train_dataset, self.args.device)
        if options.keep_freed_memory and self.args.device.type == "cpu":
            keep_freed_memory()

    # ---- batches ----

    def _generator(self, device: torch.device) -> torch.Generator:
        step = self.state.global_step if self.model.training else EVALUATION_KEY
        self._micro_step = self._micro_step + 1 if step == self._step_key else 0
        self._step_key = step
        return seeded_generator(device, self.args.seed, self.args.process_index, step, self._micro_step)

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Move a batch to the device, convert it to millivolts and augment it there."""
        batch = super()._prepare_inputs(inputs)
        if ROW in batch:
            batch = self.train_dataset.fill(batch)
        signal = pad_to_window(to_millivolts(batch), self.model.config.num_samples)
        if self.is_pretraining:
            generator = self._generator(signal.device)
            views = make_views(
                signal,
                self.augmentation,
                num_views=self._num_views,
                sampling_rate=float(self.model.config.sampling_rate),
                generator=generator,
                num_samples=self.model.config.num_samples,
            )
            inputs = self.model.make_inputs(views, generator=generator)
            return {**inputs, **{name: batch[column] for name, column in self._wanted.items()}}
        if self.model.training:
            generator = self._generator(signal.device)
            signal = random_windows(signal, self.model.config.num_samples, generator=generator)
            signal = self.augmentation(
                signal, sampling_rate=float(self.model.config.sampling_rate), generator=generator
            )
        return {"input_values": signal, **({"labels": batch["labels"]} if "labels" in batch else {})}

    def _get_dataloader(self, dataset: Any, description: str, batch_size: int, **kwargs: Any) -> Any:
        """Leave out incomplete batches of a stream in pretraining, too: Transformers does not."""
        if not (self.is_pretraining and isinstance(dataset, AnyStream)):
            return super()._get_dataloader(dataset, description, batch_size, **kwargs)
        return self.accelerator.prepare(
            DataLoader(
                dataset,
                batch_size=batch_size,
                drop_last=True,
                collate_fn=self.data_collator,
                num_workers=self.args.dataloader_num_workers,
                pin_memory=self.args.dataloader_pin_memory,
                persistent_workers=self.args.dataloader_persistent_workers,
                prefetch_factor=self.args.dataloader_prefetch_factor,
            )
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.options.sampler == "standard" or self.is_pretraining:
            return super()._get_train_sampler(train_dataset)
        labels = _train_labels(self.train_dataset, "sampler")
        return LabelSampler(labels, self.options.sampler, seed=self.args.seed)

    # ---- optimisation ----

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the model's own loss, or the chosen supervised one."""
        del num_items_in_batch
        outputs = model(**inputs)
        loss = outputs.loss
        if self.classification_loss is not None:
            loss = self.classification_loss(outputs.logits, inputs["labels"])
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Build the optimizer; the encoder's parameter groups get their own learning rate."""
        optimizer = super().create_optimizer(model)
        rate = self.options.encoder_learning_rate
        if rate is None:
            return optimizer
        encoder = {id(parameter) for parameter in self.model.encoder.parameters()}
        for group in list(optimizer.param_groups):
            inside = [parameter for parameter in group["params"] if id(parameter) in encoder]
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in encoder]
            if inside:
                others = {key: value for key, value in group.items() if key not in ("params", "lr")}
                optimizer.add_param_group({"params": inside, "lr": rate, **others})
        return optimizer

    # ---- evaluation ----

    def prediction_step(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Evaluate a batch as the Trainer does; a classifier sees all of a long recording."""
        whole = model if self.is_pretraining else WindowAverage(model, self.model.config)
        return super().prediction_step(whole, inputs, *args, **kwargs)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """Run the Trainer's loop; in pretraining add the kNN probe every few evaluations."""
        self._step_key = -1  # the same views at each evaluation of one step
        output = super().evaluation_loop(*args, **kwargs)
        if self._probe_sets is not None and self.options.probe_every:
            earlier = sum("eval_loss" in entry for entry in self.state.log_history)
            if earlier % self.options.probe_every == 0:
                prefix = kwargs.get("metric_key_prefix", "eval")
                output.metrics[f"{prefix}_knn_auroc"] = self._knn_auroc(*self._probe_sets)
        return output

    def _knn_auroc(self, train: Dataset, validation: Dataset) -> float | None:
        parts = []
        for dataset in (train, validation):
            dataset = labelled(dataset)
            parts += [embed(self.model, dataset), np.asarray(dataset["labels"])]
        neighbours = min(NEIGHBOURS, len(parts[0]))
        return knn_probe(*parts, k=neighbours) if neighbours and len(parts[2]) else None
