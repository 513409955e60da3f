"""The classifier as an ONNX file, run by onnxruntime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.models import classifier
from benchmarks.timing import CPU
from ssl_ecg_hf.hub_export.onnx import export_onnx


class OnnxClassifier:
    """The exported classifier on signals that are already there.

    Args:
        signal: (batch, leads, samples) in mV, on the CPU.
        path: of the file; it is written where there is none.
    """

    def __init__(self, signal: Tensor, path: Path) -> None:
        import onnxruntime

        if not path.is_file():
            export_onnx(classifier(CPU), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {"input_values": signal.numpy(), "lead_mask": np.ones(signal.shape[:2], dtype=np.bool_)}

    def __call__(self) -> NDArray[np.float32]:
        """Return logits (batch, labels)."""
        logits: NDArray[np.float32] = self.session.run(["logits"], self.inputs)[0]
        return logits
