from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig

from ssl_ecg_hf.data import STANDARD_LEADS as LEADS_OF_DATA
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
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


FIVE = dict(enumerate(["NORM", "MI", "STTC", "HYP", "CD"]))
OTHERS = dict(enumerate(["AFIB", "SR", "PACE", "STACH", "SBRAD"]))
STORED = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of five labels with a threshold each."""
    folder = tmp_path_factory.mktemp("five")
    options = {"hidden_sizes": [4], "kernel_sizes": [3], "strides": [4]}
    config = SslEcgConfig(
        id2label=FIVE,
        label2id={name: index for index, name in FIVE.items()},
        thresholds=STORED,
        encoder_options=options,
    )
    SslEcgForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"id2label": OTHERS},
        {"id2label": dict(enumerate(reversed(FIVE.values())))},
        {"id2label": {0: "NORM", 1: "MI"}},
        {"num_labels": 2},
        {"num_labels": 6},
    ],
)
def test_thresholds_are_dropped_where_the_labels_are_others(
    changes: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=r"thresholds \[0.1, .* fixed for the labels \['NORM', .* dropped"):
        model = SslEcgForSequenceClassification.from_pretrained(
            checkpoint, ignore_mismatched_sizes=True, **changes
        )
    assert model.config.thresholds is None
    assert model.config.num_labels == changes.get("num_labels", len(changes.get("id2label", ())))
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).thresholds is None
    with pytest.warns(UserWarning, match="they are dropped"):
        assert AutoConfig.from_pretrained(checkpoint, **changes).thresholds is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id2label": FIVE},
        {"id2label": {str(index): name for index, name in FIVE.items()}},
        {"num_labels": 5},
        {"problem_type": "multi_label_classification"},
    ],
)
def test_thresholds_stay_with_their_labels(changes: dict[str, Any], checkpoint: Path) -> None:
    config, unused = SslEcgConfig.from_pretrained(checkpoint, return_unused_kwargs=True, junk=1, **changes)
    assert (config.thresholds, unused) == (STORED, {"junk": 1})
    assert SslEcgForSequenceClassification.from_pretrained(checkpoint, **changes).config.thresholds == STORED


def test_thresholds_that_are_stated_go_first(checkpoint: Path) -> None:
    labels = {"id2label": {0: "AFIB", 1: "SR"}}
    for thresholds in (None, [0.3, 0.4]):
        config = SslEcgConfig.from_pretrained(checkpoint, thresholds=thresholds, **labels)
        assert config.thresholds == thresholds
    assert SslEcgConfig.from_pretrained(checkpoint, num_labels=2, thresholds=[0.3, 0.4]).num_labels == 2


def test_two_labels_without_names_keep_their_thresholds(tmp_path: Path) -> None:
    SslEcgConfig(thresholds=[0.3, 0.4]).save_pretrained(tmp_path)
    assert SslEcgConfig.from_pretrained(tmp_path, num_labels=2).thresholds == [0.3, 0.4]
    with pytest.warns(UserWarning, match="they are dropped"):
        assert SslEcgConfig.from_pretrained(tmp_path, id2label={0: "a", 1: "b"}).thresholds is None
