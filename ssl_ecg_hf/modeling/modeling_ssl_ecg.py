"""The encoder as a Transformers model, and the classifier built on it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_ssl_ecg import SslEcgConfig
from .encoder_base import Encoder
from .encoder_cnn import CnnEncoder

ENCODERS: dict[str, type[Encoder]] = {"cnn": CnnEncoder}


def checked_options(field: str, given: Mapping[str, Any] | None, target: type) -> dict[str, Any]:
    """Return the options that a configuration holds for a class.

    Args:
        field: their name in the configuration, for the message.
        given: the options.
        target: the class that takes them as keyword-only arguments.

    Raises:
        ValueError: if the class does not know one of them.
    """
    parameters = inspect.signature(target).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown := sorted(set(given or {}) - set(known)):
        raise ValueError(f"{field} has no option {unknown} for {target.__name__}; it has {known}")
    return dict(given or {})


def build_encoder(config: SslEcgConfig) -> Encoder:
    """Return a new encoder as the configuration describes it.

    Raises:
        ValueError: for an unknown `encoder_type` or option.
    """
    if config.encoder_type not in ENCODERS:
        raise ValueError(f"unknown encoder_type {config.encoder_type!r}; known are {sorted(ENCODERS)}")
    encoder = ENCODERS[config.encoder_type]
    return encoder(config.num_leads, **checked_options("encoder_options", config.encoder_options, encoder))


def normalize(signal: Tensor, config: SslEcgConfig) -> Tensor:
    """Normalise signals as the configuration says.

    Args:
        signal: (batch, leads, samples) in mV.
        config: its `normalization` and `normalization_scale`.

    Returns:
        (batch, leads, samples): mV / scale for `"fixed"`, zero mean and unit variance of each lead of each
        recording for `"zscore"` (a flat lead becomes zero).
    """
    if config.normalization == "fixed":
        return signal / config.normalization_scale
    centred = signal - signal.mean(dim=-1, keepdim=True)
    deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return centred / deviation.clamp_min(1e-3)


def pool(hidden: Tensor, how: str = "mean") -> Tensor:
    """Summarise a sequence over its frames, in float32.

    A sequence that lies channels-last in memory gets its gradient in the same layout: in another one the
    backward pass of the encoder's last layer would walk through memory with large steps.

    Args:
        hidden: (batch, channels, frames).
        how: `"mean"`, or `"mean_std"` for the mean followed by the standard deviation (statistics pooling,
            Snyder et al. 2018).

    Returns:
        (batch, channels), or (batch, 2 * channels).
    """
    values, frames = (hidden.transpose(1, 2), 1) if hidden.stride(1) == 1 else (hidden, 2)
    values = values.float()
    mean = values.mean(dim=frames)
    if how == "mean":
        return mean
    deviation = (values.var(dim=frames, correction=0) + 1e-5).sqrt()
    return torch.cat([mean, deviation], dim=1)


def projection_head(in_size: int, hidden_size: int, out_size: int, *, layers: int = 2) -> nn.Sequential:
    """Return `layers` - 1 blocks Linear-BatchNorm-ReLU and a last Linear."""
    modules: list[nn.Module] = []
    size = in_size
    for _ in range(layers - 1):
        modules += [nn.Linear(size, hidden_size, bias=False), nn.BatchNorm1d(hidden_size), nn.ReLU()]
        size = hidden_size
    return nn.Sequential(*modules, nn.Linear(size, out_size))


def over_views(head: nn.Module, values: Tensor) -> Tensor:
    """Apply a head to (batch, num_views, size), views as if they were further recordings."""
    return head(values.flatten(0, 1)).unflatten(0, values.shape[:2])


@dataclass
class SslEcgModelOutput(ModelOutput):
    """Output of [`SslEcgModel`].

    Args:
        last_hidden_state: (batch, channels, frames).
        pooler_output: (batch, embedding_size), the sequence pooled over frames: the embedding.
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None


