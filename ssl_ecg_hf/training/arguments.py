"""Arguments of a training run: those of the Hugging Face Trainer and a few of our own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TrainingArguments

from ssl_ecg_hf.files import parse_mapping
from ssl_ecg_hf.training.augmentations import PRESETS, Compose, build_augmentation
from ssl_ecg_hf.training.losses import LOSSES
from ssl_ecg_hf.training.sampling import SAMPLERS


def resolve_augmentation(choice: str | dict[str, Any] | None) -> Compose:
    """Return the augmentation that a preset's name, a mapping or its JSON text describes.

    Args:
        choice: key of `PRESETS`, perhaps less one of its transforms (`"default without lead_mask"`),
            `{"time_out": {"p": 0.5}, ...}`, JSON text of such a mapping, or None.

    Raises:
        ValueError: if it is none of these.
    """
    if choice is None or choice == "none":
        return build_augmentation({})
    if isinstance(choice, str) and choice.lstrip().startswith("{"):
        choice = parse_mapping(choice, what="augmentations", expected="JSON text {name: parameters}")
    if isinstance(choice, str):
        name, _, left_out = choice.partition(" without ")
        if name not in PRESETS:
            raise ValueError(
                f"unknown augmentation preset {name!r}; known are {sorted(PRESETS)}, or a mapping"
            )
        preset = PRESETS[name]
        if left_out and left_out not in preset:
            raise ValueError(f"preset {name!r} has no {left_out!r} to leave out; it has {sorted(preset)}")
        return build_augmentation({key: value for key, value in preset.items() if key != left_out})
    return build_augmentation(choice or {})


@dataclass
class SslEcgOptions:
    """What `SslEcgTrainer` can be told beyond `TrainingArguments`; the defaults go with plain ones."""

    augmentations: str | None = field(
        default=None,
        metadata={
            "help": "Preset, 'PRESET without TRANSFORM', or JSON {name: parameters}. Default: "
            "in pretraining what the objective is made for ('default'; none for clocs and "
            "masked_reconstruction), else none."
        },
    )
    num_views: int | None = field(
        default=None,
        metadata={"help": "Augmented views per recording in pretraining. Default: what the objective needs."},
    )
    encoder_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Learning rate of the encoder where it differs from that of the head."},
    )
    freeze_encoder: bool = field(
        default=False, metadata={"help": "Train the head alone; BatchNorm statistics stay as they are."}
    )
    classification_loss: str = field(default="bce", metadata={"help": f"One of {sorted(LOSSES)}."})
    sampler: str = field(default="standard", metadata={"help": f"One of {sorted(SAMPLERS)}."})
    sync_batch_norm: bool = field(
        default=False,
        metadata={"help": "Share BatchNorm statistics between processes (accelerators only)."},
    )
    keep_data_on_device: bool = field(
        default=False,
        metadata={
            "help": "Copy the training signals to the accelerator once (2 bytes a sample: 399 MiB for PTB-XL "
            "at 100 Hz) in place of every batch; each process holds all of them."
        },
    )
    keep_freed_memory: bool = field(
        default=True,
        metadata={"help": "On the CPU, reuse the memory of freed tensors (Linux with glibc)."},
    )
    probe_every: int = field(
        default=5, metadata={"help": "In pretraining: kNN probe at every n-th evaluation; 0 = never."}
    )


@dataclass
class SslEcgTrainingArguments(SslEcgOptions, TrainingArguments):
    """`TrainingArguments` with what is particular to recordings; every field has a command-line flag."""

    def __post_init__(self) -> None:
        if isinstance(self.augmentations, dict):
            self.augmentations = json.dumps(self.augmentations)
        # Transformers refuses bf16 on a machine without an accelerator unless the CPU is asked for by name.
        if self.bf16 and not torch.accelerator.is_available():
            self.use_cpu = True
        super().__post_init__()
        resolve_augmentation(self.augmentations)
        if self.num_views is not None and self.num_views < 1:
            raise ValueError(f"num_views must be positive; got {self.num_views}")
        for name, known in (("classification_loss", LOSSES), ("sampler", SAMPLERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; known are {sorted(known)}")
