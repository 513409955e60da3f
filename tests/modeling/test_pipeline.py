from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline

LABELS = ("NORM", "MI", "STTC")


def make_pipeline(
    problem_type: str = "multi_label_classification", thresholds: list[float] | None = None
) -> EcgClassificationPipeline:
    torch.manual_seed(0)
    config = SslEcgConfig(
        id2label=dict(enumerate(LABELS)),
        label2id={name: index for index, name in enumerate(LABELS)},
        problem_type=problem_type,
        thresholds=thresholds,
    )
    model = SslEcgForSequenceClassification(config).eval()
    with torch.no_grad():  # logits -1, 0, 1 whatever the recording
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    return EcgClassificationPipeline(model=model, feature_extractor=SslEcgFeatureExtractor(), device="cpu")


def recording(seed: int = 0, **changes: Any) -> dict[str, Any]:
    signal = np.random.default_rng(seed).normal(0.0, 0.5, (12, 1000))
    return {"signal": signal, "sampling_rate": 100, "leads": "standard", "unit": "mV"} | changes


def test_multi_label_scores_are_sigmoids_in_class_order() -> None:
    result = make_pipeline()(recording())
    assert [entry["label"] for entry in result] == list(LABELS)
    assert [entry["score"] for entry in result] == pytest.approx([0.2689414, 0.5, 0.7310586])
    assert "positive" not in result[0]


def test_single_label_scores_are_a_softmax() -> None:
    result = make_pipeline("single_label_classification", thresholds=[0.1, 0.1, 0.1])(recording())
    assert [entry["score"] for entry in result] == pytest.approx([0.0900306, 0.2447285, 0.6652410])
    assert "positive" not in result[0]


def test_thresholds_of_the_configuration_decide() -> None:
    pipeline = make_pipeline(thresholds=[0.2, 0.6, 0.9])
    assert [entry["positive"] for entry in pipeline(recording())] == [True, False, False]


@pytest.mark.parametrize(
    ("threshold", "positive"), [(0.5, [False, True, True]), ([0.0, 0.51, 0.7], [True, False, True])]
)
def test_thresholds_of_the_call_go_first(threshold: object, positive: list[bool]) -> None:
    result = make_pipeline(thresholds=[0.0, 0.0, 0.0])(recording(), threshold=threshold)
    assert [entry["positive"] for entry in result] == positive


def test_thresholds_must_fit_the_model() -> None:
    with pytest.raises(ValueError, match="2 thresholds for 3 labels"):
        make_pipeline()(recording(), threshold=[0.5, 0.5])
    with pytest.raises(ValueError, match="the model is single-label"):
        make_pipeline("single_label_classification")(recording(), threshold=0.5)


def test_top_k_sorts_by_score() -> None:
    result = make_pipeline()(recording(), top_k=2)
    assert [entry["label"] for entry in result] == ["STTC", "MI"]


def test_lists_and_batches_give_one_result_per_recording() -> None:
    pipeline = make_pipeline()
    with torch.no_grad():
        pipeline.model.classifier.weight.normal_(0.0, 1.0)
    long = recording(2, signal=np.random.default_rng(2).normal(0.0, 0.5, (12, 5000)), sampling_rate=500)
    recordings = [recording(0), recording(1), long]
    singly = [pipeline(one) for one in recordings]
    assert len({result[0]["score"] for result in singly}) == 3
    for results in (pipeline(recordings), pipeline(recordings, batch_size=2)):
        for result, expected in zip(results, singly, strict=True):
            assert [e["score"] for e in result] == pytest.approx([e["score"] for e in expected], abs=1e-6)


def long_recording(seed: int, seconds: float) -> dict[str, Any]:
    """A recording that grows, so that its windows differ."""
    samples = round(100 * seconds)
    signal = np.random.default_rng(seed).normal(0.0, 0.5, (12, samples)) * np.linspace(0.2, 2, samples)
    return recording(signal=signal)


