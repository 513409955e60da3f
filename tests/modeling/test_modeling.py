from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError

from ssl_ecg_hf.modeling import (
    SslEcgConfig,
    SslEcgForBYOL,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
    SslEcgModel,
)
from ssl_ecg_hf.modeling.encoder_base import in_precision_of
from ssl_ecg_hf.modeling.modeling_ssl_ecg import normalize, spectrum

MakeConfig = Callable[..., SslEcgConfig]


@pytest.fixture
def classifier(tiny_config: MakeConfig) -> SslEcgForSequenceClassification:
    torch.manual_seed(0)
    return SslEcgForSequenceClassification(
        tiny_config(num_labels=3, problem_type="multi_label_classification")
    )


def test_fixed_normalisation_divides_millivolts() -> None:
    config = SslEcgConfig(normalization="fixed", normalization_scale=0.5)
    signal = torch.tensor([[[0.0, 1.0, -0.25]]])
    assert normalize(signal, config).tolist() == [[[0.0, 2.0, -0.5]]]


def test_zscore_normalises_each_lead_of_each_recording() -> None:
    config = SslEcgConfig(normalization="zscore")
    signal = torch.tensor([[[1.0, 3.0], [7.0, 7.0]], [[-10.0, 30.0], [0.0, 0.5]]])
    expected = [[[-1.0, 1.0], [0.0, 0.0]], [[-1.0, 1.0], [-1.0, 1.0]]]
    torch.testing.assert_close(normalize(signal, config), torch.tensor(expected))


def test_model_returns_frames_and_their_mean(tiny_config: MakeConfig) -> None:
    model = SslEcgModel(tiny_config()).eval()
    output = model(torch.randn(2, 12, 200))
    assert output.last_hidden_state.shape == (2, 16, 50)
    torch.testing.assert_close(output.pooler_output, output.last_hidden_state.mean(dim=2))


@pytest.mark.parametrize("normalization", ["fixed", "zscore"])
def test_lead_mask_equals_a_flat_lead(tiny_config: MakeConfig, normalization: str) -> None:
    model = SslEcgModel(tiny_config(normalization=normalization)).eval()
    signal = torch.randn(2, 12, 200)
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[0, 3] = False
    flat = signal.clone()
    flat[0, 3] = 0
    masked = model.prepare(signal, mask)
    assert masked[0, 3].abs().max() == 0
    assert masked[1, 3].abs().max() > 0
    torch.testing.assert_close(model(signal, mask).pooler_output, model(flat).pooler_output)


@pytest.mark.parametrize("shape", [(12, 200), (2, 11, 200), (2, 200, 12), (1, 2, 12, 200)])
def test_wrong_shapes_are_refused(tiny_config: MakeConfig, shape: tuple[int, ...]) -> None:
    for model in (SslEcgModel(tiny_config()), SslEcgForSequenceClassification(tiny_config())):
        with pytest.raises(ValueError, match=r"expected \(batch, 12 leads, samples\)") as error:
            model(torch.zeros(shape))
        assert str(shape) in str(error.value)


def test_fewer_leads_and_other_lengths_work(tiny_config: MakeConfig) -> None:
    model = SslEcgModel(tiny_config(leads=["II"])).eval()
    for samples in (200, 333, 17):
        assert model(torch.randn(1, 1, samples)).pooler_output.shape == (1, 16)


def test_multi_label_loss_is_binary_cross_entropy(classifier: SslEcgForSequenceClassification) -> None:
    with torch.no_grad():
        classifier.classifier.weight.zero_()
        classifier.classifier.bias.copy_(torch.tensor([0.0, 2.0, -1.0]))
    output = classifier(torch.zeros(1, 12, 200), labels=torch.tensor([[1, 0, 0]], dtype=torch.int8))
    terms = [math.log(2), math.log1p(math.exp(2)), math.log1p(math.exp(-1))]
    assert output.loss.item() == pytest.approx(sum(terms) / 3, rel=1e-6)


def test_single_label_loss_is_cross_entropy(tiny_config: MakeConfig) -> None:
    model = SslEcgForSequenceClassification(
        tiny_config(num_labels=3, problem_type="single_label_classification")
    )
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 2.0, -1.0]))
    loss = model(torch.zeros(2, 12, 200), labels=torch.tensor([1, 2])).loss
    norm = math.log(1 + math.exp(2) + math.exp(-1))
    assert loss.item() == pytest.approx(norm - 0.5, rel=1e-6)


def test_without_labels_there_is_no_loss(classifier: SslEcgForSequenceClassification) -> None:
    output = classifier(torch.zeros(2, 12, 200))
    assert output.loss is None
    assert output.logits.shape == (2, 3)
    assert output.pooler_output.shape == (2, 16)


