"""The algebra of the six limb leads: any of them follows from two others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Einthoven's and Goldberger's equations: every limb lead as a sum of lead I and lead II.
LIMB_LEADS: dict[str, tuple[float, float]] = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


def derive_limb_lead(name: str, known: dict[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """Compute a limb lead from two others.

    Args:
        name: standard spelling of the lead to compute.
        known: measured leads by standard spelling, arrays of shape (samples,) in one unit.

    Returns:
        Array of shape (samples,) in that unit, or None where ``name`` is no limb lead or fewer than two limb
        leads are known. Of more than two, the first two in the order of ``LIMB_LEADS`` are taken.

    Example:
        >>> derive_limb_lead("III", {"I": np.array([0.25]), "II": np.array([1.0])})
        array([0.75])
    """
    sources = [lead for lead in LIMB_LEADS if lead in known][:2]
    if name not in LIMB_LEADS or len(sources) < 2:
        return None
    first, second = np.linalg.solve(np.array([LIMB_LEADS[lead] for lead in sources]).T, LIMB_LEADS[name])
    return first * known[sources[0]] + second * known[sources[1]]


__all__ = ["LIMB_LEADS", "derive_limb_lead"]
