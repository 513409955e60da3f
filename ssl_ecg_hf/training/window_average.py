"""A classifier that looks at long recordings through windows, for evaluation within the Trainer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ssl_ecg_hf.evaluation.inference import over_windows
from ssl_ecg_hf.modeling import SslEcgConfig
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgClassifierOutput, classification_loss


class WindowAverage(nn.Module):
    """A classifier's outputs, for recordings longer than its window averaged over windows of that length.

    Args:
        model: a classifier in evaluation mode, perhaps wrapped.
        config: its configuration.
    """

    def __init__(self, model: nn.Module, config: SslEcgConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(self, input_values: Tensor, labels: Tensor | None = None) -> Any:
        """Classify recordings, as many windows at once as there are recordings.

        Args:
            input_values: (batch, leads, samples) in mV.
            labels: as the classifier's.

        Returns:
            `logits`, `pooler_output` and, with labels, the `loss` of the averaged logits.
        """
        if input_values.shape[-1] <= self.config.num_samples:
            return self.model(input_values=input_values, labels=labels)
        both = over_windows(
            self._logits_and_embedding,
            input_values,
            length=self.config.num_samples,
            batch_size=len(input_values),
        )
        logits, pooled = both.split([self.config.num_labels, both.shape[1] - self.config.num_labels], dim=1)
        loss = None if labels is None else classification_loss(logits, labels, self.config.problem_type)
        return SslEcgClassifierOutput(loss=loss, logits=logits, pooler_output=pooled)

    def _logits_and_embedding(self, windows: Tensor, lead_mask: Tensor | None) -> Tensor:
        outputs = self.model(input_values=windows, lead_mask=lead_mask)
        return torch.cat([outputs.logits, outputs.pooler_output], dim=1)
