"""The models that are measured and one bare training step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.compiled import compile_model
from ssl_ecg_hf.data import SUPERCLASSES
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.modeling.encoder_cnn import CnnEncoder


class Conv1dEncoder(CnnEncoder):
    """The same CNN, always as one-dimensional convolutions: what most ECG projects write."""

    def forward(self, signal: Tensor) -> Tensor:
        """Map (batch, leads, samples) to (batch, channels, frames)."""
        for block in self.blocks:
            signal = block(signal)
        return signal


def _to_conv1d(model: Any) -> None:
    encoder = Conv1dEncoder(model.config.num_leads)
    encoder.load_state_dict(model.encoder.state_dict())
    model.encoder = encoder


def simclr(device: torch.device, *, conv1d: bool = False) -> SslEcgForSimCLR:
    """Return a SimCLR model with the default encoder in training mode."""
    torch.manual_seed(0)
    model = SslEcgForSimCLR(SslEcgConfig())
    if conv1d:
        _to_conv1d(model)
    return model.to(device).train()


def classifier(device: torch.device, *, conv1d: bool = False) -> SslEcgForSequenceClassification:
    """Return a classifier of the five superclasses with the default encoder in evaluation mode."""
    torch.manual_seed(0)
    config = SslEcgConfig(num_labels=len(SUPERCLASSES), problem_type="multi_label_classification")
    model = SslEcgForSequenceClassification(config)
    if conv1d:
        _to_conv1d(model)
    return model.to(device).eval()


class BareStep:
    """Forward, backward and optimizer step on views that are already there.

    Args:
        views: (batch, 2, leads, samples) in mV.
        bfloat16: whether the forward pass runs under autocast, as it does in the Trainer with ``bf16=True``;
            else float32 and one-dimensional convolutions.
        compiled: whether the model runs under ``torch.compile``.
    """

    def __init__(self, views: Tensor, *, bfloat16: bool, compiled: bool = False) -> None:
        self.views, self.bfloat16 = views, bfloat16
        self.model: Any = simclr(views.device, conv1d=not bfloat16)
        # The Trainer's default optimizer.
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)
        if compiled:
            self.model = compile_model(self.model)

    def __call__(self) -> None:
        """Do one step."""
        with torch.autocast(self.views.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            loss = self.model(self.views).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
