"""From a checkpoint to a folder that can be uploaded to the Hub as it stands."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ssl_ecg_hf import modeling
from ssl_ecg_hf._version import __version__
from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.data.record import STANDARD_LEADS, EcgRecord
from ssl_ecg_hf.data.simulator import simulate_ecg
from ssl_ecg_hf.data.source import Recordings
from ssl_ecg_hf.evaluation.loading import load_model
from ssl_ecg_hf.evaluation.recipe import check_own_metrics
from ssl_ecg_hf.files import write_json
from ssl_ecg_hf.hub_export.building import building
from ssl_ecg_hf.hub_export.card import read_measurements, write_card
from ssl_ecg_hf.hub_export.checkpoint import (
    PIPELINE_TASK,
    auto_map,
    feature_extractor_auto_map,
    kind_of,
    load_feature_extractor,
    load_source,
)
from ssl_ecg_hf.hub_export.endpoint import checked_requirement, write_handler
from ssl_ecg_hf.hub_export.manifest import ExportError, write_manifest
from ssl_ecg_hf.hub_export.onnx import export_onnx, onnx_metadata
from ssl_ecg_hf.hub_export.onnx_int8 import int8_report
from ssl_ecg_hf.hub_export.verify import verify_export
from ssl_ecg_hf.model_card import EXAMPLE_FILE
from ssl_ecg_hf.model_card.quick_start import INT8_FILE, ONNX_FILE
from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.modeling_ssl_ecg import SslEcgPreTrainedModel

LICENSE = Path(__file__).with_name("apache-2.0.txt")


def _simulated_example(extractor: SslEcgFeatureExtractor) -> EcgRecord:
    """A simulated normal ECG of the length of the model's window."""
    normal = np.array([[name == "NORM" for name in SUPERCLASSES]], dtype=np.int8)
    duration = extractor.num_samples / extractor.sampling_rate
    rng = np.random.default_rng(0)
    signal = simulate_ecg(normal, sampling_rate=extractor.sampling_rate, duration=duration, rng=rng)[0]
    return EcgRecord(signal=signal, sampling_rate=extractor.sampling_rate, leads=STANDARD_LEADS)


def _example_signal(extractor: SslEcgFeatureExtractor, record: EcgRecord) -> NDArray[np.float32]:
    """The example as the model wants it: (leads, samples) in mV."""
    features = extractor(record.signal, sampling_rate=record.sampling_rate, leads=record.leads, unit="mV")
    if not features["lead_mask"].all():
        raise ExportError(f"the example recording lacks leads of {extractor.leads}; give a complete one")
    signal: NDArray[np.float32] = features["input_values"][0]
    return signal


def _label_names(config: modeling.SslEcgConfig) -> list[str]:
    return [config.id2label[index] for index in range(config.num_labels)]


def _check_labels(config: modeling.SslEcgConfig) -> None:
    if unnamed := [name for index, name in enumerate(_label_names(config)) if name == f"LABEL_{index}"]:
        raise ExportError(f"classes without a name: {unnamed}; set config.id2label before training")


def _check_int8(
    config: modeling.SslEcgConfig, recordings: Recordings, *, classifier: bool, onnx: bool
) -> None:
    if not onnx or not classifier:
        raise ValueError("an int8 file is made from the ONNX file of a classifier; leave int8 out")
    if (names := _label_names(config)) != list(recordings.class_names):
        raise ValueError(f"the model has classes {names}, the recordings {list(recordings.class_names)}")


def _write_onnx(
    folder: Path, model: SslEcgPreTrainedModel, checkpoint: Path, int8: Recordings | None
) -> dict[str, Any]:
    """Write the ONNX files, of a pretraining checkpoint that of its encoder, and what is known of them."""
    if kind_of(model) == "pretraining":
        model = load_model(modeling.SslEcgModel, checkpoint, dtype="float32").eval()
    path = export_onnx(model, folder / ONNX_FILE)
    facts: dict[str, Any] = {ONNX_FILE: {"metadata": onnx_metadata(path)}}
    if int8 is not None:
        facts[INT8_FILE] = int8_report(path, folder / INT8_FILE, int8, model=model)
    write_json(folder / "onnx.json", facts)
    return facts