def test_a_long_recording_is_the_mean_of_the_logits_of_its_windows() -> None:
    pipeline = make_pipeline(thresholds=[0.5, 0.5, 0.5])
    with torch.no_grad():
        pipeline.model.classifier.weight.normal_(0.0, 1.0)
    long = long_recording(0, 25.0)
    found = pipeline(long)
    assert [entry["windows"] for entry in found] == [4, 4, 4]
    windows = [recording(signal=long["signal"][:, start : start + 1000]) for start in (0, 500, 1000, 1500)]
    scores = np.array([[entry["score"] for entry in pipeline(window)] for window in windows])
    logits = np.log(scores / (1 - scores))
    assert np.ptp(logits, axis=0).min() > 0.1
    expected = 1 / (1 + np.exp(-logits.mean(axis=0)))
    assert [entry["score"] for entry in found] == pytest.approx(expected, abs=1e-5)
    assert [entry["positive"] for entry in found] == (expected >= 0.5).tolist()
    assert "windows" not in pipeline(windows[0])[0]
    assert "window_scores" not in found[0]
    for index, entry in enumerate(pipeline(long, return_windows=True)):
        assert entry["window_scores"] == pytest.approx(scores[:, index].tolist(), abs=1e-5)
    assert len(pipeline(windows[0], return_windows=True)[0]["window_scores"]) == 1


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_long_and_short_recordings_share_a_batch(batch_size: int) -> None:
    pipeline = make_pipeline()
    with torch.no_grad():
        pipeline.model.classifier.weight.normal_(0.0, 1.0)
    recordings = [long_recording(seed, seconds) for seed, seconds in enumerate((10, 31, 10, 12.5, 20))]
    singly = [pipeline(one) for one in recordings]
    assert [result[0].get("windows", 1) for result in singly] == [1, 6, 1, 2, 3]
    for result, expected in zip(pipeline(recordings, batch_size=batch_size), singly, strict=True):
        assert [e["score"] for e in result] == pytest.approx([e["score"] for e in expected], abs=1e-6)
        assert [e.get("windows") for e in result] == [e.get("windows") for e in expected]


def test_minutes_are_classified_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make_pipeline()
    sizes: list[int] = []
    forward = pipeline.model.forward

    def spy(windows: torch.Tensor, lead_mask: torch.Tensor) -> Any:
        sizes.append(len(windows))
        return forward(windows, lead_mask=lead_mask)

    monkeypatch.setattr(pipeline.model, "forward", spy)
    signal = np.random.default_rng(0).normal(0.0, 0.5, (1, 36_000))  # 6 minutes
    with pytest.warns(UserWarning, match="missing or flat"):
        (entry, *_) = pipeline(recording(signal=signal, leads=["II"]))
    assert entry["windows"] == 71
    assert sizes == [64, 7]


@pytest.mark.parametrize("given", [{"signal": np.zeros((12, 1000))}, "recording.dat", np.zeros((12, 1000))])
def test_a_recording_must_state_how_it_was_made(given: object) -> None:
    with pytest.raises(ValueError, match="expected a mapping with signal"):
        make_pipeline()(given)


@pytest.mark.parametrize("saved", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_half_precision(saved: torch.dtype, dtype: torch.dtype | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [4, 4]}
    model = SslEcgForSequenceClassification(SslEcgConfig(num_labels=3, encoder_options=options)).eval()
    expected = EcgClassificationPipeline(
        model=model, feature_extractor=SslEcgFeatureExtractor(), device="cpu"
    )(recording())
    model.to(saved).save_pretrained(tmp_path)
    SslEcgFeatureExtractor().save_pretrained(tmp_path)
    chosen = {} if dtype is None else {"dtype": dtype}
    loaded = pipeline("ecg-classification", model=str(tmp_path), device="cpu", **chosen)
    assert loaded.model.dtype == (dtype or saved)
    found = loaded(recording())
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=0.02)
