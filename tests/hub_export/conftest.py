from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.report import evaluate_predictions, save_metrics
from ssl_ecg_hf.hub_export import export_checkpoint
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

ENCODER = {"hidden_sizes": [8, 8], "kernel_sizes": [5, 3], "strides": [4, 4]}
LABELS = {
    "id2label": dict(enumerate(SUPERCLASSES)),
    "label2id": {name: index for index, name in enumerate(SUPERCLASSES)},
    "problem_type": "multi_label_classification",
}


@pytest.fixture(scope="session")
def save_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a small model with random weights."""

    def save(model_class: type[SslEcgPreTrainedModel], **config: Any) -> Path:
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("checkpoint") / "checkpoint-12"
        model_class(SslEcgConfig(encoder_options=ENCODER, **config)).save_pretrained(folder)
        return folder

    return save


def _predictions(first_id: int) -> Predictions:
    rng = np.random.default_rng(first_id)
    return Predictions(
        labels=rng.integers(0, 2, (40, 5)),
        logits=rng.normal(size=(40, 5)),
        record_ids=np.arange(first_id, first_id + 40),
        patient_ids=np.arange(first_id, first_id + 40),
    )


@pytest.fixture(scope="session")
def metrics_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metrics.json as the evaluation writes it."""
    path = tmp_path_factory.mktemp("metrics") / "metrics.json"
    run = {"dataset": {"name": "random numbers", "simulated": True}}
    metrics = evaluate_predictions(
        test=_predictions(0), validation=_predictions(100), class_names=SUPERCLASSES, run=run, draws=20
    )
    save_metrics(path, metrics)
    return path


@pytest.fixture(scope="session")
def classifier_checkpoint(save_checkpoint: Callable[..., Path]) -> Path:
    return save_checkpoint(SslEcgForSequenceClassification, **LABELS)


@pytest.fixture(scope="session")
def classifier_export(
    classifier_checkpoint: Path, metrics_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An exported and verified classifier; tests must not change it."""
    output = tmp_path_factory.mktemp("exports") / "ecg.classifier-v1"
    return export_checkpoint(classifier_checkpoint, output, repo_id="user/classifier", metrics=metrics_file)
