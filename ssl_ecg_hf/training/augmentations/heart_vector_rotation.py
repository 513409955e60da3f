"""Rotation of the heart vector: the same heart in another position, seen by the same electrodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from ssl_ecg_hf.modeling.limb_leads_ssl_ecg import LIMB_LEADS
from ssl_ecg_hf.training.augmentations.base import Augmentation, check_number, check_range
from ssl_ecg_hf.training.augmentations.draws import log_uniform, uniform

# What the components X (to the left), Y (to the feet) and Z (to the back) cause in I, II, V1..V6.
DOWER = (
    (0.632, -0.235, 0.059),
    (0.235, 1.066, -0.132),
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)
# X, Y and Z from I, II, V1..V6: the pseudo-inverse.
INVERSE_DOWER = (
    (0.156, -0.010, -0.172, -0.074, 0.122, 0.231, 0.239, 0.194),
    (-0.227, 0.887, 0.057, -0.019, -0.106, -0.022, 0.041, 0.048),
    (0.022, 0.102, -0.229, -0.310, -0.246, -0.063, 0.055, 0.108),
)
LEADS = 12


@lru_cache(maxsize=8)
def vector_from_leads(device: torch.device) -> Tensor:
    """Return the matrix of shape (3, 12) from the standard leads (mV) to the heart vector X, Y, Z (mV)."""
    matrix = torch.zeros(3, LEADS)
    matrix[:, [0, 1, *range(6, LEADS)]] = torch.tensor(INVERSE_DOWER)
    return matrix.to(device)


@lru_cache(maxsize=8)
def leads_from_vector(device: torch.device) -> Tensor:
    """Return the matrix of shape (12, 3) from the heart vector (mV) to the standard leads (mV)."""
    dower = torch.tensor(DOWER)
    limb = torch.tensor(list(LIMB_LEADS.values())) @ dower[:2]
    return torch.cat([limb, dower[2:]]).to(device)


def rotation_matrix(angles: Tensor) -> Tensor:
    """Return rotations about the axes X, then Y, then Z.

    Args:
        angles: in radians, shape (batch, 3).

    Returns:
        Tensor of shape (batch, 3, 3).

    Example:
        >>> quarter_turn_about_z = rotation_matrix(torch.tensor([[0.0, 0.0, torch.pi / 2]]))
        >>> (quarter_turn_about_z @ torch.tensor([1.0, 0.0, 0.0])).round(decimals=3).abs()
        tensor([[0., 1., 0.]])
    """
    (a, b, c), (x, y, z) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        [c * b, c * y * x - z * a, c * y * a + z * x],
        [z * b, z * y * x + c * a, z * y * a - c * x],
        [-y, b * x, b * a],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


@dataclass(frozen=True, kw_only=True)
class HeartVectorRotation(Augmentation):
    """Turn and scale the heart vector of each recording, and derive the leads from it again.

    Simulates another position of the heart in the chest, another build, and electrodes that are placed a
    little differently. The vector follows from leads I, II, V1..V6 by the inverse Dower matrix, the leads
    from the vector by the Dower matrix, the other limb leads from I and II: keeps III = II - I.

    Three numbers do not explain twelve leads. By default the leads change by what the change of the vector
    explains and keep the rest, details of single leads and noise alike: a turn of 0 degrees and a scale of 1
    change nothing, and a view is as rich as the recordings that the encoder meets later. 3KG goes through the
    vector alone, so that its views hold three independent leads only: that is ``keep_residual=False``.

    The standard 12 leads in their order are needed: no other set of leads has these matrices, and nothing is
    guessed for it.

    Args:
        p: probability that a recording is changed.
        max_angle: in degrees. The angles about the three axes are uniform in [-max_angle, max_angle].
        scale: range of the factors of the three components after the turn, drawn log-uniformly.
        keep_residual: keep what the vector does not explain.

    Raises:
        ValueError: if a parameter lies outside its range, or the recordings have other than 12 leads.

    Reference:
        Gopal et al., "3KG: Contrastive learning of 12-lead electrocardiograms using physiologically-inspired
        augmentations", ML4H 2021; Dower et al., "On deriving the electrocardiogram from vectorcardiographic
        leads", Clinical Cardiology 3, 1980; Edenbrandt and Pahlm, "Vectorcardiogram synthesized from a
        12-lead ECG: superiority of the inverse Dower matrix", Journal of Electrocardiology 21, 1988.

    Example:
        >>> augment = HeartVectorRotation(max_angle=45.0)
        >>> leads = leads_from_vector(torch.device("cpu")) @ torch.randn(1, 3, 1000)
        >>> i, ii, iii = augment(leads, sampling_rate=100, generator=torch.Generator())[0, :3]
        >>> bool(torch.allclose(iii, ii - i, atol=1e-5))
        True
    """

    keeps_einthoven: ClassVar[bool] = True
    simulates: ClassVar[str] = "another position of the heart"

    max_angle: float = 45.0
    scale: tuple[float, float] = (0.8, 1.25)
    keep_residual: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("max_angle", self.max_angle, low=0, high=180)
        check_range("scale", self.scale, low=1e-3, high=1e3)

    @property
    def needs_lead_order(self) -> bool:
        """See ``Augmentation.needs_lead_order``."""
        return True

    def apply(
        self, signal: Tensor, *, gate: Tensor, sampling_rate: float, generator: torch.Generator
    ) -> Tensor:
        """See ``Augmentation.apply``."""
        batch, leads, _ = signal.shape
        if leads != LEADS:
            raise ValueError(
                "heart_vector_rotation needs the standard 12 leads in the order "
                f"{', '.join(LIMB_LEADS)}, V1..V6; the recordings have {leads}: remove it from the recipe"
            )
        limit = math.radians(self.max_angle)
        angles = uniform((batch, 3), -limit, limit, like=signal, generator=generator)
        scale = log_uniform((batch, 3, 1), *self.scale, like=signal, generator=generator)
        to_vector, to_leads = vector_from_leads(signal.device), leads_from_vector(signal.device)
        same = torch.eye(LEADS, device=signal.device)
        change = scale * rotation_matrix(angles)
        if self.keep_residual:
            change = change - torch.eye(3, device=signal.device)
        mixed = to_leads @ change @ to_vector
        if self.keep_residual:
            mixed = same + mixed
        return torch.lerp(same, mixed, gate) @ signal
