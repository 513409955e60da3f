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

from .classification_heads import HEADS, ClassificationHead
from .configuration_ssl_ecg import SslEcgConfig
from .encoder_base import Encoder, in_precision_of
from .encoder_cnn import CnnEncoder
from .encoder_cnn_attention_lstm import CnnAttentionLstmEncoder
from .encoder_cnn_lstm import CnnLstmEncoder
from .encoder_cnn_transformer import CnnTransformerEncoder
from .encoder_dilated_cnn import DilatedCnnEncoder
from .encoder_layers import UnnormalizedConv, ZeroStartBatchNorm
from .encoder_resnet1d import ResNet1dEncoder
from .encoder_xresnet1d import XResNet1dEncoder
from .pooling_ssl_ecg import POOLINGS, AttentionPooling, Pooling

SMALLEST_DEVIATION = 1e-3  # mV; a lead that varies less is flat

ENCODERS: dict[str, type[Encoder]] = {
    "cnn": CnnEncoder,
    "cnn_attention_lstm": CnnAttentionLstmEncoder,
    "cnn_lstm": CnnLstmEncoder,
    "cnn_transformer": CnnTransformerEncoder,
    "dilated_cnn": DilatedCnnEncoder,
    "resnet1d": ResNet1dEncoder,
    "xresnet1d": XResNet1dEncoder,
}


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
        raise ValueError(
            f"{field} has no option {unknown} for {target.__name__}; it has {known}. Options of a checkpoint "
            f"of another class are replaced by from_pretrained(..., {field}={{}})"
        )
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
        recording for `"zscore"` (a flat lead becomes zero, and no gradient reaches it).
    """
    if config.normalization == "fixed":
        return signal / config.normalization_scale
    centred = signal - signal.mean(dim=-1, keepdim=True)
    # The lower limit, well below that of the deviation, is for the gradient: a root has none at 0.
    deviation = centred.square().mean(dim=-1, keepdim=True).clamp_min(SMALLEST_DEVIATION**2 / 10).sqrt()
    normalized = centred / deviation.clamp_min(SMALLEST_DEVIATION)
    return torch.where(deviation < SMALLEST_DEVIATION, normalized.detach(), normalized)


def spectrum(signal: Tensor) -> Tensor:
    """Return the magnitudes of the discrete Fourier transform of each lead.

    Args:
        signal: (batch, leads, samples).

    Returns:
        (batch, leads, samples // 2 + 1) in float32, 0 Hz first, in the unit of the signal: a sine of
        amplitude a is a line of height a. The first line is therefore twice the mean, and of an even number
        of samples the last one, half the sampling rate, twice the amplitude.

    Example:
        >>> wave = (2 * torch.pi * 3 * torch.arange(100) / 100).sin()
        >>> spectrum(wave.view(1, 1, 100))[0, 0, 2:5].round(decimals=3).tolist()
        [0.0, 1.0, 0.0]
    """
    with torch.autocast(signal.device.type, enabled=False):
        return torch.fft.rfft(signal.float(), norm="forward").abs() * 2


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


class SslEcgPreTrainedModel(PreTrainedModel):
    """Base of all SslEcg classes: each has its encoder as `self.encoder`, and `self.pooling` above it."""

    config_class = SslEcgConfig
    base_model_prefix = "ssl_ecg"
    main_input_name = "input_values"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    # Heads of other classes may stand in a checkpoint; a missing key is never ignored.
    _keys_to_ignore_on_load_unexpected = [  # noqa: RUF012
        r"^classifier\.",
        r"^pooling\.",
        r"^decoder\.",
        r"^projector\.",
        r"^predictor\.",
        r"^target_",
        r"^num_target_updates$",
    ]

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        config.validate()  # Transformers does not look at fields that changed later
        self.encoder: Encoder = build_encoder(config)
        self.pooling: Pooling = POOLINGS[config.pooling](self.encoder.output_size)

    @property
    def embedding_size(self) -> int:
        """Numbers in the embedding of a recording."""
        return self.pooling.output_size

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, (nn.Linear, UnnormalizedConv)):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Conv1d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, ZeroStartBatchNorm):
            init.zeros_(module.weight)
        elif isinstance(module, AttentionPooling):
            init.zeros_(module.query)

    def prepare(self, input_values: Tensor, lead_mask: Tensor | None = None) -> Tensor:
        """Check, mask and normalise signals, and take their spectrum if asked for: what the encoder sees.

        Args:
            input_values: (batch, leads, samples) in mV, leads and sampling rate as in the configuration.
            lead_mask: (batch, leads), true where a lead is present; absent leads become zero, whatever stands
                in them.

        Returns:
            (batch, leads, samples), normalised, or (batch, leads, frequencies), in the precision of the
            encoder's weights.

        Raises:
            ValueError: if the shape does not fit the configuration.
        """
        if input_values.dim() != 3 or input_values.shape[1] != self.config.num_leads:
            raise ValueError(
                f"input_values has shape {tuple(input_values.shape)}; expected (batch, "
                f"{self.config.num_leads} leads, samples). Use the feature extractor to bring a recording "
                f"into the order {list(self.config.leads)} at {self.config.sampling_rate} Hz"
            )
        signal = input_values
        if lead_mask is not None:
            signal = signal.masked_fill(~lead_mask.bool().unsqueeze(-1), 0.0)
        signal = normalize(signal, self.config)
        if self.config.input_domain == "frequency":
            signal = spectrum(signal)
        return in_precision_of(self.encoder, signal)

    def embed(self, input_values: Tensor, lead_mask: Tensor | None = None) -> Tensor:
        """Embed recordings.

        Args:
            input_values: (batch, leads, samples) in mV.
            lead_mask: (batch, leads), true where a lead is present.

        Returns:
            (batch, embedding_size) in float32.
        """
        return self.pooling(self.encoder(self.prepare(input_values, lead_mask)))


class SslEcgModel(SslEcgPreTrainedModel):
    """The bare encoder: recordings to embeddings.

    Example:
        >>> model = SslEcgModel(SslEcgConfig()).eval()
        >>> model(torch.zeros(2, 12, 1000)).pooler_output.shape
        torch.Size([2, 256])
    """

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
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
        return SslEcgModelOutput(last_hidden_state=hidden, pooler_output=self.pooling(hidden))


def classification_loss(logits: Tensor, labels: Tensor, problem_type: str | None) -> Tensor:
    """Return the cross-entropy of a single-label problem, else the mean binary cross-entropy of all labels.

    Args:
        logits: (batch, labels).
        labels: (batch,) class indices, integers of any width, or (batch, labels) multi-hot.
        problem_type: of the configuration.

    Raises:
        ValueError: if a single-label problem is given other than one class index a recording, or any other
            one other than a number for each label.
    """
    if problem_type == "single_label_classification":
        if labels.dim() != 1 or labels.is_floating_point():
            raise ValueError(
                f"labels is {labels.dtype} of shape {tuple(labels.shape)}; a single-label model needs one "
                "class index a recording, integers of shape (batch,): for multi-hot labels set "
                "problem_type to 'multi_label_classification'"
            )
        return F.cross_entropy(logits, labels.long())
    if labels.shape != logits.shape:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}, and problem_type is {problem_type!r}; expected "
            f"multi-hot labels of shape {tuple(logits.shape)}: for one class index a recording set "
            "problem_type to 'single_label_classification'"
        )
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


class SslEcgForSequenceClassification(SslEcgPreTrainedModel):
    """Encoder and a classification head: by default one linear layer over the embedding.

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
        self.classifier: ClassificationHead = self.new_head()
        self.encoder_frozen = False
        self.pooling.requires_grad_(not self.classifier.takes_frames)
        self.post_init()

    def new_head(self) -> ClassificationHead:
        """Return a head with random weights, as the configuration describes it."""
        head = HEADS[self.config.classifier_head]
        return head(self.encoder.output_size if head.takes_frames else self.embedding_size, self.config)

    def freeze_encoder(self) -> None:
        """Train what stands on the encoder alone: no gradient in it, no drift of its BatchNorm statistics."""
        self.encoder.requires_grad_(False)
        self.encoder_frozen = True
        self.encoder.eval()

    def train(self, mode: bool = True) -> SslEcgForSequenceClassification:
        """Set training mode; a frozen encoder stays in evaluation mode.

        The loss does not reach the pooling past a head that takes frames: it asks for no gradient
        (`from_pretrained` would turn it on).
        """
        super().train(mode)
        if self.encoder_frozen:
            self.encoder.eval()
        if self.classifier.takes_frames:
            self.pooling.requires_grad_(False)
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
        hidden = self.encoder(self.prepare(input_values, lead_mask))
        pooled = self.pooling(hidden)
        logits = self.classifier(hidden if self.classifier.takes_frames else pooled)
        loss = None if labels is None else classification_loss(logits, labels, self.config.problem_type)
        return SslEcgClassifierOutput(loss=loss, logits=logits, pooler_output=pooled)


__all__ = [
    "ENCODERS",
    "SslEcgClassifierOutput",
    "SslEcgForSequenceClassification",
    "SslEcgModel",
    "SslEcgModelOutput",
    "SslEcgPreTrainedModel",
]
