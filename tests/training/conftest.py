from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict

from ssl_ecg_hf.data import SUPERCLASSES, simulate_dataset
from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainingArguments

CONFIG: dict[str, Any] = {
    "encoder_options": {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]},
    "objective_options": {"hidden_size": 24, "projection_size": 12},
    "num_samples": 200,
}


@pytest.fixture(scope="session")
def recordings() -> DatasetDict:
    """200 simulated recordings of 2 s at 100 Hz."""
    return simulate_dataset(200, seed=0, duration=2.0)


@pytest.fixture(scope="session")
def data_folder(recordings: DatasetDict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a user's own dataset on disk."""
    folder = tmp_path_factory.mktemp("data") / "own"
    recordings.save_to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., SslEcgConfig]:
    def make(**changes: Any) -> SslEcgConfig:
        return SslEcgConfig(**{**CONFIG, **changes})

    return make


@pytest.fixture(scope="session")
def classifier_config(tiny_config: Callable[..., SslEcgConfig]) -> SslEcgConfig:
    return tiny_config(
        id2label=dict(enumerate(SUPERCLASSES)),
        label2id={name: index for index, name in enumerate(SUPERCLASSES)},
        problem_type="multi_label_classification",
        objective_options={},
    )


@pytest.fixture
def arguments(tmp_path: Path) -> Callable[..., SslEcgTrainingArguments]:
    """Make arguments of a short quiet run on the CPU."""

    def make(**changes: Any) -> SslEcgTrainingArguments:
        defaults: dict[str, Any] = {
            "output_dir": str(tmp_path / "run"),
            "per_device_train_batch_size": 8,
            "per_device_eval_batch_size": 8,
            "max_steps": 3,
            "logging_steps": 1,
            "save_strategy": "no",
            "use_cpu": True,
            "disable_tqdm": True,
        }
        return SslEcgTrainingArguments(**{**defaults, **changes})

    return make


@pytest.fixture
def data_arguments(data_folder: Path) -> DataArguments:
    return DataArguments(data=str(data_folder), class_names=list(SUPERCLASSES))


@pytest.fixture
def config_text() -> str:
    """The tiny configuration as `--config` takes it."""
    return json.dumps(CONFIG)


@pytest.fixture
def simclr(tiny_config: Callable[..., SslEcgConfig]) -> SslEcgForSimCLR:
    torch.manual_seed(0)
    return SslEcgForSimCLR(tiny_config())


@pytest.fixture
def classifier(classifier_config: SslEcgConfig) -> SslEcgForSequenceClassification:
    torch.manual_seed(0)
    return SslEcgForSequenceClassification(classifier_config)
