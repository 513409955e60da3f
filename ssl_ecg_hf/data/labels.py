"""The five diagnostic superclasses of PTB-XL and how SCP codes map onto them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SUPERCLASS_MEANINGS: dict[str, str] = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST/T change",
    "HYP": "hypertrophy",
    "CD": "conduction disturbance",
}

SUPERCLASSES: tuple[str, ...] = tuple(SUPERCLASS_MEANINGS)


def read_scp_statements(path: str | Path) -> dict[str, str]:
    """Read the mapping from diagnostic SCP code to superclass out of PTB-XL's ``scp_statements.csv``.

    Args:
        path: the CSV file; its first column is the code, ``diagnostic`` marks diagnostic codes with 1 and
            ``diagnostic_class`` names their superclass. Form and rhythm statements are left out.

    Returns:
        ``{"IMI": "MI", ...}``, diagnostic codes only.

    Raises:
        ValueError: if a column is missing or a superclass is not one of the five.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            columns, rows = list(table.fieldnames or []), list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV table in UTF-8: {error}; fetch it again") from error
    if missing := [name for name in ("diagnostic", "diagnostic_class") if name not in columns]:
        raise ValueError(
            f"{path} has no column {missing}; expected PTB-XL's scp_statements.csv, found {columns}"
        )
    statements = {
        (row[columns[0]] or "").strip(): (row["diagnostic_class"] or "").strip()
        for row in rows
        if (row["diagnostic"] or "").strip() in {"1", "1.0"}
    }
    if unknown := sorted(set(statements.values()) - set(SUPERCLASSES)):
        raise ValueError(f"{path} names superclass {unknown}; expected only {list(SUPERCLASSES)}")
    return statements


def superclass_labels(
    scp_codes: Sequence[Mapping[str, float]], statements: Mapping[str, str]
) -> NDArray[np.int8]:
    """Return multi-hot superclasses: 1 where a record carries any diagnostic code of the class.

    The likelihood of a code is ignored, as in the PTB-XL benchmark: likelihood 0 means "not stated".

    Args:
        scp_codes: one ``{code: likelihood in percent}`` mapping per record.
        statements: diagnostic code -> superclass, see :func:`read_scp_statements`.

    Returns:
        int8 array of shape (records, 5), columns in the order of ``SUPERCLASSES``; a record without any
        diagnostic code is all zero.

    Example:
        >>> superclass_labels([{"IMI": 80.0, "SR": 0.0}, {"SR": 0.0}], {"IMI": "MI"}).tolist()
        [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    """
    column = {code: SUPERCLASSES.index(superclass) for code, superclass in statements.items()}
    labels = np.zeros((len(scp_codes), len(SUPERCLASSES)), dtype=np.int8)
    for row, codes in zip(labels, scp_codes, strict=True):
        for code in codes:
            if code in column:
                row[column[code]] = 1
    return labels
