import socket

import evaluate
import pytest

from ssl_ecg_hf.evaluation import load_metric
from ssl_ecg_hf.evaluation.evaluate_metric import METRIC_PATH
from ssl_ecg_hf.evaluation.metrics import classification_metrics

LABELS = [[1, 0], [1, 0], [0, 1], [0, 0]]
SCORES = [[0.9, 0.1], [0.3, 0.2], [0.4, 0.8], [0.1, 0.6]]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the metric asked for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    "load", [load_metric, lambda: evaluate.load(str(METRIC_PATH))], ids=["class", "path"]
)
def test_both_ways_to_load_give_our_numbers_offline(load):
    metric = load()
    found = metric.compute(
        predictions=SCORES, references=LABELS, class_names=["A", "B"], thresholds=[0.35, 0.7]
    )
    expected = classification_metrics(LABELS, SCORES, class_names=["A", "B"], thresholds=[0.35, 0.7])
    assert found["records"] == 4
    assert found["macro_auroc"] == expected["macro"]["auroc"]
    for name in "AB":
        for key, value in expected["per_class"][name].items():
            assert found[f"{name}_{key}"] == pytest.approx(value)


def test_batches_are_collected():
    metric = load_metric()
    metric.add_batch(predictions=SCORES[:2], references=LABELS[:2])
    metric.add_batch(predictions=SCORES[2:], references=LABELS[2:])
    found = metric.compute()
    assert found["class_0_auroc"] == 0.75
    assert found["records"] == 4
