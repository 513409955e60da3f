from __future__ import annotations

import pytest

from ssl_ecg_hf.data import EcgFormatError
from ssl_ecg_hf.space.fields import parse_leads, parse_rate


def test_what_fields_hold() -> None:
    assert parse_leads("") is None
    assert parse_leads("STANDARD") == "standard"
    assert parse_leads("I, II;V1\taVR") == ["I", "II", "V1", "aVR"]
    assert parse_rate("  ") is None
    assert parse_rate("257.5") == 257.5
    assert parse_rate("500hz") == 500
    with pytest.raises(EcgFormatError, match="sampling rate 'fast' is no number"):
        parse_rate("fast")
