from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification, SslEcgModel
from ssl_ecg_hf.modeling.pooling_ssl_ecg import POOLINGS, AttentionPooling, MeanPooling, MeanStdPooling

EACH = pytest.mark.parametrize("name", POOLINGS)


def channels_last(hidden: torch.Tensor) -> torch.Tensor:
    return hidden.transpose(1, 2).contiguous().transpose(1, 2)


@EACH
@given(batch=st.integers(1, 4), channels=st.integers(1, 9), frames=st.integers(1, 20))
def test_shape_type_and_memory_layout(name: str, batch: int, channels: int, frames: int) -> None:
    pooling = POOLINGS[name](channels)
    hidden = torch.randn(batch, channels, frames)
    pooled = pooling(hidden)
    assert pooled.shape == (batch, pooling.output_size)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooling(channels_last(hidden)), pooled)


@EACH
def test_order_of_the_frames_does_not_matter(name: str) -> None:
    torch.manual_seed(0)
    pooling, hidden = POOLINGS[name](5), torch.randn(2, 5, 9)
    for parameter in pooling.parameters():
        torch.nn.init.normal_(parameter)
    torch.testing.assert_close(pooling(hidden[..., torch.randperm(9)]), pooling(hidden))


def test_mean_in_float32() -> None:
    pooled = MeanPooling(2)(torch.tensor([[[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]]], dtype=torch.bfloat16))
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[3.0, 0.0]]


def test_mean_and_deviation() -> None:
    hidden = torch.tensor([[[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]])
    expected = torch.tensor([[3.0, 5.0, (14 / 3) ** 0.5, 0.0]])
    torch.testing.assert_close(MeanStdPooling(2)(hidden), expected, atol=4e-3, rtol=0)


def test_deviation_of_equal_frames_has_a_gradient() -> None:
    hidden = torch.ones(1, 2, 4, requires_grad=True)
    MeanStdPooling(2)(hidden).sum().backward()
    assert torch.isfinite(hidden.grad).all()


def test_new_attention_is_the_mean() -> None:
    hidden = torch.randn(3, 4, 7)
    torch.testing.assert_close(AttentionPooling(4)(hidden), hidden.mean(dim=2))


def test_attention_against_a_slow_loop() -> None:
    torch.manual_seed(0)
    pooling, hidden = AttentionPooling(3), torch.randn(2, 3, 5)
    torch.nn.init.normal_(pooling.query)
    expected = torch.zeros(2, 3)
    for recording in range(2):
        scores = []
        for frame in range(5):
            inner = pooling.hidden.weight @ hidden[recording, :, frame] + pooling.hidden.bias
            scores.append(math.exp((pooling.query @ inner.tanh()).item()))
        for frame in range(5):
            expected[recording] += scores[frame] / sum(scores) * hidden[recording, :, frame]
    torch.testing.assert_close(pooling(hidden), expected)
    assert (pooling.weights(hidden).sum(dim=1) - 1).abs().max() < 1e-6


def test_attention_learns_which_frame_counts() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(2)
    optimizer = torch.optim.Adam(pooling.parameters(), lr=0.05)
    for _ in range(60):
        hidden = torch.randn(32, 2, 6)
        hidden[:, 1] = 0
        hidden[:, 1, 3] = 2  # the second channel marks the frame whose first channel is asked for
        loss = (pooling(hidden)[:, 0] - hidden[:, 0, 3]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert pooling.weights(hidden)[:, 3].mean().item() > 0.8


def test_attention_is_added_to_an_encoder_that_was_trained_without_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    SslEcgModel(SslEcgConfig()).save_pretrained(tmp_path)
    model, info = SslEcgForSequenceClassification.from_pretrained(
        tmp_path, pooling="attention", output_loading_info=True
    )
    assert {key.partition(".")[0] for key in info["missing_keys"]} == {"classifier", "pooling"}
    assert not model.pooling.query.any()
    model.freeze_encoder()
    trained = {name.partition(".")[0] for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {"classifier", "pooling"}


@EACH
def test_embeddings_are_float32_under_autocast(name: str) -> None:
    torch.manual_seed(0)
    pooling, hidden = POOLINGS[name](5), torch.randn(2, 5, 9).bfloat16()
    for parameter in pooling.parameters():
        torch.nn.init.normal_(parameter)
    exact = pooling(hidden)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pooling(hidden)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, exact, rtol=0.02, atol=0.02)
