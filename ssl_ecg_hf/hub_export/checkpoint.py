"""What a checkpoint folder holds: which of the model classes, and which Auto classes shall load it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ssl_ecg_hf.evaluation.loading import load_config, load_reported
from ssl_ecg_hf.hub_export.manifest import ExportError
from ssl_ecg_hf.modeling import (
    OBJECTIVES,
    SslEcgConfig,
    SslEcgForPreTraining,
    SslEcgForSequenceClassification,
    SslEcgModel,
)
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

PIPELINE_TASK = "ecg-classification"

Kind = Literal["classifier", "pretraining", "encoder"]

_CLASSES: list[type[SslEcgPreTrainedModel]] = [
    SslEcgModel,
    SslEcgForSequenceClassification,
    *OBJECTIVES.values(),
]
MODEL_CLASSES: dict[str, type[SslEcgPreTrainedModel]] = {cls.__name__: cls for cls in _CLASSES}


def load_source(checkpoint: Path) -> SslEcgPreTrainedModel:
    """Load a checkpoint as the class that it was saved from, in float32 and evaluation mode.

    Raises:
        ExportError: if the folder names no class of this package, or its weights do not fit that class.
        ValueError: if the folder is incomplete or damaged.
    """
    if not (checkpoint / "config.json").is_file():
        raise ExportError(
            f"{checkpoint.name} has no config.json; expected a folder written by save_pretrained"
        )
    architectures = load_config(checkpoint).architectures or []
    if len(architectures) != 1 or architectures[0] not in MODEL_CLASSES:
        raise ExportError(
            f"config.json of {checkpoint.name} names the architectures {architectures}; expected one of "
            f"{sorted(MODEL_CLASSES)}, as save_pretrained writes it"
        )
    model, info = load_reported(MODEL_CLASSES[architectures[0]], checkpoint, dtype="float32")
    if problems := {name: keys for name, keys in info.items() if keys}:
        raise ExportError(f"the weights in {checkpoint.name} do not fit {architectures[0]}: {problems}")
    return model.eval()


def kind_of(model: SslEcgPreTrainedModel) -> Kind:
    """Return what the checkpoint is to its reader."""
    if isinstance(model, SslEcgForSequenceClassification):
        return "classifier"
    return "pretraining" if isinstance(model, SslEcgForPreTraining) else "encoder"


def auto_map(model: SslEcgPreTrainedModel) -> dict[str, str]:
    """Return the Auto classes that load an export of ``model``, each with its ``module.Class``.

    Example:
        >>> auto_map(SslEcgModel(SslEcgConfig()))["AutoModel"]
        'modeling_ssl_ecg.SslEcgModel'
    """
    own, encoder = _reference(type(model)), _reference(SslEcgModel)
    models: dict[Kind, dict[str, str]] = {
        "classifier": {"AutoModel": own},
        "pretraining": {"AutoModel": encoder, "AutoModelForPreTraining": own},
        "encoder": {"AutoModel": encoder},
    }
    return {
        "AutoConfig": _reference(SslEcgConfig),
        **models[kind_of(model)],
        # For an encoder this is how fine-tuning begins: its classification layer is new.
        "AutoModelForSequenceClassification": _reference(SslEcgForSequenceClassification),
    }


def load_feature_extractor(checkpoint: Path, config: SslEcgConfig) -> SslEcgFeatureExtractor:
    """Load the feature extractor of a checkpoint, or build it from the configuration where there is none.

    Raises:
        ExportError: if the two disagree on leads, sampling rate or length.
    """
    built = SslEcgFeatureExtractor.for_model(config)
    if not (checkpoint / "preprocessor_config.json").is_file():
        return built
    saved = SslEcgFeatureExtractor.from_pretrained(checkpoint)
    for name in ("leads", "sampling_rate", "num_samples"):
        ours, theirs = getattr(built, name), getattr(saved, name)
        if ours != theirs:
            raise ExportError(
                f"{checkpoint.name}: {name} is {theirs} in preprocessor_config.json, {ours} in config.json; "
                "they must agree, remove the wrong file"
            )
    return saved


def feature_extractor_auto_map() -> dict[str, str]:
    """Return the ``auto_map`` of ``preprocessor_config.json``."""
    return {"AutoFeatureExtractor": _reference(SslEcgFeatureExtractor)}


def _reference(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
