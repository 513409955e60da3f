"""Configuration shared by every SslEcg model class."""

# No `from __future__ import annotations` here: `strict` does not check fields whose annotation is text.
import warnings
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
PROBLEM_TYPES = ("multi_label_classification", "single_label_classification")


@strict
class SslEcgConfig(PreTrainedConfig):
    r"""
    What a checkpoint knows about its input, its encoder and its heads.

    Args:
        leads (`list[str]`, defaults to the 12 standard leads):
            Lead names in the order of the rows of `input_values`.
        sampling_rate (`float`, defaults to 100):
            Samples per second (Hz) that the weights were trained on.
        num_samples (`int`, defaults to 1000):
            Length of the window (samples). A longer recording is seen through windows of this length: a
            random one in training, all of them, averaged, in evaluation and by the pipeline. A shorter one is
            padded with zeros on the right, in training as in evaluation and by the feature extractor; the
            encoders take any length.
        normalization (`"fixed"` or `"zscore"`, defaults to `"fixed"`):
            Applied inside the model. `"fixed"` divides millivolts by `normalization_scale` and so keeps
            voltage, which is diagnostic; `"zscore"` standardises each lead of each recording.
        normalization_scale (`float`, defaults to 1.0):
            Divisor of the `"fixed"` normalisation in mV.
        encoder_type (`str`, defaults to `"cnn"`):
            Key of `ENCODERS` in `modeling_ssl_ecg.py`.
        encoder_options (`dict`, *optional*):
            Keyword arguments of that encoder's class.
        input_domain (`"time"` or `"frequency"`, defaults to `"time"`):
            What the encoder sees of each lead: its samples, or the magnitudes of its Fourier transform
            (`num_samples // 2 + 1` of them, 0 Hz first). Computed inside the model, so it travels with the
            weights.
        pooling (`"mean"`, `"mean_std"` or `"attention"`, defaults to `"mean"`):
            How the encoder's frames become the embedding: their mean, mean and standard deviation, or a mean
            with learnt weights.
        objective_options (`dict`, *optional*):
            Fields of the pretraining objective's options, e.g. `{"temperature": 0.1}` for SimCLR.
        classifier_head (`"linear"`, `"mlp"` or `"fcn"`, defaults to `"linear"`):
            A linear layer or a network with one hidden layer over the embedding, or a fully convolutional
            network over the encoder's frames.
        classifier_hidden_size (`int`, defaults to 128):
            Width of the hidden layers of the `"mlp"` and `"fcn"` heads.
        classifier_dropout (`float`, defaults to 0.0):
            Dropout probability before the last layer of the head.
        problem_type (`str`, *optional*):
            `"multi_label_classification"` (also where it is None): every label has a probability of its own;
            `"single_label_classification"`: the labels share one.
        thresholds (`list[float]`, *optional*):
            One decision threshold per label in [0, 1], fixed on validation data. They belong to the labels:
            [`from_dict`], and with it every `from_pretrained`, drops those of a checkpoint, with a warning,
            where the labels are overridden.

    Example:
        >>> SslEcgConfig(sampling_rate=500, num_samples=5000).num_leads
        12
    """

    model_type = "ssl_ecg"
    keys_to_ignore_at_inference = ["pooler_output"]  # noqa: RUF012  (by Transformers' Trainer: logits alone)

    leads: list[str] | tuple[str, ...] = STANDARD_LEADS
    sampling_rate: float | int = 100
    num_samples: int = 1000
    normalization: Literal["fixed", "zscore"] = "fixed"
    normalization_scale: float | int = 1.0
    encoder_type: str = "cnn"
    encoder_options: dict[str, Any] | None = None
    input_domain: Literal["time", "frequency"] = "time"
    pooling: Literal["mean", "mean_std", "attention"] = "mean"
    objective_options: dict[str, Any] | None = None
    classifier_head: Literal["linear", "mlp", "fcn"] = "linear"
    classifier_hidden_size: int = 128
    classifier_dropout: float | int = 0.0
    thresholds: list[float] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.leads = list(self.leads)
        self.encoder_options = dict(self.encoder_options or {})
        self.objective_options = dict(self.objective_options or {})
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a configuration, as Transformers does; stored thresholds stay with the labels they are for.

        Args:
            config_dict: content of `config.json`.
            kwargs: fields that change, and `return_unused_kwargs`.

        Returns:
            the configuration, and with `return_unused_kwargs` those of the fields that it does not have.
        """
        thresholds = config_dict.get("thresholds")
        if thresholds is None:
            return super().from_dict(config_dict, **kwargs)
        stored = cls(**config_dict)
        result = super().from_dict({**config_dict, "thresholds": None}, **kwargs)
        config = result[0] if kwargs.get("return_unused_kwargs") else result
        if "thresholds" not in kwargs:
            if {int(index): name for index, name in config.id2label.items()} == stored.id2label:
                config.thresholds = stored.thresholds
            else:
                warnings.warn(
                    f"the thresholds {thresholds} were fixed for the labels "
                    f"{list(stored.id2label.values())}, not for {list(config.id2label.values())}: they are "
                    "dropped; fix others on validation data, or state thresholds=None",
                    stacklevel=2,
                )
        return result

    @property
    def num_leads(self) -> int:
        """Number of rows of `input_values`."""
        return len(self.leads)

    def validate_leads(self) -> None:
        """Lead names must be present and distinct."""
        upper = [name.upper() for name in self.leads]
        if not upper or len(set(upper)) != len(upper):
            raise ValueError(f"leads must be distinct names, at least one; got {self.leads}")

    def validate_positive(self) -> None:
        """Rate, length, scale and width must be positive."""
        for name in ("sampling_rate", "num_samples", "normalization_scale", "classifier_hidden_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")

    def validate_problem_type(self) -> None:
        """The losses are those of classification."""
        if self.problem_type not in (None, *PROBLEM_TYPES):
            raise ValueError(
                f"problem_type must be one of {list(PROBLEM_TYPES)} or None (several labels, too); got "
                f"{self.problem_type!r}, for which there is no loss here"
            )

    def validate_thresholds(self) -> None:
        """One threshold in [0, 1] per label."""
        if self.thresholds is None:
            return
        if len(self.thresholds) != self.num_labels or not all(0 <= t <= 1 for t in self.thresholds):
            raise ValueError(
                f"thresholds must hold {self.num_labels} numbers in [0, 1], one per label; "
                f"got {self.thresholds}"
            )


__all__ = ["STANDARD_LEADS", "SslEcgConfig"]
