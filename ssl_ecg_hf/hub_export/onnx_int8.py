"""An ONNX classifier with 8-bit weights and activations, and what it loses by that."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch import Tensor
from transformers import PreTrainedModel

from ssl_ecg_hf.data.batches import collate, to_millivolts
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.data.source import Recordings
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.evaluation.inference import over_dataset, require_labelled, signal_table
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.files import replacing
from ssl_ecg_hf.hub_export.onnx import quiet, run_onnx
from ssl_ecg_hf.modeling.windows_ssl_ecg import pad_to_window

CALIBRATION = 256
"""Recordings of the train split, evenly spaced, on which the ranges of the activations are observed."""

OPERATORS = ("Conv", "Gemm", "MatMul")
"""What is computed in 8 bits; normalisation and pooling, whose ranges differ widely, stay in 32."""

_BATCH = 32


def _all_present(signal: Tensor) -> Tensor:
    return torch.ones(signal.shape[:2], dtype=torch.bool)


def _batches(table: SignalTable, num_samples: int) -> Iterator[dict[str, NDArray[Any]]]:
    """Give the beginnings of some recordings, as inputs of the file."""
    rows = np.unique(np.linspace(0, len(table) - 1, CALIBRATION).astype(int)).tolist()
    for start in range(0, len(rows), _BATCH):
        signal = to_millivolts(collate(table.__getitems__(rows[start : start + _BATCH])))
        signal = pad_to_window(signal[..., :num_samples], num_samples)
        yield {"input_values": signal.numpy(), "lead_mask": _all_present(signal).numpy()}


def quantize_onnx(path: Path, output: Path, train: Dataset, *, model: PreTrainedModel) -> int:
    """Write a file of :func:`~ssl_ecg_hf.hub_export.export_onnx` anew with 8-bit operators.

    Weights have one scale a channel. Each activation has one scale for all recordings, from the least and the
    largest value that was seen on :data:`CALIBRATION` recordings ("static"). Inputs, outputs and metadata are
    those of the float file; ``quantization`` is added to the metadata.

    Args:
        path: the float file.
        output: the file to write; an existing one is replaced.
        train: recordings that fit the model, see ``signal_table``.
        model: the model of the file; only its configuration counts.

    Returns:
        how many recordings were used.

    Reference:
        Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
        Inference, CVPR 2018.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    table = signal_table(train, model.config)

    class Reader(CalibrationDataReader):
        batches = _batches(table, model.config.num_samples)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.batches, None)

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, replacing(output) as temporary, quiet():
        prepared, quantized = Path(name) / "prepared.onnx", Path(name) / "quantized.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )
        graph = onnx.load(quantized)
        metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        # What was checked belongs to the float file.
        metadata = {
            key: text for key, text in metadata.items() if key not in ("checked_samples", "max_difference")
        }
        metadata["quantization"] = json.dumps({"bits": 8, "operators": list(OPERATORS), "kind": "static"})
        onnx.helper.set_model_props(graph, metadata)
        temporary.write_bytes(graph.SerializeToString())
    return min(CALIBRATION, len(table))


def onnx_logits(path: Path, model: PreTrainedModel, dataset: Dataset) -> NDArray[np.float32]:
    """Classify recordings by an ONNX file in onnxruntime; the windows of a long one are averaged.

    Args:
        path: the file.
        model: the model of the file; only its configuration counts.
        dataset: with a signal column.

    Returns:
        logits (recordings, labels).
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def logits(signal: Tensor, mask: Tensor | None) -> Tensor:
        return run_onnx(session, signal.cpu(), _all_present(signal) if mask is None else mask.cpu())["logits"]

    return over_dataset(
        logits, model, dataset, batch_size=64, description="measuring the ONNX files", progress=True
    )


def int8_report(
    float_file: Path, int8_file: Path, recordings: Recordings, *, model: PreTrainedModel
) -> dict[str, Any]:
    """Quantise a file and measure both on the test split.

    Args:
        float_file: written by :func:`~ssl_ecg_hf.hub_export.export_onnx`.
        int8_file: the file to write.
        recordings: those of the model's training; ``train`` gives the ranges, ``test`` is measured on.
        model: the classifier of the file.

    Returns:
        What was done and what came out: ``calibration``, ``operators``, ``bytes`` of both files and ``test``:
        the records, the macro AUROC of both, ``auroc_loss`` (float minus int8; None where no class can be
        measured) and ``largest_change``, of a probability.
    """
    used = quantize_onnx(float_file, int8_file, recordings.splits["train"], model=model)
    known = require_labelled(recordings.splits["test"])
    single_label = model.config.problem_type == "single_label_classification"
    scores = {}
    for name, path in (("float32", float_file), ("int8", int8_file)):
        logits = onnx_logits(path, model, known).astype(np.float64)
        scores[name] = softmax(logits, axis=1) if single_label else expit(logits)
    labels = dataset_labels(known)
    wide, narrow = (macro_auroc(labels, scores[name]) for name in ("float32", "int8"))
    return {
        "operators": list(OPERATORS),
        "calibration": {"split": "train", "recordings": used},
        "bytes": {"float32": float_file.stat().st_size, "int8": int8_file.stat().st_size},
        "test": {
            "dataset": recordings.description,
            "records": len(known),
            "macro_auroc": {"float32": wide, "int8": narrow},
            "auroc_loss": None if wide is None or narrow is None else wide - narrow,
            "largest_change": float(np.abs(scores["float32"] - scores["int8"]).max()),
        },
    }
