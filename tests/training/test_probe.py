from __future__ import annotations

import copy

import numpy as np
import torch
from datasets import DatasetDict

from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.evaluation.inference import embed, predict_logits
from ssl_ecg_hf.evaluation.representation import LinearProbe
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
from ssl_ecg_hf.training import fit_probe
from ssl_ecg_hf.training.probe import set_classifier


def test_the_classification_layer_equals_the_probe(classifier_config: SslEcgConfig) -> None:
    model = SslEcgForSequenceClassification(classifier_config).eval()
    generator = torch.Generator().manual_seed(0)
    probe = LinearProbe(
        macro_auroc=None,
        l2=1.0,
        validation_scores=np.zeros((0, 5)),
        weight=torch.randn(16, 5, generator=generator),
        bias=torch.randn(5, generator=generator),
        mean=torch.randn(16, generator=generator),
        std=torch.rand(16, generator=generator) + 0.1,
    )
    set_classifier(model, probe)
    x = torch.randn(7, 16, generator=generator)
    found = model.classifier(x).detach().numpy()
    np.testing.assert_allclose(found, probe.logits(x), atol=1e-4)


def test_fitting_changes_the_layer_alone_and_gives_the_logits_of_the_probe(
    classifier_config: SslEcgConfig, recordings: DatasetDict
) -> None:
    torch.manual_seed(0)
    model = SslEcgForSequenceClassification(classifier_config)
    before = copy.deepcopy(model.state_dict())
    train, validation = labelled(recordings["train"]), labelled(recordings["validation"])
    probe = fit_probe(model, train, validation)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert model.training  # its mode is restored
    np.testing.assert_allclose(
        predict_logits(model, validation), probe.logits(embed(model, validation)), atol=1e-4
    )
