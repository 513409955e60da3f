"""From disturbances at the electrodes to the disturbances they cause in the leads."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

# Rows I, II, III, aVR, aVL, aVF, V1..V6; columns: the potentials of RA, LA, LL, V1..V6.
LIMB_LEADS = (
    (-1.0, 1.0, 0.0),
    (-1.0, 0.0, 1.0),
    (0.0, -1.0, 1.0),
    (1.0, -0.5, -0.5),
    (-0.5, 1.0, -0.5),
    (-0.5, -0.5, 1.0),
)


def number_of_electrodes(leads: int) -> int:
    """Return 9 for the standard 12 leads (without the reference electrode), else one per lead."""
    return 9 if leads == 12 else leads


@lru_cache(maxsize=8)
def lead_matrix(device: torch.device) -> Tensor:
    """Return the matrix of shape (12, 9) from potentials (mV) at RA, LA, LL, V1..V6 to leads (mV)."""
    matrix = torch.zeros(12, 9)
    matrix[:6, :3] = torch.tensor(LIMB_LEADS)
    matrix[6:, :3] = -1 / 3  # Wilson's central terminal
    matrix[6:, 3:] = torch.eye(6)
    return matrix.to(device)


def leads_from_electrodes(potentials: Tensor, *, leads: int) -> Tensor:
    """Return what potentials at the electrodes cause in the leads.

    Args:
        potentials: shape (batch, ``number_of_electrodes(leads)``, anything), in mV.
        leads: number of leads. 12 are the standard leads, caused by RA, LA, LL, V1..V6, so that III = II - I
            holds by construction. Any other set is unknown here and gets one electrode a lead.

    Returns:
        Tensor of shape (batch, leads, anything), in mV.
    """
    return lead_matrix(potentials.device) @ potentials if leads == 12 else potentials


def add_electrode_signals(signal: Tensor, weights: Tensor, basis: Tensor) -> Tensor:
    """Add to ``signal``, in place, what the time courses in ``basis`` cause when they act on the electrodes.

    Args:
        signal: shape (batch, leads, samples) in mV.
        weights: how strong each time course is at each electrode, shape (batch, electrodes, courses) in mV.
        basis: the time courses, shape (batch, courses, samples), without unit.

    Returns:
        ``signal``, of shape (batch, leads, samples) in mV.
    """
    return signal.baddbmm_(leads_from_electrodes(weights, leads=signal.shape[1]), basis)
