"""Random changes of batches of ECGs: ``(batch, leads, samples)`` float32 mV in, the same out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ssl_ecg_hf.modeling.configuration_ssl_ecg import STANDARD_LEADS
from ssl_ecg_hf.training.augmentations.bandpass import Bandpass
from ssl_ecg_hf.training.augmentations.base import Augmentation, Compose
from ssl_ecg_hf.training.augmentations.baseline_wander import BaselineWander
from ssl_ecg_hf.training.augmentations.electrode_noise_at_snr import ElectrodeNoiseAtSnr
from ssl_ecg_hf.training.augmentations.gaussian_noise import GaussianNoise
from ssl_ecg_hf.training.augmentations.heart_vector_rotation import HeartVectorRotation
from ssl_ecg_hf.training.augmentations.lead_mask import LeadMask
from ssl_ecg_hf.training.augmentations.mains_noise_at_snr import MainsNoiseAtSnr
from ssl_ecg_hf.training.augmentations.mixup import Mixup
from ssl_ecg_hf.training.augmentations.motion_artifact import MotionArtifact
from ssl_ecg_hf.training.augmentations.muscle_noise_at_snr import MuscleNoiseAtSnr
from ssl_ecg_hf.training.augmentations.permutation import Permutation
from ssl_ecg_hf.training.augmentations.powerline_noise import PowerlineNoise
from ssl_ecg_hf.training.augmentations.random_gain import RandomGain
from ssl_ecg_hf.training.augmentations.random_resized_crop import RandomResizedCrop
from ssl_ecg_hf.training.augmentations.sample_dropout import SampleDropout
from ssl_ecg_hf.training.augmentations.segment_cutmix import SegmentCutmix
from ssl_ecg_hf.training.augmentations.segment_warp import SegmentWarp
from ssl_ecg_hf.training.augmentations.temporal_dropout import TemporalDropout
from ssl_ecg_hf.training.augmentations.time_out import TimeOut
from ssl_ecg_hf.training.augmentations.time_warp import TimeWarp
from ssl_ecg_hf.training.augmentations.white_noise_at_snr import WhiteNoiseAtSnr

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "random_resized_crop": RandomResizedCrop,
    "time_warp": TimeWarp,
    "segment_warp": SegmentWarp,
    "permutation": Permutation,
    "time_out": TimeOut,
    "temporal_dropout": TemporalDropout,
    "sample_dropout": SampleDropout,
    "lead_mask": LeadMask,
    "random_gain": RandomGain,
    "heart_vector_rotation": HeartVectorRotation,
    "gaussian_noise": GaussianNoise,
    "baseline_wander": BaselineWander,
    "motion_artifact": MotionArtifact,
    "powerline_noise": PowerlineNoise,
    "white_noise_at_snr": WhiteNoiseAtSnr,
    "muscle_noise_at_snr": MuscleNoiseAtSnr,
    "electrode_noise_at_snr": ElectrodeNoiseAtSnr,
    "mains_noise_at_snr": MainsNoiseAtSnr,
    "bandpass": Bandpass,
    "mixup": Mixup,
    "segment_cutmix": SegmentCutmix,
}
"""Name in a recipe -> class."""

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "crop_timeout": {
        "random_resized_crop": {"scale": (0.5, 1.0)},
        "time_out": {"fraction": (0.0, 0.5)},
    },
    "default": {
        "random_resized_crop": {"scale": (0.5, 1.0)},
        "random_gain": {"gain": (0.8, 1.25)},
        "baseline_wander": {"max_amplitude": 0.1},
        "gaussian_noise": {"max_std": 0.1},
        "time_out": {"fraction": (0.0, 0.5)},
        "lead_mask": {"drop": 0.2, "p": 0.5},
    },
    "ssrl": {
        "time_warp": {"p": 0.5},
        "mixup": {"p": 0.5},
        "bandpass": {"p": 0.5},
        "segment_cutmix": {"p": 0.5},
        "motion_artifact": {"p": 0.5},
        "baseline_wander": {"p": 0.5},
        "gaussian_noise": {"p": 0.5},
        "temporal_dropout": {"p": 0.5},
    },
    "contrastive_ecg": {
        "segment_warp": {"segments": 4, "strength": 0.2, "p": 0.5},
        "permutation": {"segments": (5, 5), "p": 0.5},
        "white_noise_at_snr": {"snr": (26.0, 26.0), "p": 0.5},
        "time_out": {"fraction": (0.1, 0.1), "per_lead": True, "p": 0.5},
        "sample_dropout": {"drop": 0.1, "p": 0.5},
    },
    "3kg": {
        "heart_vector_rotation": {"max_angle": 45.0, "scale": (1.0, 1.5), "keep_residual": False},
        "time_out": {"fraction": (0.5, 0.5), "per_lead": True},
    },
    "light": {
        "random_resized_crop": {"scale": (0.8, 1.0)},
        "random_gain": {"gain": (0.9, 1.1)},
        "gaussian_noise": {"max_std": 0.02},
        "time_out": {"fraction": (0.0, 0.2), "p": 0.5},
        "lead_mask": {"drop": 0.1, "p": 0.2},
    },
}
"""Name -> recipe for ``build_augmentation``.

