"""The Trainer: views on the model's device, learning rates by part, collapse monitors."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import IterableDataset as AnyStream
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import EvalLoopOutput
from transformers.utils import logging

from ssl_ecg_hf.allocator import keep_freed_memory
from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.evaluation.inference import embed
from ssl_ecg_hf.evaluation.representation import knn_probe
from ssl_ecg_hf.modeling import SslEcgFeatureExtractor, SslEcgForPreTraining
from ssl_ecg_hf.modeling.windows_ssl_ecg import pad_to_window
from ssl_ecg_hf.training.accepting import accept, each, probe_sets, table_labels
from ssl_ecg_hf.training.arguments import (
    SslEcgOptions,
    SslEcgTrainingArguments,
    resolve_augmentation,
)
from ssl_ecg_hf.training.augmentations import Compose, check_lead_order
from ssl_ecg_hf.training.checks import (
    check_batches,
    check_lengths,
    check_options,
    check_processes,
    filled_batch,
    needs_company,
)
from ssl_ecg_hf.training.losses import build_loss
from ssl_ecg_hf.training.metrics import (
    macro_auroc_metric,
    representation_metrics,
    single_label_macro_auroc_metric,
)
from ssl_ecg_hf.training.progress import Stopwatch
from ssl_ecg_hf.training.resident import ROW, ResidentTable
from ssl_ecg_hf.training.resuming import ResumeAtTheSameBatch
from ssl_ecg_hf.training.sampling import LabelSampler
from ssl_ecg_hf.training.views import make_views, random_windows, seeded_generator
from ssl_ecg_hf.training.window_average import WindowAverage

EVALUATION_KEY = 2**31  # in place of a step: every evaluation sees the same views
NEIGHBOURS = 20  # of the kNN probe
logger = logging.get_logger(__name__)


def _num_views(model: SslEcgForPreTraining, options: SslEcgOptions) -> int:
    """Return how many views of a recording are made; by default as many as the objective needs."""
    wanted = model.views_needed if options.num_views is None else options.num_views
    if wanted < model.views_needed:
        raise ValueError(f"{type(model).__name__} needs num_views >= {model.views_needed}; got {wanted}")
    return wanted


def _synchronized(model: Any, args: Any) -> Any:
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


class SslEcgTrainer(Trainer):
    """Hugging Face Trainer for the SslEcg models.

    Datasets are `datasets.Dataset`s with a column `signal` (floats, mV) or `signal_uv` (integers,
    microvolts) of shape (leads, samples), and `labels` (multi-hot) for a classifier; a streamed
    `datasets.IterableDataset` or any other dataset may yield such rows. Signals are converted and augmented
    in batches on the model's device. A pretraining model gets `views` and what its `wanted_columns` name, a
    classifier `input_values`. Random numbers of crops and augmentation are a function of (seed, process,
    step), so a resumed run repeats the uninterrupted one.

    A classifier of several labels learns from, and is evaluated on, those recordings of a `Dataset` whose
    labels are known (see `ssl_ecg_hf.data.splits.labelled`); the log says how many others there are. A stream
    and any other dataset are taken as they are: there, labels that are all 0 say that none of the classes is
    present. `predict` gives an answer for every recording, and its metrics count all of them.

    Pretraining leaves out incomplete batches, in evaluation too, because the loss depends on the size of the
    batch. So does `predict` of a pretraining model, with a warning: `ssl_ecg_hf.evaluation.embed` embeds
    every recording. A classifier sees all of them; only with a head that normalises over the batch a last
    training batch of one recording is left out, and every incomplete one of a stream.

    Recordings shorter than `config.num_samples` are padded with zeros on the right. Longer ones are seen
    through windows of that length: a random one for each view (pretraining) or for each recording and step
    (classifier). The evaluation of a classifier averages its logits over all windows.

    Args:
        model: an SslEcg model with a loss.
        args: plain `TrainingArguments` or [`SslEcgTrainingArguments`]. The Trainer keeps a copy of its own.
        train_dataset: see above.
        eval_dataset: see above; or a dict of several, by name.
        model_init: in place of `model`: returns it anew for each training. Datasets are checked against the
            first one.
        augmentation: overrides `args.augmentations`. By default pretraining uses the preset that its
            objective names (`default_augmentations`), a classifier none.
        probe_dataset: labelled recordings; with them a pretraining evaluation also reports `knn_auroc`,
            the macro AUROC of their nearest neighbours' votes on the labelled part of `eval_dataset`.
        kwargs: further arguments of `Trainer`.

    Raises:
        ValueError: if a dataset's lead count, sampling rate or unit does not fit the model, or it lacks a
            column, or if an argument would do nothing. `evaluate` and `predict` check what they are given in
            the same way.

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
        model_init: Callable[..., Any] | None = None,
        augmentation: Compose | None = None,
        probe_dataset: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        if (model is None) == (model_init is None):
            raise ValueError("give either a model or model_init, a function that returns one")
        # What is changed below must not reach another training with the same arguments.
        args = SslEcgTrainingArguments("trainer_output") if args is None else copy.copy(args)
        if args.world_size < int(os.environ.get("WORLD_SIZE", "1")):
            raise ValueError(
                f"{os.environ['WORLD_SIZE']} processes were launched, these arguments see {args.world_size}: "
                "build TrainingArguments once, and no second ones with another device after them"
            )
        options = args if isinstance(args, SslEcgOptions) else SslEcgOptions()
        self.options = options
        self.model_init = model_init
        if model_init is not None:
            model = super().call_model_init()
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
        train_dataset = accept(train_dataset, model, role="train_dataset")
        eval_dataset = accept(eval_dataset, model, role="eval_dataset")
        if augmentation is None:
            default = model.default_augmentations if self.is_pretraining else None
            augmentation = resolve_augmentation(options.augmentations or default)
        check_lead_order(augmentation, model.config.leads)
        self.augmentation = augmentation
        self._probe_sets = None
        if train_dataset is not None:
            check_batches(model, args, train_dataset)
        if self.is_pretraining or len(augmentation):
            check_lengths(model, train_dataset)
        if self.is_pretraining:
            for dataset in each(eval_dataset):
                check_lengths(model, dataset)
            kwargs.setdefault("compute_metrics", representation_metrics)
            if probe_dataset is not None and options.probe_every:
                self._probe_sets = probe_sets(probe_dataset, eval_dataset)
        else:
            single = model.config.problem_type == "single_label_classification"
            kwargs.setdefault(
                "compute_metrics", single_label_macro_auroc_metric if single else macro_auroc_metric
            )
            if options.classification_loss != "bce" and train_dataset is not None:
                labels = torch.as_tensor(table_labels(train_dataset, "classification_loss"))
                self.classification_loss = build_loss(options.classification_loss, labels)
        args.remove_unused_columns = False
        if not torch.accelerator.is_available():
            args.dataloader_pin_memory = False  # only warns there
        # Saved with every checkpoint, so that each one knows how its input is prepared.
        kwargs.setdefault("processing_class", SslEcgFeatureExtractor.for_model(model.config))
        super().__init__(
            model=self._set_up(model) if model_init is None else None,
            args=args,
            model_init=model_init,
            data_collator=partial(collate, integers=tuple(self._wanted.values())),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            **kwargs,
        )
        self.add_callback(ResumeAtTheSameBatch())
        self.add_callback(Stopwatch())
        if self.is_pretraining:
            for callback in model.trainer_callbacks():
                # It may be there, given as to the plain Trainer; BYOL's target must not move twice.
                if not any(isinstance(given, type(callback)) for given in self.callback_handler.callbacks):
                    self.add_callback(callback)
        if options.keep_data_on_device and train_dataset is not None:
            self.train_dataset = _resident(train_dataset, self.args.device)
        if options.keep_freed_memory and self.args.device.type == "cpu":
            keep_freed_memory()

    def _set_up(self, model: Any) -> Any:
        """Change a new model as the options say."""
        if self.options.freeze_encoder:
            model.freeze_encoder()
        return _synchronized(model, self.options) if self.options.sync_batch_norm else model

    def call_model_init(self, trial: Any = None) -> Any:
        """Return a new model of `model_init`, changed as the options say."""
        return self._set_up(super().call_model_init(trial))

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

    def _leaves_out(self, dataset: Any, batch_size: int, *, is_training: bool) -> bool:
        """Whether an incomplete last batch is left out: NT-Xent needs equal batches in every process."""
        if self.is_pretraining or not is_training:
            return self.is_pretraining
        if isinstance(dataset, AnyStream):
            return needs_company(self.model)
        # Several processes complete the last batch with recordings from the beginning.
        alone = self.args.world_size == 1 and len(dataset) % batch_size == 1
        return self.args.dataloader_drop_last or (alone and needs_company(self.model))

    def _get_dataloader(
        self, dataset: Any, description: str, batch_size: int, *, is_training: bool = False, **kwargs: Any
    ) -> Any:
        """Decide for each use, and for streams, too, whether incomplete batches are left out."""
        drop_last = self._leaves_out(dataset, batch_size, is_training=is_training)
        if self.is_pretraining and not is_training:
            batch_size = filled_batch(dataset, batch_size, self.args.world_size)
        if not (drop_last and isinstance(dataset, AnyStream)):
            asked, self.args.dataloader_drop_last = self.args.dataloader_drop_last, drop_last
            try:
                return super()._get_dataloader(
                    dataset, description, batch_size, is_training=is_training, **kwargs
                )
            finally:
                self.args.dataloader_drop_last = asked
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

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the batches of an evaluation; a dataset that is given for it is checked, too."""
        if eval_dataset is None or isinstance(eval_dataset, str):
            return super().get_eval_dataloader(eval_dataset)
        # Transformers would go on with the workers of the last evaluation, and so with its recordings.
        return self._get_dataloader(
            accept(eval_dataset, self.model, role="eval_dataset", needs_labels=False),
            "Evaluation",
            self.args.eval_batch_size,
            sampler_fn=self._get_eval_sampler,
        )

    def get_test_dataloader(self, test_dataset: Any) -> Any:
        """Return the batches of a prediction, after a check; of a classifier those of all recordings."""
        checked = accept(
            test_dataset, self.model, role="test_dataset", needs_labels=False, only_labelled=False
        )
        loader = super().get_test_dataloader(checked)
        if self.is_pretraining and isinstance(checked, SignalTable):
            batch = filled_batch(checked, self.args.eval_batch_size, self.args.world_size)
            if left_out := len(checked) % (batch * self.args.world_size):
                logger.warning(
                    f"the last {left_out} of {len(checked)} recordings fill no batch and are not predicted: "
                    "ssl_ecg_hf.evaluation.embed gives the embedding of every recording"
                )
        return loader

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.options.sampler == "standard" or self.is_pretraining:
            return super()._get_train_sampler(train_dataset)
        labels = table_labels(self.train_dataset, "sampler")
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

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        """Evaluate a batch as the Trainer does, embeddings too; a classifier sees all of a long recording."""
        whole = model if self.is_pretraining else WindowAverage(model, self.model.config)
        return super().prediction_step(whole, inputs, prediction_loss_only, ignore_keys or [])

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
            parts += [embed(self.model, dataset), np.asarray(dataset["labels"])]
        return knn_probe(*parts, k=min(NEIGHBOURS, len(parts[0])))
