from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.classification_heads import HEADS, FcnHead, MlpHead

EACH = pytest.mark.parametrize("name", HEADS)


@EACH
@pytest.mark.parametrize("pooling", ["mean", "mean_std"])
def test_every_head_classifies_saves_and_loads(
    name: str, pooling: str, tiny_config: Callable[..., SslEcgConfig], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = tiny_config(num_labels=3, classifier_head=name, classifier_hidden_size=8, pooling=pooling)
    model = SslEcgForSequenceClassification(config)
    signal, labels = torch.randn(4, 12, 200), torch.ones(4, 3)
    output = model(signal, labels=labels)
    output.loss.backward()
    assert all(value.grad is not None for value in model.classifier.parameters())
    assert output.logits.shape == (4, 3)
    assert output.pooler_output.shape == (4, model.embedding_size)
    model.eval().save_pretrained(tmp_path)
    restored = SslEcgForSequenceClassification.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(restored(signal).logits, model(signal).logits)


@EACH
def test_bfloat16_weights_and_autocast_give_float32_logits(
    name: str, tiny_config: Callable[..., SslEcgConfig]
) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(tiny_config(classifier_head=name)).eval()
    signal = torch.randn(2, 12, 200)
    exact = model(signal).logits
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(signal).logits
    halved = model.to(torch.bfloat16)(signal.bfloat16()).logits
    for logits in (mixed, halved):
        assert logits.dtype == torch.float32
        torch.testing.assert_close(logits, exact, rtol=0.1, atol=0.1)


def test_fcn_head_sees_the_order_of_the_frames() -> None:
    torch.manual_seed(0)
    head, frames = FcnHead(4, SslEcgConfig(num_labels=2)).eval(), torch.randn(2, 4, 30)
    assert head(frames).shape == (2, 2)
    assert not torch.allclose(head(frames), head(frames.flip(2)))


def test_mlp_head_by_hand() -> None:
    torch.manual_seed(0)
    head, embedding = (
        MlpHead(4, SslEcgConfig(num_labels=2, classifier_hidden_size=3)).eval(),
        torch.randn(5, 4),
    )
    hidden = (embedding @ head.hidden.weight.T / (1 + 1e-5) ** 0.5).clamp_min(0)
    torch.testing.assert_close(head(embedding), hidden @ head.output.weight.T + head.output.bias)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@EACH
def test_every_parameter_that_asks_for_a_gradient_gets_one(
    name: str, pooling: str, tiny_config: Callable[..., SslEcgConfig], tmp_path: Path
) -> None:
    # DistributedDataParallel stops at a parameter that asks and gets none.
    model = SslEcgForSequenceClassification(tiny_config(classifier_head=name, pooling=pooling))
    model.save_pretrained(tmp_path)
    for each in (model, SslEcgForSequenceClassification.from_pretrained(tmp_path)):
        each.train()
        learning = {key: value for key, value in each.named_parameters() if value.requires_grad}
        assert any(key.startswith("pooling.") for key in learning) == (
            pooling == "attention" and name != "fcn"
        )
        each(torch.randn(4, 12, 200), labels=torch.ones(4, 2)).loss.backward()
        assert all(value.grad is not None for value in learning.values())
