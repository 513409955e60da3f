from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, IterableDataset

from ssl_ecg_hf.evaluation.degradations import Clean, MissingLeads
from ssl_ecg_hf.evaluation.inference import checked_stream, embed, predict_logits, signal_table
from ssl_ecg_hf.evaluation.robustness import predict_under
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
    for check in (signal_table, streamed):
        with pytest.raises(ValueError, match=f"column 'signal' of the dataset, row 0: .*{mistake}"):
            check(data, CONFIG)


def streamed(data: Dataset, config: SslEcgConfig) -> IterableDataset:
    return checked_stream(data.to_iterable_dataset(), config)


@pytest.mark.parametrize("check", [signal_table, streamed])
def test_a_few_recordings_in_another_unit_are_found(check: Any) -> None:
    signal = np.random.default_rng(0).normal(0, 0.5, (20, 12, 60))
    signal[[7, 13]] *= 1000
    message = "column 'signal' of the dataset, row 7: .*uV stated as mV"
    with pytest.raises(ValueError, match=message):
        check(Dataset.from_dict({"signal": signal.tolist()}), CONFIG)


@pytest.mark.parametrize("check", [signal_table, streamed])
def test_flat_leads_say_nothing_about_the_unit(check: Any) -> None:
    microvolts = np.random.default_rng(0).integers(-900, 900, (6, 12, 60)).astype(np.int16)
    microvolts[:, 3:] = 0
    microvolts[2] = 0
    check(Dataset.from_dict({"signal_uv": microvolts.tolist()}), CONFIG)
    with pytest.raises(ValueError, match="every lead of the 6 recordings that were looked at is flat"):
        check(Dataset.from_dict({"signal_uv": (0 * microvolts).tolist()}), CONFIG)


def test_a_stream_is_looked_at_and_left_whole() -> None:
    data = dataset(40, sampling_rate=[100.0] * 40, ecg_id=list(range(40)))
    rows = list(streamed(data, CONFIG))
    assert [int(row["ecg_id"]) for row in rows] == list(range(40))
    assert all(isinstance(row["signal_uv"], np.ndarray) for row in rows)
    assert list(checked_stream(data.to_iterable_dataset().take(0), CONFIG)) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset(4, leads=8), "recordings of 8 leads, the model expects 12"),
        (dataset(4, sampling_rate=[500] * 4), r"sampled at \[500.0\] Hz, the model at 100 Hz"),
        (dataset(4, sampling_rate=[100.0, 100.0, None, 100.0]), r"sampled at \[nan\] Hz"),
        (Dataset.from_dict({"signal": [[[1, 2]] * 12]}), "'signal' holds integers; expected floats"),
        (Dataset.from_dict({"ecg": [[[0.5, 0.2]] * 12]}), "none of the signal columns"),
    ],
)
def test_streams_that_do_not_fit_are_refused(data: Dataset, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        streamed(data, CONFIG)


# ---- recordings longer than the window ----


def long_dataset(count: int = 5, samples: int = 150) -> Dataset:
    microvolts = np.random.default_rng(0).normal(0, 700, (count, 12, samples)) * np.linspace(0.2, 2, samples)
    return Dataset.from_dict({"signal_uv": microvolts.astype(np.int16).tolist()})


STARTS = (0, 30, 60, 90)  # of windows of 60 samples in 150


@pytest.mark.parametrize("batch_size", [1, 3, 8, 256])
def test_windows_of_long_recordings_are_averaged(batch_size: int) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(CONFIG).eval()
    seen: list[int] = []
    model.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    data = long_dataset()
    embeddings, logits = (fn(model, data, batch_size=batch_size) for fn in (embed, predict_logits))
    assert max(seen) <= batch_size
    signal = torch.tensor(data["signal_uv"]) / 1000
    with torch.no_grad():
        outputs = [model(signal[..., start : start + 60]) for start in STARTS]
    mean_embedding = torch.stack([output.pooler_output for output in outputs]).mean(dim=0)
    mean_logits = torch.stack([output.logits for output in outputs]).mean(dim=0)
    np.testing.assert_allclose(embeddings, mean_embedding.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, mean_logits.numpy(), rtol=1e-5, atol=1e-6)
    of_mean = model.classifier(mean_embedding).detach().numpy()
    np.testing.assert_allclose(logits, of_mean, rtol=1e-5, atol=1e-6)
    assert np.abs(logits - outputs[1].logits.numpy()).max() > 1e-3


@pytest.mark.parametrize("samples", [40, 60])
def test_recordings_that_are_not_longer_are_filled_up_with_zeros(samples: int) -> None:
    model = SslEcgForSequenceClassification(CONFIG).eval()
    data = long_dataset(samples=samples)
    signal = torch.tensor(data["signal_uv"]) / 1000
    with torch.no_grad():
        expected = model(torch.cat([signal, torch.zeros(5, 12, 60 - samples)], dim=-1))
    np.testing.assert_array_equal(embed(model, data), expected.pooler_output.numpy())
    np.testing.assert_array_equal(predict_logits(model, data), expected.logits.numpy())


@pytest.mark.parametrize("batch_size", [2, 256])
def test_conditions_act_on_the_whole_recording_and_windows_are_averaged(batch_size: int) -> None:
    model = SslEcgForSequenceClassification(CONFIG).eval()
    data = long_dataset()
    clean = predict_under(Clean(), model, data, batch_size=batch_size)
    np.testing.assert_allclose(clean, predict_logits(model, data), rtol=1e-5, atol=1e-6)
    signal = torch.tensor(data["signal_uv"]) / 1000
    signal[:, 7] = 0.0
    with torch.no_grad():
        expected = torch.stack([model(signal[..., start : start + 60]).logits for start in STARTS]).mean(
            dim=0
        )
    condition = MissingLeads(group="missing", label="V2", leads=("V2",))
    found = predict_under(condition, model, data, batch_size=batch_size)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)
