"""The card of an exported checkpoint and its pictures, from the files that hold its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ssl_ecg_hf.data.labels import SUPERCLASS_MEANINGS
from ssl_ecg_hf.evaluation.architecture import describe_model
from ssl_ecg_hf.evaluation.checkpoint import METRICS, ROBUSTNESS, TEST_PREDICTIONS
from ssl_ecg_hf.evaluation.pictures import draw_example, draw_label_efficiency, draw_results, find_run
from ssl_ecg_hf.evaluation.predictions import load_predictions
from ssl_ecg_hf.evaluation.report import load_metrics
from ssl_ecg_hf.hub_export.checkpoint import kind_of
from ssl_ecg_hf.hub_export.expected import statement
from ssl_ecg_hf.hub_export.manifest import ExportError
from ssl_ecg_hf.model_card import PICTURES, Example, Supplement, render_model_card
from ssl_ecg_hf.model_card.datasets import public_dataset
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What was measured of a checkpoint.

    Args:
        metrics: content of metrics.json.
        folder: where it lies, perhaps with predictions and a robustness.json.
        experiments: content of the summary.json of a table of experiments that the checkpoint belongs to.
    """

    metrics: Mapping[str, Any]
    folder: Path
    experiments: Mapping[str, Any] | None = None


def read_measurements(metrics: Path | None, experiments: Path | None) -> Measurements | None:
    """Read metrics.json, and the summary.json of a table of experiments where one is given.

    Raises:
        ExportError: if a table is given without metrics.
    """
    if metrics is None:
        if experiments is not None:
            raise ExportError(f"a table of experiments says nothing of a checkpoint without a {METRICS}")
        return None
    table = None if experiments is None else json.loads(experiments.read_text(encoding="utf-8"))
    return Measurements(metrics=load_metrics(metrics), folder=metrics.parent, experiments=table)


def write_card(
    folder: Path,
    model: SslEcgPreTrainedModel,
    extractor: SslEcgFeatureExtractor,
    signal: NDArray[np.float32],
    *,
    own_example: bool,
    measured: Measurements | None,
    recipe: Mapping[str, Any] | None,
    repo_id: str,
    onnx: Mapping[str, Any] | None,
) -> None:
    """Write README.md and its pictures into an export.

    Curves are drawn from the predictions that lie beside metrics.json, after a check that these give its
    numbers; without predictions there are none.

    Args:
        folder: the export.
        model: the checkpoint, in evaluation mode.
        extractor: its feature extractor.
        signal: the example, (leads, samples) in mV.
        own_example: whether the example was given by the user; otherwise it was simulated.
        measured: what was measured of it.
        recipe: how it was trained.
        repo_id: repository on the Hub.
        onnx: content of onnx.json, where there are ONNX files.

    Raises:
        ValueError: if what lies beside metrics.json is of another evaluation.
    """
    pictures = folder / PICTURES
    pictures.mkdir()
    example = Example(
        title="Example recording" if own_example else "Simulated normal ECG",
        simulated=not own_example,
        probabilities=_probabilities(model, extractor, signal),
    )
    drawn = [
        draw_example(
            pictures,
            signal,
            sampling_rate=extractor.sampling_rate,
            leads=extractor.leads,
            title=example.title,
            probabilities=example.probabilities,
        )
    ]
    robustness = experiments = None
    method = ""
    if measured is not None:
        metrics = measured.metrics
        if (predictions := measured.folder / TEST_PREDICTIONS).is_file():
            drawn += draw_results(pictures, load_predictions(predictions), metrics)
        if (path := measured.folder / ROBUSTNESS).is_file():
            robustness = json.loads(path.read_text(encoding="utf-8"))
        if (experiments := measured.experiments) is not None:
            method = find_run(experiments, metrics)["method"]
            drawn.append(draw_label_efficiency(pictures, experiments))
    card = render_model_card(
        config=model.config.to_dict(),
        metrics=None if measured is None else measured.metrics,
        recipe=recipe,
        repo_id=repo_id,
        kind=kind_of(model),
        onnx=onnx,
        supplement=Supplement(
            class_meanings=_class_meanings(measured),
            model=describe_model(model),
            preprocessing=extractor.to_dict(),
            example=example,
            pictures=tuple(drawn),
            robustness=robustness,
            experiments=experiments,
            method=method,
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


@torch.no_grad()
def _probabilities(
    model: SslEcgPreTrainedModel, extractor: SslEcgFeatureExtractor, signal: NDArray[np.float32]
) -> dict[str, float]:
    """Class -> probability that a classifier gives a recording; empty for any other model."""
    if kind_of(model) != "classifier":
        return {}
    features = extractor(signal, **statement(extractor), return_tensors="pt")
    logits = model(**features).logits[0].float()
    single = model.config.problem_type == "single_label_classification"
    found = logits.softmax(-1) if single else logits.sigmoid()
    return {model.config.id2label[index]: value for index, value in enumerate(found.tolist())}


def _class_meanings(measured: Measurements | None) -> dict[str, str]:
    """What the classes stand for: as the metrics say; those of older metrics of PTB-XL are known, too."""
    if measured is None:
        return {}
    if found := measured.metrics.get("class_meanings"):
        return dict(found)
    known = public_dataset(measured.metrics["run"]["dataset"])
    if known is not None and set(measured.metrics["classes"]) <= set(SUPERCLASS_MEANINGS):
        return SUPERCLASS_MEANINGS
    return {}
