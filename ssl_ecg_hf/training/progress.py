"""What a training run tells the person who started it: one line an evaluation, and a bar on a terminal."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from tqdm.auto import tqdm
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback

SHOWN = {
    "eval_loss": "validation loss",
    "eval_macro_auroc": "validation AUROC",
    "eval_knn_auroc": "kNN AUROC",
    "eval_effective_rank": "effective rank",
}


class Stopwatch(TrainerCallback):
    """Notes with every log entry the time since training began, in s: ``elapsed_time``.

    A resumed run goes on counting from its checkpoint, so that the last entry tells what all kept steps took.
    """

    def __init__(self) -> None:
        self.began: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start where the checkpoint's last entry was written, or at nought."""
        del args, control
        earlier = [entry["elapsed_time"] for entry in state.log_history if "elapsed_time" in entry]
        self.began = perf_counter() - (earlier[-1] if earlier else 0.0)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Add the time to the entry that was just written."""
        del args, control
        if self.began is not None:
            state.log_history[-1]["elapsed_time"] = round(perf_counter() - self.began, 3)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop: what is evaluated later is no training."""
        del args, state, control
        self.began = None


class Bar(ProgressCallback):
    """The Trainer's progress bar without its log."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Leave the log to `ReadableLog`."""


class ReadableLog(TrainerCallback):
    """Prints a line when training begins and after every evaluation (or logged step, without evaluation)."""

    def __init__(self) -> None:
        self.loss: float | None = None
        self.since = perf_counter()

    def _line(self, state: Any, values: dict[str, str]) -> None:
        if not state.is_world_process_zero:
            return
        now = perf_counter()
        if self.loss is not None:
            values = {"loss": f"{self.loss:.4f}", **values}
        numbers = "  ".join(f"{name} {value}" for name, value in values.items())
        if state.num_train_epochs == sys.maxsize:  # a stream of unknown length
            place = f"step {state.global_step} of {state.max_steps}"
        else:
            place = f"epoch {state.epoch:.4g} of {state.num_train_epochs:.4g}"
        tqdm.write(f"{place}  {numbers}  {now - self.since:.0f} s", file=sys.stdout)
        self.since = now

    def on_train_begin(
        self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any
    ) -> None:
        """Say what is trained on, and where."""
        del control, train_dataloader
        self.since = perf_counter()
        if state.is_world_process_zero:
            batch = args.train_batch_size * args.world_size * args.gradient_accumulation_steps
            start = f", from step {state.global_step}" if state.global_step else ""
            tqdm.write(
                f"{state.max_steps} steps of {batch} recordings on {args.device}{start}", file=sys.stdout
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Remember the loss; print it where nothing is evaluated."""
        del control
        if "loss" in logs:
            self.loss = float(logs["loss"])
            if args.eval_strategy == "no":
                self._line(state, {})

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Print what was measured."""
        del args, control
        self._line(
            state,
            {text: f"{metrics[key]:.4g}" for key, text in SHOWN.items() if metrics.get(key) is not None},
        )


def make_readable(trainer: Trainer) -> None:
    """Replace a Trainer's raw log by readable lines; on a terminal the bar stays."""
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    if sys.stderr.isatty() and not trainer.args.disable_tqdm:
        trainer.add_callback(Bar())
    trainer.add_callback(ReadableLog())
