"""Checkpoints by folder or Hub name: loaded whole, or refused with one line that says why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers.utils import logging

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgFeatureExtractor, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

Model = TypeVar("Model", bound=SslEcgPreTrainedModel)


@contextmanager
def _explained(checkpoint: str | Path) -> Iterator[None]:
    """Turn what goes wrong while a checkpoint is fetched and read into one line."""
    is_folder = Path(checkpoint).is_dir()
    if not is_folder and not re.fullmatch(r"[\w.-]+/[\w.-]+", str(checkpoint)):
        raise ValueError(
            f"checkpoint {str(checkpoint)!r} is no folder, and no repository of the Hub (owner/name)"
        )
    if not is_folder and (place := Path(checkpoint).parent).is_dir():
        # A typing error far more likely than a repository whose owner is the name of a folder here.
        found = sorted(path.name for path in place.iterdir() if (path / "config.json").is_file())
        raise ValueError(f"checkpoint {checkpoint} does not exist; checkpoints in {place}: {found}")
    try:
        yield
    except StrictDataclassError as error:
        raise ValueError(f"configuration of {checkpoint}: {' '.join(str(error).split())}") from error
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        if is_folder:
            raise ValueError(
                f"checkpoint {checkpoint} is incomplete or damaged: {reason}; expected a folder written by "
                "ssl-ecg pretrain, finetune or export"
            ) from error
        raise ValueError(
            f"checkpoint {checkpoint} is no folder here, and it could not be fetched from the Hub: {reason}"
        ) from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep Transformers from printing what it warns of."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load_config(checkpoint: str | Path) -> SslEcgConfig:
    """Load the configuration of a checkpoint.

    Args:
        checkpoint: folder, or repository on the Hub.

    Raises:
        ValueError: if it is neither, cannot be read or fetched, or belongs to a model of another kind.
    """
    with _explained(checkpoint):
        content, _ = SslEcgConfig.get_config_dict(checkpoint)
        if not content:
            raise OSError("it has no config.json")
        kind = content.get("model_type")
        if kind == SslEcgConfig.model_type:
            return SslEcgConfig.from_pretrained(checkpoint)
    raise ValueError(f"checkpoint {checkpoint} is a model of type {kind!r}; expected 'ssl_ecg'")


def _merged(
    config: SslEcgConfig, model_class: type[SslEcgPreTrainedModel], options: dict[str, Any]
) -> dict[str, Any]:
    """Let options for an encoder or objective change those of a checkpoint, not replace all of them."""
    merged = dict(options)
    same_encoder = options.get("encoder_type", config.encoder_type) == config.encoder_type
    same_class = config.architectures == [model_class.__name__]
    for field, same in (("encoder_options", same_encoder), ("objective_options", same_class)):
        if field in options and same:
            merged[field] = {**getattr(config, field), **(options[field] or {})}
    return merged


def load_reported(
    model_class: type[Model], checkpoint: str | Path, **options: Any
) -> tuple[Model, dict[str, Any]]:
    """Load a checkpoint of any class as `model_class`, however well it fits.

    Args:
        model_class: what to load it as.
        checkpoint: folder, or repository on the Hub.
        options: of `from_pretrained`, e.g. fields of the configuration that change. `encoder_options` are
            those that change of an encoder of the same type, `objective_options` those of the same objective.

    Returns:
        the model, and which weights did not fit: `output_loading_info` of `from_pretrained`.

    Raises:
        ValueError: as of [`load_config`], or if the weights cannot be read.
    """
    options = _merged(load_config(checkpoint), model_class, options)
    with _explained(checkpoint), _without_warnings():  # the caller gets the report
        model, report = model_class.from_pretrained(
            checkpoint, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
        model.config.validate()  # Transformers does not look at the fields that change
    return model, report


def load_model(
    model_class: type[Model], checkpoint: str | Path, *, new_heads: bool = False, **options: Any
) -> Model:
    """Load a checkpoint of any class as `model_class` with its whole encoder; heads it lacks are new.

    Args:
        model_class: what to load it as.
        checkpoint: folder, or repository on the Hub.
        new_heads: whether heads of another shape are replaced, too.
        options: as of [`load_reported`].

    Raises:
        ValueError: as of [`load_reported`], or if the checkpoint lacks weights of the encoder, its weights
            have other shapes, or it has more of them.
    """
    model, report = load_reported(model_class, checkpoint, **options)
    other_shape = {key for key, *_ in report["mismatched_keys"]}
    differing = {*report["missing_keys"], *other_shape, *report["unexpected_keys"]}
    lost = {key for key in differing if key.startswith("encoder.")}
    if not new_heads:
        lost |= other_shape
    if lost:
        raise ValueError(
            f"{len(lost)} weights of {model_class.__name__}, e.g. {min(lost)}, are missing in checkpoint "
            f"{checkpoint}, have another shape there or are there alone; leave the leads and the options of "
            "its encoder and heads as they are"
        )
    return model


def load_classifier(checkpoint: str | Path) -> SslEcgForSequenceClassification:
    """Load a checkpoint that was trained to classify.

    Raises:
        ValueError: as of [`load_model`], or if the checkpoint is no classifier: its classes would be noise.
    """
    expected = SslEcgForSequenceClassification.__name__
    if (found := load_config(checkpoint).architectures) != [expected]:
        raise ValueError(
            f"checkpoint {checkpoint} is no classifier ({', '.join(found or ['no architecture stated'])}); "
            "train one from it with: ssl-ecg finetune --model CHECKPOINT"
        )
    return load_model(SslEcgForSequenceClassification, checkpoint)


def load_feature_extractor(checkpoint: str | Path) -> SslEcgFeatureExtractor:
    """Load what prepares the recordings for a checkpoint.

    Raises:
        ValueError: if it is missing or cannot be read.
    """
    with _explained(checkpoint):
        return SslEcgFeatureExtractor.from_pretrained(checkpoint)


__all__ = ["load_classifier", "load_config", "load_feature_extractor", "load_model", "load_reported"]
