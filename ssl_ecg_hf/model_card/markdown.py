"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

UNKNOWN = "—"


def number(value: float | None) -> str:
    """Three digits after the point, or an em dash for what is undefined."""
    return UNKNOWN if value is None else f"{round(value, 3) + 0.0:.3f}"  # no minus before a zero


def count(value: int | None) -> str:
    """``1,099``, or an em dash for what is not known.

    Example:
        >>> count(17418)
        '17,418'
    """
    return UNKNOWN if value is None else f"{value:,}"


def patients_of(split: Mapping[str, Any]) -> str:
    """How many patients a split has, and how many recordings are of nobody knows whom.

    Example:
        >>> patients_of({"patients": 955, "records_without_patient": 3})
        '955 patients (and 3 recordings of unknown ones)'
    """
    unknown = split.get("records_without_patient")  # older files do not tell
    more = f" (and {count(unknown)} recordings of unknown ones)" if unknown else ""
    return f"{count(split['patients'])} patients{more}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    Example:
        >>> listed(["the best epoch", "thresholds", "temperature"])
        'the best epoch, thresholds and temperature'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def brackets(interval: Mapping[str, Any] | None) -> str:
    """``[0.901, 0.923]``, empty where there is no interval."""
    if interval is None or interval["low"] is None:
        return ""
    return f"[{number(interval['low'])}, {number(interval['high'])}]"


def with_interval(value: float | None, interval: Mapping[str, Any] | None) -> str:
    """``0.912 [0.901, 0.923]``, without the brackets where there is no interval."""
    return f"{number(value)} {brackets(interval)}".strip()


def cell(value: Any) -> str:
    """A value as text that neither ends a cell nor names a folder of the machine that trained the model."""
    text = str(value)
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
        text = PureWindowsPath(text).name
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, align: str) -> str:
    """A Markdown table; ``align`` holds ``l`` or ``r`` for each column."""
    rule = {"l": ":--", "r": "--:"}
    lines = [header, [rule[side] for side in align], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