def test_fresh_convolutions_are_drawn_after_he(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    options = {"hidden_sizes": [256], "kernel_sizes": [11], "strides": [1]}
    weight = SslEcgModel(tiny_config(encoder_options=options)).encoder.blocks[0].conv.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (256 * 11)), rel=0.02)


def train_one_step(model: SslEcgForSequenceClassification) -> None:
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    model(torch.randn(4, 12, 200), labels=torch.ones(4, 3)).loss.backward()
    optimizer.step()


def test_a_frozen_encoder_does_not_change_at_all(classifier: SslEcgForSequenceClassification) -> None:
    classifier.freeze_encoder()
    before = copy.deepcopy(classifier.state_dict())
    train_one_step(classifier)
    changed = {
        name for name, value in classifier.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"classifier.weight", "classifier.bias"}
    assert classifier.training
    assert not classifier.encoder.training


def test_a_free_encoder_changes_with_its_statistics(classifier: SslEcgForSequenceClassification) -> None:
    before = copy.deepcopy(classifier.state_dict())
    train_one_step(classifier)
    changed = {
        name for name, value in classifier.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == set(before)


def test_dropout_acts_in_training_only(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(tiny_config(classifier_dropout=0.5))
    signal = torch.randn(2, 12, 200)
    model.encoder.eval()
    model.classifier.dropout.train()
    assert not torch.equal(model(signal).logits, model(signal).logits)
    model.eval()
    assert torch.equal(model(signal).logits, model(signal).logits)


def test_spectrum_against_a_slow_sum(tiny_config: MakeConfig) -> None:
    signal = torch.randn(2, 3, 11, dtype=torch.float64)
    time = torch.arange(11, dtype=torch.float64)
    expected = torch.empty(2, 3, 6, dtype=torch.float64)
    for line in range(6):
        angle = 2 * math.pi * line * time / 11
        real, imaginary = (signal * angle.cos()).sum(-1), (signal * angle.sin()).sum(-1)
        expected[..., line] = 2 * (real.square() + imaginary.square()).sqrt() / 11
    torch.testing.assert_close(spectrum(signal), expected.float())


def test_the_outer_lines_of_a_spectrum_are_doubled_like_the_others() -> None:
    assert spectrum(torch.ones(1, 1, 8)).tolist() == [[[2.0, 0.0, 0.0, 0.0, 0.0]]]
    assert spectrum(torch.tensor([1.0, -1.0] * 4).view(1, 1, 8)).tolist() == [[[0.0, 0.0, 0.0, 0.0, 2.0]]]


def test_input_in_the_frequency_domain(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = SslEcgModel(tiny_config(input_domain="frequency")).eval()
    signal = torch.randn(2, 12, 200)
    assert model.prepare(signal).shape == (2, 12, 101)
    mask = torch.ones(2, 12).index_fill(1, torch.tensor([4]), 0)
    assert not model.prepare(signal, mask)[:, 4].any()
    # The magnitudes of a spectrum do not tell where in the recording something happens.
    torch.testing.assert_close(
        model(signal).pooler_output, model(signal.roll(17, dims=-1)).pooler_output, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    "kind", [SslEcgModel, SslEcgForSequenceClassification, SslEcgForSimCLR, SslEcgForBYOL]
)
def test_every_class_can_pool_mean_and_deviation(kind: Any, tiny_config: MakeConfig, tmp_path: Path) -> None:
    model = kind(tiny_config(pooling="mean_std")).eval()
    assert model.embedding_size == 2 * model.encoder.output_size
    model.save_pretrained(tmp_path)
    restored = kind.from_pretrained(tmp_path).eval()
    signal = torch.randn(2, 12, 200)
    embedding = restored.embed(signal)
    assert embedding.shape == (2, model.embedding_size)
    torch.testing.assert_close(embedding, model.embed(signal))


@pytest.mark.parametrize("kind", [torch.int8, torch.int32, torch.int64])
def test_class_indices_may_be_integers_of_any_width(tiny_config: MakeConfig, kind: torch.dtype) -> None:
    config = tiny_config(num_labels=3, problem_type="single_label_classification")
    model = SslEcgForSequenceClassification(config).eval()
    signal, labels = torch.randn(4, 12, 200), torch.tensor([2, 0, 1, 2])
    found = model(signal, labels=labels.to(kind))
    assert torch.equal(found.loss, torch.nn.functional.cross_entropy(found.logits, labels))


def test_multi_hot_labels_are_no_class_indices(tiny_config: MakeConfig) -> None:
    config = tiny_config(num_labels=3, problem_type="single_label_classification")
    model = SslEcgForSequenceClassification(config)
    with pytest.raises(
        ValueError, match=r"int64 of shape \(4, 3\); a single-label model needs one class index"
    ):
        model(torch.randn(4, 12, 200), labels=torch.zeros(4, 3, dtype=torch.int64))


@pytest.mark.parametrize("changes", [{}, {"normalization": "zscore"}, {"input_domain": "frequency"}])
def test_whatever_stands_in_an_absent_lead_is_not_seen(
    tiny_config: MakeConfig, changes: dict[str, Any]
) -> None:
    model = SslEcgModel(tiny_config(**changes)).eval()
    signal = torch.randn(2, 12, 200)
    zero = signal.clone()
    zero[0, 3] = 0
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[0, 3] = False
    for content in (float("nan"), float("inf")):
        spoilt = signal.clone()
        spoilt[0, 3, ::2] = content
        assert torch.equal(model(spoilt, mask).pooler_output, model(zero).pooler_output)
        # In a lead that is said to be there it is not hidden.
        assert model(spoilt).pooler_output[0].isnan().any()
        spoilt.requires_grad_()
        model(spoilt, mask).pooler_output.sum().backward()
        assert spoilt.grad.isfinite().all()
        assert not spoilt.grad[0, 3].any()


@pytest.mark.parametrize("level", [0.0, 0.1, -1.7])
def test_no_gradient_reaches_a_flat_lead(level: float) -> None:
    torch.manual_seed(0)
    config = SslEcgConfig(normalization="zscore")
    signal = torch.randn(2, 3, 50)
    signal[0, 1] = level
    signal[1, 2] = torch.randn(50) * 1e-4  # less than the smallest deviation, 1e-3 mV
    centred = signal - signal.mean(dim=-1, keepdim=True)
    expected = centred / centred.square().mean(dim=-1, keepdim=True).sqrt().clamp_min(1e-3)
    weight = torch.randn(2, 3, 50)
    signal.requires_grad_()
    found = normalize(signal, config)
    assert torch.equal(found, expected)
    (found * weight).sum().backward()
    assert not signal.grad[0, 1].any()
    assert not signal.grad[1, 2].any()
    exact = signal.detach()[1, 0].double().requires_grad_()
    (((exact - exact.mean()) / exact.std(correction=0)) * weight[1, 0]).sum().backward()
    torch.testing.assert_close(signal.grad[1, 0], exact.grad.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("problem_type", [None, "multi_label_classification"])
def test_class_indices_are_no_multi_hot_labels(tiny_config: MakeConfig, problem_type: str | None) -> None:
    model = SslEcgForSequenceClassification(tiny_config(num_labels=3, problem_type=problem_type))
    message = (
        rf"shape \(4,\), and problem_type is {problem_type!r}; expected multi-hot labels of shape \(4, 3\)"
    )
    with pytest.raises(ValueError, match=message) as error:
        model(torch.randn(4, 12, 200), labels=torch.tensor([2, 0, 1, 2]))
    assert "set problem_type to 'single_label_classification'" in str(error.value)


@pytest.mark.parametrize("changes", [{}, {"input_domain": "frequency"}, {"pooling": "attention"}])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_recordings_take_the_precision_of_the_weights(
    tiny_config: MakeConfig, changes: dict[str, Any], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(tiny_config(num_labels=3, **changes)).eval()
    signal = torch.randn(2, 12, 200)
    with torch.no_grad():
        exact, converted = model(signal), model.to(dtype)(signal)
        same = model(signal.to(dtype))
    assert model.prepare(signal).dtype == dtype
    for output in (converted, same):
        assert output.logits.dtype == output.pooler_output.dtype == torch.float32
        torch.testing.assert_close(output.logits, exact.logits, rtol=0.05, atol=0.05)


def test_in_one_precision_nothing_is_copied(tiny_config: MakeConfig) -> None:
    model, signal = SslEcgModel(tiny_config()).eval(), torch.randn(2, 12, 200)
    assert in_precision_of(model.encoder, signal) is signal
    halved = signal.bfloat16()
    assert model.prepare(halved).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):  # it sees to the precision itself
        assert in_precision_of(model.encoder, halved) is halved


def test_a_configuration_that_became_wrong_is_refused_at_once(tiny_config: MakeConfig) -> None:
    config = tiny_config(num_labels=3, thresholds=[0.1, 0.2, 0.3])
    config.num_labels = 2
    with pytest.raises(StrictDataclassError, match="thresholds must hold 2 numbers"):
        SslEcgForSequenceClassification(config)
