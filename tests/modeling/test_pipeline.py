from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("given", [{"signal": np.zeros((12, 1000))}, "recording.dat", np.zeros((12, 1000))])
def test_a_recording_must_state_how_it_was_made(given: object) -> None:
    with pytest.raises(ValueError, match="expected a mapping with signal"):
        make_pipeline()(given)
