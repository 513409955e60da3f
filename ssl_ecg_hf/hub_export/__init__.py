"""From a checkpoint to a folder on the Hub that works without this package."""

from ssl_ecg_hf.hub_export.export import export_checkpoint
from ssl_ecg_hf.hub_export.manifest import ExportError
from ssl_ecg_hf.hub_export.onnx import export_onnx
from ssl_ecg_hf.hub_export.push import push_export
from ssl_ecg_hf.hub_export.verify import VerificationReport, verify_export

__all__ = [
    "ExportError",
    "VerificationReport",
    "export_checkpoint",
    "export_onnx",
    "push_export",
    "verify_export",
]
