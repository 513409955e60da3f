"""What the text fields of the page hold."""

from __future__ import annotations

import re

from ssl_ecg_hf.data import EcgFormatError


def parse_leads(text: str) -> list[str] | str | None:
    """Return the lead names in a text, divided by blanks, commas or semicolons; None for an empty one.

    Example:
        >>> parse_leads("I, II V1")
        ['I', 'II', 'V1']
        >>> parse_leads(" Standard ")
        'standard'
    """
    names = [name for name in re.split(r"[\s,;]+", text) if name]
    if [name.lower() for name in names] == ["standard"]:
        return "standard"
    return names or None


def parse_rate(text: str) -> float | None:
    """Return the sampling rate in a text, in Hz; None for an empty one.

    Raises:
        EcgFormatError: if it is no number.

    Example:
        >>> parse_rate("500 Hz")
        500.0
    """
    number = re.sub(r"\s*Hz$", "", text.strip(), flags=re.IGNORECASE)
    try:
        return float(number) if number else None
    except ValueError:
        raise EcgFormatError(
            f"sampling rate {text!r} is no number; expected one in Hz, such as 500"
        ) from None
