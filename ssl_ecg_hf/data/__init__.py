"""From signal files to datasets; knows nothing of models."""

from ssl_ecg_hf.data.record import STANDARD_LEADS, EcgFormatError, EcgRecord

__all__ = ["STANDARD_LEADS", "EcgFormatError", "EcgRecord"]