@dataclass
class SslEcgClassifierOutput(ModelOutput):
    """Output of [`SslEcgForSequenceClassification`].

    Args:
        loss: scalar, when labels were given.
        logits: (batch, labels); take `sigmoid()` for multi-label, `softmax(-1)` for single-label models.
        pooler_output: (batch, embedding_size), the embedding of the recording.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    pooler_output: Tensor | None = None


@dataclass
class SslEcgForPreTrainingOutput(ModelOutput):
    """Output of the pretraining classes.

    Args:
        loss: scalar objective.
        projections: (batch, views, size), what the objective compares.
        pooler_output: (batch, views, embedding_size), the embeddings under the head.
    """

    loss: Tensor | None = None
    projections: Tensor | None = None
    pooler_output: Tensor | None = None


class SslEcgPreTrainedModel(PreTrainedModel):
    """Base of all SslEcg classes: every one keeps its encoder as `self.encoder`."""

    config_class = SslEcgConfig
    base_model_prefix = "ssl_ecg"
    main_input_name = "input_values"
    accepts_loss_kwargs = False
    # Heads of other classes may stand in a checkpoint; a missing key is never ignored.
    _keys_to_ignore_on_load_unexpected = [  # noqa: RUF012
        r"^classifier\.",
        r"^projector\.",
        r"^predictor\.",
        r"^target_",
        r"^num_target_updates$",
    ]

    encoder: Encoder

    @property
    def embedding_size(self) -> int:
        """Numbers in the embedding of a recording."""
        return self.encoder.output_size * (1 if self.config.pooling == "mean" else 2)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Conv1d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if module.bias is not None:
                init.zeros_(module.bias)

    def prepare(self, input_values: Tensor, lead_mask: Tensor | None = None) -> Tensor:
        """Check, normalise and mask signals: what the encoder sees.

        Args:
            input_values: (batch, leads, samples) in mV, leads and sampling rate as in the configuration.
            lead_mask: (batch, leads), true where a lead is present; absent leads become zero.

        Returns:
            (batch, leads, samples), normalised.

        Raises:
            ValueError: if the shape does not fit the configuration.
        """
        if input_values.dim() != 3 or input_values.shape[1] != self.config.num_leads:
            raise ValueError(
                f"input_values has shape {tuple(input_values.shape)}; expected (batch, "
                f"{self.config.num_leads} leads, samples). Use the feature extractor to bring a recording "
                f"into the order {list(self.config.leads)} at {self.config.sampling_rate} Hz"
            )
        signal = normalize(input_values, self.config)
        if lead_mask is not None:
            signal = signal * lead_mask.unsqueeze(-1).to(signal.dtype)
        return signal

    def embed(self, input_values: Tensor, lead_mask: Tensor | None = None) -> Tensor:
        """Embed recordings.

        Args:
            input_values: (batch, leads, samples) in mV.
            lead_mask: (batch, leads), true where a lead is present.

        Returns:
            (batch, embedding_size) in float32.
        """
        return pool(self.encoder(self.prepare(input_values, lead_mask)), self.config.pooling)


class SslEcgModel(SslEcgPreTrainedModel):
    """The bare encoder: recordings to embeddings.

    Example:
        >>> model = SslEcgModel(SslEcgConfig()).eval()
        >>> model(torch.zeros(2, 12, 1000)).pooler_output.shape
        torch.Size([2, 256])
    """

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        self.encoder = build_encoder(config)
        self.post_init()

    def forward(self, input_values: Tensor, lead_mask: Tensor | None = None) -> SslEcgModelOutput:
        """Encode recordings.

        Args:
            input_values: (batch, leads, samples) in mV.
            lead_mask: (batch, leads), true where a lead is present.

        Returns:
            `last_hidden_state` (batch, channels, frames) and `pooler_output` (batch, embedding_size).
        """
        hidden = self.encoder(self.prepare(input_values, lead_mask))
        return SslEcgModelOutput(last_hidden_state=hidden, pooler_output=pool(hidden, self.config.pooling))


class SslEcgForPreTraining(SslEcgPreTrainedModel):
    """Base of the self-supervised classes: an encoder, the heads of one objective, a loss over views.

    `forward(views, return_loss=True)` takes `views` of shape (batch, num_views, leads, samples) in mV.
    """

    main_input_name = "views"

    @property
    def wanted_columns(self) -> dict[str, str]:
        """Arguments of `forward` beyond the views, and the integer columns of a dataset that fill them.

        By default none. The Trainer of this package delivers each as an int64 tensor whose first axis is the
        batch, a missing value as a negative number.
        """
        return {}

    def view_groups(self, views: Tensor, *, separate: bool) -> list[Tensor]:
        """Divide views into those that pass through the network together and share batch statistics.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            separate: whether each view is a group of its own; else all are one.

        Returns:
            tensors (batch, views of the group, leads, samples).

        Raises:
            ValueError: if `views` is not 4-D or holds fewer than two views.
        """
        if views.dim() != 4 or views.shape[1] < 2:
            raise ValueError(
                f"views has shape {tuple(views.shape)}; expected (batch, num_views >= 2, leads, samples)"
            )
        return list(views.split(1, dim=1)) if separate else [views]

    def embed_views(self, views: Tensor, encoder: Encoder) -> Tensor:
        """Embed a group of views in one pass.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            encoder: the online or the target encoder.

        Returns:
            (batch, num_views, embedding_size) in float32.
        """
        hidden = encoder(self.prepare(views.flatten(0, 1)))
        return pool(hidden, self.config.pooling).unflatten(0, views.shape[:2])

    def after_optimizer_step(self, progress: float) -> None:
        """Do what the objective does between optimizer steps; by default nothing.

        Args:
            progress: fraction of training done, in [0, 1].
        """


def classification_loss(logits: Tensor, labels: Tensor, problem_type: str | None) -> Tensor:
    """Return the cross-entropy of a single-label problem, else the mean binary cross-entropy of all labels.

    Args:
        logits: (batch, labels).
        labels: (batch,) class indices, or (batch, labels) multi-hot.
        problem_type: of the configuration.
    """
    if problem_type == "single_label_classification":
        return F.cross_entropy(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


class SslEcgForSequenceClassification(SslEcgPreTrainedModel):
    """Encoder and a linear classification layer over the embedding.

    `config.problem_type` is `"multi_label_classification"` (binary cross-entropy, labels multi-hot) or
    `"single_label_classification"` (cross-entropy, labels class indices).

    Example:
        >>> config = SslEcgConfig(num_labels=5, problem_type="multi_label_classification")
        >>> model = SslEcgForSequenceClassification(config).eval()
        >>> model(torch.zeros(2, 12, 1000))["logits"].shape
        torch.Size([2, 5])
    """

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        self.encoder = build_encoder(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(self.embedding_size, config.num_labels)
        self.encoder_frozen = False
        self.post_init()

    def freeze_encoder(self) -> None:
        """Train the classification layer alone: no gradient, no drift of BatchNorm statistics below it."""
        self.encoder.requires_grad_(False)
        self.encoder_frozen = True
        self.encoder.eval()

    def train(self, mode: bool = True) -> SslEcgForSequenceClassification:
        """Set training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.encoder_frozen:
            self.encoder.eval()
        return self

    def forward(
        self, input_values: Tensor, lead_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> SslEcgClassifierOutput:
        """Classify recordings.

        Args:
            input_values: (batch, leads, samples) in mV.
            lead_mask: (batch, leads), true where a lead is present.
            labels: (batch, labels) multi-hot, or (batch,) class indices for a single-label model.

        Returns:
            `logits` (batch, labels), `pooler_output` (batch, embedding_size) and, with labels, `loss`.
        """
        pooled = self.embed(input_values, lead_mask)
        logits = self.classifier(self.dropout(pooled).to(self.classifier.weight.dtype)).float()
        loss = None if labels is None else classification_loss(logits, labels, self.config.problem_type)
        return SslEcgClassifierOutput(loss=loss, logits=logits, pooler_output=pooled)


__all__ = [
    "ENCODERS",
    "SslEcgClassifierOutput",
    "SslEcgForPreTraining",
    "SslEcgForPreTrainingOutput",
    "SslEcgForSequenceClassification",
    "SslEcgModel",
    "SslEcgModelOutput",
    "SslEcgPreTrainedModel",
]
