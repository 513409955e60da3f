"""Whose recording it is: what tables and files say, as numbers that keep a patient's recordings together."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOBODY = {"nan", "na", "n/a", "none", "null", "unknown", "-", "?"}
_ANONYMOUS = {"x", "anon", "anonym", "anonymous", "anonymized", "anonymised", "default", "no id", "noid"}
_WHOLE = re.compile(r"(\d+)\.0+")
_LARGEST = 2**62


def table_patient(text: str) -> str:
    """Return a patient's name as a table has it; a table with gaps turns whole numbers into others.

    Raises:
        ValueError: if it is a word for nobody.

    Example:
        >>> table_patient("7.0"), table_patient("P7")
        ('7', 'P7')
    """
    if text.lower() in _NOBODY:
        raise ValueError(f"patient_id {text!r} names nobody; leave it empty where it is not known")
    whole = _WHOLE.fullmatch(text)
    return text if whole is None else whole[1]


def stated_patient(text: str | None) -> str | None:
    """Return a patient's name as a file of a device has it, None where it is empty or a placeholder.

    Example:
        >>> stated_patient("4711"), stated_patient("0000"), stated_patient("Anonymous")
        ('4711', None, None)
    """
    name = (text or "").strip()
    placeholder = name.lower() in _NOBODY | _ANONYMOUS or not re.search(r"[^\W0_]", name)
    return None if placeholder else name


def all_alike(of_file: Sequence[int | None]) -> bool:
    """Tell whether files name one patient in more than one recording, and no other: a placeholder."""
    named = [patient for patient in of_file if patient is not None]
    return len(named) > 1 and len(set(named)) == 1


def patient_numbers(of_table: Sequence[str | None], of_file: Sequence[int | None]) -> list[int | None]:
    """Number the patients of recordings.

    The table decides; where it is silent, the file does. A file's patient whom the table names elsewhere is
    that one, unless the table gives him several names: then the file says nothing of who it is.

    Args:
        of_table: names by the table, one a recording; None where it has none.
        of_file: numbers from 0 by the files; None where they say nothing, all None if :func:`all_alike`.

    Returns:
        One number a recording, None where nothing is known. Whole numbers of the table stay as they are;
        other names are numbered in the order of their first appearance, those of files after them.

    Example:
        >>> patient_numbers(["7", None, None, None], [0, 0, 1, None])
        [7, 7, 9, None]
    """
    names = list(dict.fromkeys(name for name in of_table if name is not None))
    whole = [int(name) for name in names if name.isdecimal() and int(name) < _LARGEST]
    numbers = dict(zip(names, whole if len(whole) == len(names) else range(len(names)), strict=True))
    known: dict[int, set[str]] = {}
    for name, patient in zip(of_table, of_file, strict=True):
        if name is not None and patient is not None:
            known.setdefault(patient, set()).add(name)
    after = max(numbers.values(), default=-1) + 1

    def number(name: str | None, patient: int | None) -> int | None:
        if name is not None:
            return numbers[name]
        if patient is None:
            return None
        called = known.get(patient, set())
        if not called:
            return after + patient
        return numbers[next(iter(called))] if len(called) == 1 else None

    return [number(name, patient) for name, patient in zip(of_table, of_file, strict=True)]
