from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from ssl_ecg_hf.evaluation.inference import embed, predict_logits, signal_table
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgForSimCLR

ENCODER: dict[str, Any] = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [2, 2]}
CONFIG = SslEcgConfig(encoder_options=ENCODER, num_samples=60, num_labels=3)


def dataset(count: int = 11, leads: int = 12, **columns: Any) -> Dataset:
    microvolts = np.random.default_rng(0).integers(-2000, 2000, (count, leads, 60))
    return Dataset.from_dict({"signal_uv": microvolts.astype(np.int16).tolist(), **columns})


@pytest.mark.parametrize("batch_size", [1, 4, 256])
@pytest.mark.parametrize("training", [True, False])
def test_batches_and_mode_do_not_matter(batch_size: int, training: bool) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(CONFIG).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = dataset()
    embeddings, logits = (fn(model, data, batch_size=batch_size) for fn in (embed, predict_logits))
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert embeddings.dtype == logits.dtype == np.float32
    model.eval()
    with torch.no_grad():
        expected = model(torch.tensor(data["signal_uv"]) / 1000)
    np.testing.assert_allclose(embeddings, expected.pooler_output.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, expected.logits.numpy(), rtol=1e-5, atol=1e-6)


def test_pretraining_models_embed_too() -> None:
    model = SslEcgForSimCLR(SslEcgConfig(encoder_options=ENCODER, num_samples=60))
    assert embed(model, dataset(3)).shape == (3, 16)


def test_a_table_delivers_the_columns_asked_for() -> None:
    table = signal_table(dataset(4, labels=[[0, 1, 0]] * 4, note=list("abcd")), CONFIG, columns=("labels",))
    assert set(table[0]) == {"signal_uv", "labels"}
    assert len(signal_table(dataset(4).select([]), CONFIG)) == 0


@pytest.mark.parametrize("rates", [[100.0] * 4, [100] * 4])
def test_the_models_own_rate_is_accepted(rates: list[float]) -> None:
    assert len(signal_table(dataset(4, sampling_rate=rates), CONFIG)) == 4


def test_the_rate_of_the_selected_recordings_counts() -> None:
    mixed = dataset(4, sampling_rate=[100.0, 500.0, 100.0, 100.0])
    assert len(signal_table(mixed.select([0, 2, 3]), CONFIG)) == 3
    with pytest.raises(ValueError, match=r"sampled at \[100.0, 500.0\] Hz, the model at 100 Hz"):
        signal_table(mixed, CONFIG)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset(4, leads=8), "recordings of 8 leads, the model expects 12"),
        (dataset(4, sampling_rate=[100.0, None, 100.0, 100.0]), "sampled at .*nan.* Hz"),
        (
            Dataset.from_dict({"signal": [[[1, 2]] * 12]}),
            "'signal' holds integers; expected floats in millivolts",
        ),
    ],
)
def test_recordings_that_do_not_fit_are_refused(data: Dataset, message: str) -> None:
    model = SslEcgForSequenceClassification(CONFIG)
    for use in (embed, predict_logits):
        with pytest.raises(ValueError, match=message):
            use(model, data)


@pytest.mark.parametrize(("scale", "mistake"), [(1.0, "uV stated as mV"), (1e-6, "V stated as mV")])
def test_recordings_in_another_unit_are_refused(scale: float, mistake: str) -> None:
    microvolts = np.random.default_rng(0).normal(0, 500, (4, 12, 60))
    data = Dataset.from_dict({"signal": (microvolts * scale).tolist()})
    with pytest.raises(ValueError, match=f"column 'signal' of the dataset: .*{mistake}"):
        signal_table(data, CONFIG)