``crop_timeout`` is the pair that matters most, ``default`` the recipe for self-supervised pretraining,
``ssrl`` the seven augmentations of SSRL-ECG (the fifth is two here), ``light`` is for supervised fine-tuning.

``contrastive_ecg`` holds the five augmentations of Contrastive-ECG at the strength of their defaults there
(the noise is 0.05 times the standard deviation of a lead: 26 dB), one after another, each with probability
0.5; there, each of the two views always has one that is chosen by hand. ``3kg`` is 3KG: the heart vector
turned and scaled, then half of each lead masked, with angle, scale and share as in fairseq-signals.
"""


def build_augmentation(spec: Mapping[str, Mapping[str, Any]]) -> Compose:
    """Build augmentations from a plain mapping, the form they have in a YAML file.

    Args:
        spec: name -> parameters, applied in this order; ranges are pairs (lists or tuples). An empty mapping
            changes nothing.

    Returns:
        The composition, called as ``augment(signal, sampling_rate=..., generator=...)``.

    Raises:
        ValueError: if a name or parameter is unknown, or a parameter lies outside its range.

    Example:
        >>> build_augmentation({"random_gain": {"gain": [0.5, 2.0]}, "time_out": {}})
        Compose(RandomGain(p=1.0, gain=(0.5, 2.0)), TimeOut(p=1.0, fraction=(0.0, 0.5), per_lead=False))
    """
    augmentations = []
    for name, parameters in spec.items():
        if name not in AUGMENTATIONS:
            raise ValueError(f"unknown augmentation {name!r}; known are {', '.join(sorted(AUGMENTATIONS))}")
        if not isinstance(parameters, Mapping):
            raise ValueError(
                f"augmentation {name!r} has {parameters!r} instead of parameters; write {{}} for none"
            )
        known = [field.name for field in fields(AUGMENTATIONS[name])]
        if unknown := sorted(set(parameters) - set(known)):
            raise ValueError(f"augmentation {name!r} has no parameter {unknown}; it has {', '.join(known)}")
        pairs_as_tuples: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()
        }
        try:
            augmentations.append(AUGMENTATIONS[name](**pairs_as_tuples))
        except ValueError as error:
            raise ValueError(f"augmentation {name!r}: {error}") from error
    return Compose(*augmentations)


def check_lead_order(augmentation: Compose, leads: Sequence[str]) -> None:
    """Refuse transforms that would take twelve other leads for the standard ones.

    Args:
        augmentation: what is to be done to recordings.
        leads: their names, in order; of other than 12 leads these transforms ask nothing, or refuse them.

    Raises:
        ValueError: naming the transforms.
    """
    standard = [name.upper() for name in STANDARD_LEADS]
    if len(leads) != len(standard) or [name.upper() for name in leads] == standard:
        return
    names = {kind: name for name, kind in AUGMENTATIONS.items()}
    acting = [part for part in augmentation if part.needs_lead_order and part.p > 0]
    if needing := [names.get(type(part), type(part).__name__) for part in acting]:
        raise ValueError(
            f"the augmentations {needing} act through the electrodes of the standard 12 leads in the order "
            f"{', '.join(STANDARD_LEADS)}; the model has {', '.join(leads)}: leave them out, or bring the "
            "leads into that order"
        )


__all__ = [
    "AUGMENTATIONS",
    "PRESETS",
    "Augmentation",
    "Bandpass",
    "BaselineWander",
    "Compose",
    "ElectrodeNoiseAtSnr",
    "GaussianNoise",
    "HeartVectorRotation",
    "LeadMask",
    "MainsNoiseAtSnr",
    "Mixup",
    "MotionArtifact",
    "MuscleNoiseAtSnr",
    "Permutation",
    "PowerlineNoise",
    "RandomGain",
    "RandomResizedCrop",
    "SampleDropout",
    "SegmentCutmix",
    "SegmentWarp",
    "TemporalDropout",
    "TimeOut",
    "TimeWarp",
    "WhiteNoiseAtSnr",
    "build_augmentation",
    "check_lead_order",
]
