"""A resumed training goes on with the recordings that its epoch has not seen yet, or not at all."""

from __future__ import annotations

import math
from typing import Any

from accelerate.data_loader import DataLoaderDispatcher, DataLoaderShard
from transformers import TrainerCallback
from transformers.trainer_utils import has_length


class ResumeAtTheSameBatch(TrainerCallback):
    """Checks that a checkpoint's steps lead to the place in the data where it was written.

    The Trainer finds its place by the number of steps alone: with more or fewer recordings a step it would
    repeat some and leave out others, and its learning rate would jump.
    """

    def on_train_begin(
        self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any
    ) -> None:
        """Refuse a checkpoint whose epochs had another number of steps.

        Raises:
            ValueError: if the resumed place is not the one that was saved.
        """
        del control
        if state.global_step == 0 or args.ignore_data_skip or not has_length(train_dataloader):
            return
        batches, accumulated = len(train_dataloader), args.gradient_accumulation_steps
        steps = math.ceil(batches / accumulated)
        epochs, step = divmod(state.global_step, steps)
        if abs(epochs + step * accumulated / batches - state.epoch) < 1e-6:
            return
        then = state.global_step / state.epoch
        here = args.train_batch_size * args.world_size * accumulated
        wanted = round(here * steps / then)
        raise ValueError(
            f"the checkpoint was written after {state.global_step} steps and {state.epoch:.4g} epochs, about "
            f"{then:.4g} steps an epoch; here an epoch has {steps} of {here} recordings "
            f"(per_device_train_batch_size={args.per_device_train_batch_size}, processes={args.world_size}, "
            f"gradient_accumulation_steps={accumulated}), so recordings would be repeated or left out; "
            f"resume with the same dataset and as many recordings a step as before, about {wanted}"
        )

    def on_epoch_begin(
        self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any
    ) -> None:
        """Tell the sampler its epoch: in several processes the Trainer's own call ends at skipped batches."""
        del args, control
        if isinstance(train_dataloader, DataLoaderShard | DataLoaderDispatcher) and has_length(
            train_dataloader
        ):
            train_dataloader.set_epoch(int(state.epoch))
