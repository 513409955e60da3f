"""Simulated hearts: what differs between patients, and what five textbook findings do to the waves.

A heart is nine Gaussian waves (the model of McSharry et al. 2003) whose amplitudes are vectors in space (as
in Sameni et al. 2007): X points to the left, Y to the feet, Z to the back. A finding moves, widens or turns
waves.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Two Gaussians each for P (right, then left atrium) and T (slow rise, faster fall); L is the late part of a
# wide QRS and empty in normal conduction.
WAVES: tuple[str, ...] = ("P1", "P2", "Q", "R", "S", "L", "ST", "T1", "T2")
P1, P2, Q, R, S, L, ST, T1, T2 = range(len(WAVES))
_QRS, _T = [Q, R, S, L], [T1, T2]

_CENTRES = np.array(
    [-0.165, -0.140, -0.024, 0.0, 0.026, 0.055, 0.115, 0.250, 0.300]
)  # s after R, at 60 / min
_WIDTHS = np.array([0.018, 0.020, 0.0080, 0.0105, 0.0100, 0.0140, 0.045, 0.055, 0.034])  # s, one sigma
_VECTORS = np.array(
    [
        [0.05, 0.07, -0.05],
        [0.08, 0.05, 0.05],
        [-0.13, -0.05, -0.20],
        [1.00, 0.75, 0.25],
        [-0.15, -0.10, 0.45],
        [0.0, 0.0, 0.0],
        [0.02, 0.01, -0.03],
        [0.15, 0.09, -0.10],
        [0.13, 0.08, -0.07],
    ]
)  # mV along X, Y, Z

# Dower et al. 1980: rows I, II, V1..V6; columns X, Y, Z.
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)

RIGHT_BUNDLE, LEFT_BUNDLE, LEFT_AXIS = range(3)
ANTERIOR, INFERIOR, LATERAL = range(3)
_TERRITORIES = np.array([[0.25, -0.35, -0.90], [-0.05, 1.00, 0.10], [0.95, -0.35, 0.05]])


@dataclass(frozen=True, kw_only=True)
class Patients:
    """What stays the same in all recordings of a patient; every field has one row per patient.

    Severities and kinds are drawn for every finding, whether the patient has it or not: the labels of a
    recording decide what shows.
    """

    lead_field: Floats  # (patients, 8, 3): heart vector -> I, II, V1..V6; torso and position of the heart
    vectors: Floats  # (patients, 9, 3) mV: the waves of the healthy heart
    centres: Floats  # (patients, 9) s after R, at 60 beats a minute
    widths: Floats  # (patients, 9) s
    heart_rate: Floats  # (patients,) beats a minute
    severity: Floats  # (patients, 5) in 0..1, one column per superclass; NORM's is unused
    territory: NDArray[np.int64]  # (patients,): ANTERIOR, INFERIOR or LATERAL infarction
    infarct_age: Floats  # (patients,): 0 = acute (ST elevation), 1 = old (Q wave, inverted T)
    conduction: NDArray[np.int64]  # (patients,): RIGHT_BUNDLE, LEFT_BUNDLE or LEFT_AXIS
    strain: Floats  # (patients,): how much strain a hypertrophy shows, 0..1
    ischaemia: Floats  # (patients,): share of ST depression in ST/T change; the rest is T inversion

    def take(self, rows: NDArray[np.int64]) -> Patients:
        """Return the patients ``rows``, repeated where a row is."""
        return Patients(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Waves:
    """The waves of one beat per recording: vectors (records, 9, 3) mV, centres and widths (records, 9) s."""

    vectors: Floats
    centres: Floats
    widths: Floats


def draw_patients(count: int, rng: np.random.Generator) -> Patients:
    """Draw ``count`` patients: torso, heart axis, sizes and times of the waves, heart rate, and findings."""
    axis = _rotations(rng.normal(scale=np.radians([7.0, 8.0, 13.0]), size=(count, 3)))
    lead_field = _DOWER * rng.normal(1.0, 0.12, (count, 8, 3)) @ axis

    gains = np.exp(rng.normal(0.0, 0.13, (count, len(WAVES))))
    gains[:, _T] *= np.exp(rng.normal(-0.04, 0.28, (count, 1)))
    gains *= np.exp(rng.normal(0.0, 0.16, (count, 1)))
    sizes = np.linalg.norm(_VECTORS, axis=1)[:, None]
    # Benign variants: waves point elsewhere, a small late wave, early repolarisation.
    vectors = _VECTORS * gains[:, :, None] + rng.normal(0.0, 0.14, (count, len(WAVES), 3)) * sizes
    vectors[:, L] += rng.normal(0.0, 0.06, (count, 3))
    vectors[:, ST] += rng.normal(0.0, 0.022, (count, 3))

    centres = _CENTRES * np.exp(rng.normal(0.0, 0.05, (count, len(WAVES))))
    centres[:, [P1, P2]] += rng.normal(0.0, 0.010, (count, 1))
    widths = _WIDTHS * np.exp(rng.normal(0.0, 0.06, (count, len(WAVES))))
    return Patients(
        lead_field=lead_field,
        vectors=vectors,
        centres=centres,
        widths=widths,
        heart_rate=np.clip(rng.normal(71.0, 13.0, count), 50.0, 112.0),
        severity=rng.beta(1.1, 1.7, (count, 5)),
        territory=rng.choice(3, size=count, p=[0.4, 0.4, 0.2]),
        infarct_age=rng.random(count),
        conduction=rng.choice(3, size=count, p=[0.45, 0.3, 0.25]),
        strain=np.clip(rng.uniform(-0.5, 1.0, count), 0.0, None),
        ischaemia=rng.random(count),
    )


def beat_waves(patients: Patients, labels: NDArray[np.int8]) -> Waves:
    """Return the waves of each recording with the findings of its labels.

    Args:
        patients: one patient per recording.
        labels: multi-hot, (records, 5), in the order NORM, MI, STTC, HYP, CD.
    """
    waves = Waves(
        vectors=patients.vectors.copy(), centres=patients.centres.copy(), widths=patients.widths.copy()
    )
    present = labels.astype(np.float64)
    # A finding that is reported shows at least a little.
    _, infarction, st_t_change, hypertrophy, conduction = (present * (0.1 + 0.9 * patients.severity)).T
    _add_hypertrophy(waves, hypertrophy, patients)
    _add_conduction_disturbance(waves, conduction, patients)
    _add_infarction(waves, infarction, patients)
    _add_st_t_change(waves, st_t_change, patients)
    return waves


def _add_hypertrophy(waves: Waves, severity: Floats, patients: Patients) -> None:
    """Left ventricular: tall R in V5 and V6, deep S in V1 and V2, wide left atrium, strain in some."""
    waves.vectors[:, R] *= 1.0 + severity[:, None] * [1.0, 0.25, 1.0]
    waves.vectors[:, R] += severity[:, None] * [0.10, 0.0, 0.20]
    waves.vectors[:, S] += severity[:, None] * [-0.05, -0.05, 0.45]
    waves.vectors[:, P2] += severity[:, None] * [0.02, 0.0, 0.06]
    strain = (severity * patients.strain)[:, None]
    waves.vectors[:, ST] += strain * [-0.14, -0.05, 0.12]
    waves.vectors[:, _T] += (strain * [-0.32, -0.14, 0.14])[:, None]


def _add_conduction_disturbance(waves: Waves, severity: Floats, patients: Patients) -> None:
    """A QRS of 120 ms and more: right or left bundle branch block, or a slow ventricle with left axis."""
    right, left, slow = (severity * (patients.conduction == kind) for kind in range(3))

    # rSR' in V1, broad S in I and V6: the right ventricle comes late, to the right and to the front.
    waves.vectors[:, L] += right[:, None] * [-0.50, -0.05, -0.60] + (right > 0)[:, None] * [-0.06, 0.0, -0.08]
    waves.vectors[:, S] *= 1.0 - 0.4 * right[:, None]
    waves.vectors[:, _T] += (right[:, None] * [0.02, 0.0, 0.13])[:, None]
    waves.centres[:, L] += 0.012 * (right > 0) + 0.012 * right
    waves.widths[:, L] += 0.004 * (right > 0) + 0.004 * right

    # Broad notched R in V6, QS in V1, no septal q, ST and T against the QRS: the left ventricle comes late.
    waves.vectors[:, Q] += left[:, None] * [0.35, 0.10, 0.35]
    waves.vectors[:, R] *= 1.0 - 0.25 * left[:, None]
    waves.vectors[:, S] += left[:, None] * [0.65, 0.20, 0.25]
    waves.vectors[:, L] += left[:, None] * [0.70, 0.10, 0.80] + (left > 0)[:, None] * [0.06, 0.02, 0.06]
    waves.vectors[:, ST] += left[:, None] * [-0.08, -0.03, -0.14]
    waves.vectors[:, _T] += (left[:, None] * [-0.28, -0.12, -0.10])[:, None]
    waves.centres[:, L] += 0.004 * (left > 0) + 0.008 * left
    waves.widths[:, L] += 0.006 * (left > 0) + 0.006 * left

    # rS in II, III and aVF: the end of a slow QRS points up and to the left.
    stretch = 1.0 + 0.22 * (slow > 0) + 0.38 * slow
    waves.centres[:, _QRS] *= stretch[:, None]
    waves.widths[:, _QRS] *= stretch[:, None]
    waves.vectors[:, R] += slow[:, None] * [0.05, -0.55, 0.0]
    waves.vectors[:, S] += slow[:, None] * [0.20, -0.80, 0.05]


def _add_infarction(waves: Waves, severity: Floats, patients: Patients) -> None:
    """Q waves in the territory, and ST elevation (acute) or T inversion (old); the far side mirrors it."""
    towards = _TERRITORIES[patients.territory]
    loss = (severity * (0.45 + 0.55 * patients.infarct_age))[:, None]
    acute = (severity * (1.0 - patients.infarct_age))[:, None]
    old = (severity * patients.infarct_age)[:, None]
    waves.vectors[:, Q] -= 0.65 * loss * towards
    waves.centres[:, Q] -= 0.008 * loss[:, 0]
    waves.widths[:, Q] += 0.006 * loss[:, 0]
    # Dead muscle no longer pulls the heart vector its way.
    pull = np.clip(np.sum(waves.vectors[:, R] * towards, axis=1, keepdims=True), 0.0, None)
    waves.vectors[:, R] -= 0.5 * loss * pull * towards
    waves.centres[:, ST] += 0.020 * acute[:, 0]
    waves.widths[:, ST] += 0.020 * acute[:, 0]
    waves.vectors[:, ST] += (0.28 * acute + 0.04 * severity[:, None]) * towards
    waves.vectors[:, T1] += 0.16 * acute * towards - 0.12 * old * towards
    waves.vectors[:, T2] -= 0.22 * old * towards


def _add_st_t_change(waves: Waves, severity: Floats, patients: Patients) -> None:
    """ST depression in the lateral leads, and T waves that are flat or inverted."""
    depression = (severity * patients.ischaemia)[:, None]
    inversion = (severity * (1.0 - 0.6 * patients.ischaemia))[:, None]
    waves.vectors[:, ST] += depression * [-0.16, -0.10, 0.06]
    waves.vectors[:, _T] *= 1.0 - 1.7 * inversion[:, None]


def _rotations(angles: Floats) -> Floats:
    """Return rotation matrices (count, 3, 3) about X, Y and Z from angles (count, 3) in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    zero, one = np.zeros_like(cx), np.ones_like(cx)
    about_x = np.stack([one, zero, zero, zero, cx, -sx, zero, sx, cx], axis=1)
    about_y = np.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], axis=1)
    about_z = np.stack([cz, -sz, zero, sz, cz, zero, zero, zero, one], axis=1)
    return about_x.reshape(-1, 3, 3) @ about_y.reshape(-1, 3, 3) @ about_z.reshape(-1, 3, 3)
