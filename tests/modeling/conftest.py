from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ssl_ecg_hf.modeling import SslEcgConfig

ENCODER = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]}


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., SslEcgConfig]:
    """Make a configuration of a very small encoder: 16 channels, a quarter of the samples."""

    def make(**changes: Any) -> SslEcgConfig:
        return SslEcgConfig(**{"encoder_options": ENCODER, "num_samples": 200, **changes})

    return make
