from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.data import STANDARD_LEADS as LEADS_OF_DATA
from ssl_ecg_hf.modeling import SslEcgConfig
from ssl_ecg_hf.modeling.configuration_ssl_ecg import STANDARD_LEADS


def test_leads_stand_in_the_order_of_the_data() -> None:
    assert STANDARD_LEADS == LEADS_OF_DATA
    assert SslEcgConfig().leads == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]


def test_defaults_keep_voltage_at_100_hz() -> None:
    config = SslEcgConfig()
    assert (config.sampling_rate, config.num_samples, config.num_leads) == (100, 1000, 12)
    assert (config.normalization, config.normalization_scale) == ("fixed", 1.0)


def test_two_configurations_share_nothing() -> None:
    first, second = SslEcgConfig(), SslEcgConfig()
    first.leads.append("X")
    first.encoder_options["strides"] = [1]
    assert second.num_leads == 12
    assert second.encoder_options == {}


def test_round_trip_keeps_every_field(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "leads": ["II", "V5"],
        "sampling_rate": 257.5,
        "num_samples": 300,
        "normalization": "zscore",
        "normalization_scale": 0.5,
        "encoder_options": {"hidden_sizes": [4], "kernel_sizes": [3], "strides": [1]},
        "objective_options": {"temperature": 0.2},
        "classifier_dropout": 0.1,
        "id2label": {0: "NORM", 1: "MI", 2: "CD"},
        "label2id": {"NORM": 0, "MI": 1, "CD": 2},
        "problem_type": "multi_label_classification",
        "thresholds": [0.25, 0.5, 1.0],
    }
    SslEcgConfig(**fields).save_pretrained(tmp_path)
    loaded = SslEcgConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"leads": []}, "leads must be distinct names, at least one"),
        ({"leads": ["I", "i"]}, "leads must be distinct names"),
        ({"leads": "I"}, "leads"),
        ({"sampling_rate": 0}, "sampling_rate must be positive; got 0"),
        ({"sampling_rate": float("nan")}, "sampling_rate must be positive; got nan"),
        ({"num_samples": -1}, "num_samples must be positive; got -1"),
        ({"num_samples": 1.5}, "num_samples' expected int, got float"),
        ({"normalization_scale": 0.0}, "normalization_scale must be positive"),
        ({"normalization": "none"}, r"expected one of \('fixed', 'zscore'\), got none"),
        ({"thresholds": [0.5]}, "thresholds must hold 2 numbers in \\[0, 1\\], one per label; got \\[0.5\\]"),
        ({"thresholds": [0.5, 1.5]}, "thresholds must hold 2 numbers"),
        ({"encoder_type": 3}, "encoder_type"),
        ({"problem_type": "regression"}, "problem_type must be one of .* got 'regression'"),
        ({"problem_type": "ordinal"}, "problem_type"),
    ],
)
def test_wrong_values_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StrictDataclassError, match=message):
        SslEcgConfig(**fields)


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=6, unique_by=str.upper))
def test_any_distinct_lead_names_are_kept_in_order(leads: list[str]) -> None:
    config = SslEcgConfig(leads=tuple(leads))
    assert config.leads == leads
    assert config.num_leads == len(leads)
