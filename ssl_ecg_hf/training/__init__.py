"""Augmentations, the Trainer, pretraining and fine-tuning."""

from ssl_ecg_hf.training.arguments import SslEcgTrainingArguments
from ssl_ecg_hf.training.augmentations import AUGMENTATIONS, PRESETS, build_augmentation
from ssl_ecg_hf.training.probe import fit_probe
from ssl_ecg_hf.training.trainer import SslEcgTrainer

__all__ = [
    "AUGMENTATIONS",
    "PRESETS",
    "SslEcgTrainer",
    "SslEcgTrainingArguments",
    "build_augmentation",
    "fit_probe",
]