def _build(
    folder: Path,
    checkpoint: Path,
    *,
    repo_id: str,
    metrics: Path | None,
    experiments: Path | None,
    example: EcgRecord | None,
    recipe: Mapping[str, Any] | None,
    onnx: bool,
    int8: Recordings | None,
    endpoint_requirements: Sequence[str],
) -> None:
    """Write every file but the manifest, then verify."""
    model = load_source(checkpoint)
    kind, config = kind_of(model), model.config
    if endpoint_requirements and kind != "classifier":
        raise ValueError(
            f"only a classifier is served by an endpoint, this is a checkpoint of the kind {kind!r}; leave "
            "endpoint_requirements out"
        )
    further = [checked_requirement(text) for text in endpoint_requirements]
    if int8 is not None:
        _check_int8(config, int8, classifier=kind == "classifier", onnx=onnx)
    extractor = load_feature_extractor(checkpoint, config)
    measured = read_measurements(metrics, experiments)
    numbers = None if measured is None else measured.metrics
    config.auto_map = auto_map(model)
    config.custom_pipelines = {}
    if kind == "classifier":
        _check_labels(config)
        if numbers is not None and recipe is not None and "dataset" in recipe:
            check_own_metrics(recipe, numbers)
        names = _label_names(config)
        if numbers is not None and config.thresholds is None and numbers["classes"] == names:
            config.thresholds = [numbers["thresholds"]["values"][name] for name in names]
        config.custom_pipelines[PIPELINE_TASK] = {
            "impl": "pipeline_ssl_ecg.EcgClassificationPipeline",
            "pt": ["AutoModelForSequenceClassification"],
        }
    model.save_pretrained(folder)
    extractor.auto_map = feature_extractor_auto_map()
    extractor.save_pretrained(folder)
    for source in sorted(Path(modeling.__file__).parent.glob("*.py")):
        if source.name != "__init__.py":
            shutil.copyfile(source, folder / source.name)
    signal = _example_signal(extractor, example or _simulated_example(extractor))
    np.save(folder / EXAMPLE_FILE, signal)
    if metrics is not None:
        shutil.copyfile(metrics, folder / "metrics.json")
    write_card(
        folder,
        model,
        extractor,
        signal,
        own_example=example is not None,
        measured=measured,
        recipe=recipe,
        repo_id=repo_id,
        onnx=_write_onnx(folder, model, checkpoint, int8) if onnx else None,
    )
    shutil.copyfile(LICENSE, folder / "LICENSE")
    if kind == "classifier":
        write_handler(folder, further=further)
    report = verify_export(folder, source=model)
    if not report.ok:
        raise ExportError(f"the export of {checkpoint.name} does not work by itself: {report}")
    information = {
        "kind": kind,
        "repo_id": repo_id,
        "verified": list(report.steps),
        "versions": {
            "ssl_ecg_hf": __version__,
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
        },
    }
    write_manifest(folder, information)


def export_checkpoint(
    checkpoint: Path,
    output: Path,
    *,
    repo_id: str,
    metrics: Path | None = None,
    experiments: Path | None = None,
    example: EcgRecord | None = None,
    recipe: Mapping[str, Any] | None = None,
    onnx: bool = False,
    int8: Recordings | None = None,
    endpoint_requirements: Sequence[str] = (),
) -> Path:
    """Write a folder for the Hub: weights, configuration, remote code, model card, example, licence.

    The folder appears only once it is complete and verified in a clean process (:func:`verify_export`). An
    earlier export at ``output`` is replaced, any other folder there is left alone. A classifier is loaded by
    ``AutoModel`` and ``AutoModelForSequenceClassification`` and has the pipeline "ecg-classification"; a
    pretraining checkpoint is loaded by ``AutoModel`` as an encoder and by ``AutoModelForPreTraining`` whole.
    ``AutoModelForSequenceClassification`` puts a new classification layer on any other checkpoint.

    Args:
        checkpoint: folder written by ``save_pretrained`` or by the Trainer.
        output: folder to write.
        repo_id: repository on the Hub, ``"user/name"``, that the card shall name.
        metrics: ``metrics.json`` of the evaluation on the data of the training; its thresholds go into a
            configuration that has none.
            Without it the card says that the model is not evaluated. The card's curves are drawn from the
            ``predictions_test.npz`` beside it.
        experiments: ``summary.json`` of the table of experiments that the checkpoint is a run of, for the
            card's label efficiency.
        example: recording that ships with the model for a first try; default a simulated normal ECG.
        recipe: arguments of the training, for the card.
        onnx: whether to add ``model.onnx``, see :func:`export_onnx`.
        int8: recordings of the training, for a classifier: also adds ``model_int8.onnx``, whose ranges come
            from the train split; ``onnx.json`` and the card say what it loses on the test split.
        endpoint_requirements: of a classifier: what an Inference Endpoint shall install besides, as lines of
            requirements.txt; with ``ssl_ecg_hf[formats] @ git+https://...`` it takes files, too.

    Returns:
        ``output``.

    Raises:
        ExportError: if ``output`` exists and is no export or holds further files, or the checkpoint cannot be
            exported, or the export does not work in the clean process.
        ValueError: if ``metrics`` are of an external test, or predictions, robustness or experiments are not
            those of ``metrics``, or if ``int8`` is
            given without ``onnx``, or for a model that does not have its classes, or if one of
            ``endpoint_requirements`` cannot be installed or the model is no classifier.
    """
    with building(output) as folder:
        _build(
            folder,
            checkpoint,
            repo_id=repo_id,
            metrics=metrics,
            experiments=experiments,
            example=example,
            recipe=recipe,
            onnx=onnx,
            int8=int8,
            endpoint_requirements=endpoint_requirements,
        )
    return output
