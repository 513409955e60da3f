"""Findings look like the textbook's: contrasts of the same hearts with and without them."""

import numpy as np
import pytest

from ssl_ecg_hf.data.labels import SUPERCLASSES
from ssl_ecg_hf.data.simulator_beats import draw_recordings, render
from ssl_ecg_hf.data.simulator_heart import (
    ANTERIOR,
    INFERIOR,
    LATERAL,
    LEFT_AXIS,
    LEFT_BUNDLE,
    RIGHT_BUNDLE,
    beat_waves,
    draw_patients,
)

FINDINGS = SUPERCLASSES[1:]
RATE = 500.0  # Hz
COUNT = 150
J_POINT_PLUS_70_MS = 0.12  # s after R


def multi_hot(*names: str, count: int = 1) -> np.ndarray:
    return np.tile(np.array([name in names for name in SUPERCLASSES], dtype=np.int8), (count, 1))


def one_beat(*names: str, count: int = COUNT) -> dict[str, np.ndarray]:
    """One noiseless beat, R at 0.5 s, of always the same hearts: lead -> (count, 500) mV."""
    rng = np.random.default_rng(7)
    patients = draw_patients(count, rng)
    recordings = draw_recordings(np.full(count, 60.0), 3.0, rng)
    shift = 0.5 - recordings.r_times[:, 2:3]
    recordings = type(recordings)(
        r_times=recordings.r_times + shift,
        beat_gains=np.ones_like(recordings.beat_gains),
        electrode_gains=np.ones_like(recordings.electrode_gains),
        breathing=np.zeros_like(recordings.breathing),
    )
    waves = beat_waves(patients, multi_hot(*names, count=count))
    independent = render(
        slice(0, count), patients, waves, recordings, num_samples=500, sampling_rate=RATE
    ).transpose(1, 0, 2)
    beat = dict(zip(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), independent, strict=True))
    beat["III"] = beat["II"] - beat["I"]
    beat["aVL"] = beat["I"] - beat["II"] / 2
    beat["aVF"] = beat["II"] - beat["I"] / 2
    return beat


def at(signal: np.ndarray, after_r: float) -> np.ndarray:
    return signal[:, round((0.5 + after_r) * RATE)]


def qrs_duration(beat: dict[str, np.ndarray]) -> np.ndarray:
    """Time in s over which the leads move fast around R: more than 6 % of their greatest speed."""
    leads = np.stack([beat[name] for name in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")], axis=1)
    speed = np.linalg.norm(np.gradient(leads, axis=-1), axis=1)
    window = speed[:, round(0.40 * RATE) : round(0.65 * RATE)]
    fast = window > 0.06 * window.max(axis=1, keepdims=True)
    first, last = fast.argmax(axis=1), fast.shape[1] - 1 - fast[:, ::-1].argmax(axis=1)
    return (last - first) / RATE


def kinds(field: str) -> np.ndarray:
    return getattr(draw_patients(COUNT, np.random.default_rng(7)), field)


def test_normal_beat():
    beat = one_beat("NORM")
    assert 0.080 < np.median(qrs_duration(beat)) < 0.105
    assert np.median(at(beat["V1"], 0.026)) < -0.2  # rS in V1
    assert 0.8 < np.median(beat["V5"].max(axis=1)) < 1.5
    assert np.mean(beat["II"][:, 275:400].max(axis=1) > 0.08) > 0.95  # upright T
    assert np.mean(beat["II"][:, 150:200].max(axis=1) > 0.04) > 0.95  # upright P
    assert np.abs(np.median(at(beat["V5"], J_POINT_PLUS_70_MS))) < 0.08


def test_zero_row_is_like_norm():
    for lead, signal in one_beat().items():
        np.testing.assert_array_equal(signal, one_beat("NORM")[lead])


@pytest.mark.parametrize("kind", [RIGHT_BUNDLE, LEFT_BUNDLE, LEFT_AXIS])
def test_conduction_disturbance_widens_the_qrs(kind):
    rows = kinds("conduction") == kind
    normal, wide = qrs_duration(one_beat("NORM"))[rows], qrs_duration(one_beat("CD"))[rows]
    assert 0.120 < np.median(wide) < 0.165
    assert np.mean(wide > normal + 0.01) > 0.8


def test_bundle_branch_blocks_and_left_axis():
    normal, block = one_beat("NORM"), one_beat("CD")
    right, left, axis = (kinds("conduction") == k for k in (RIGHT_BUNDLE, LEFT_BUNDLE, LEFT_AXIS))
    late = 0.07
    assert np.median(at(block["V1"], late)[right]) > 0.2  # R' in V1
    assert np.median(at(block["V6"], late)[right]) < -0.15  # broad S in V6
    assert np.median(at(block["V6"], late)[left]) > 0.2  # broad R in V6
    assert np.median(at(block["V1"], late)[left]) < -0.3  # QS in V1
    assert np.mean(at(block["V6"], 0.28)[left] < at(normal["V6"], 0.28)[left]) == 1.0  # T against the QRS
    assert np.median(at(block["aVF"], 0.035)[axis]) < np.median(at(normal["aVF"], 0.035)[axis]) - 0.2


@pytest.mark.parametrize(
    ("territory", "leads", "opposite"),
    [
        (ANTERIOR, ("V2", "V3"), "aVF"),
        (INFERIOR, ("II", "III", "aVF"), "aVL"),
        (LATERAL, ("I", "aVL"), "III"),
    ],
)
def test_acute_infarction_raises_st_in_its_territory(territory, leads, opposite):
    rows = (kinds("territory") == territory) & (kinds("infarct_age") < 0.5)
    normal, infarction = one_beat("NORM"), one_beat("MI")
    for lead in leads:
        change = (at(infarction[lead], J_POINT_PLUS_70_MS) - at(normal[lead], J_POINT_PLUS_70_MS))[rows]
        assert (change > 0).all()
        assert np.mean(change) > 0.06
    assert np.mean((at(infarction[opposite], 0.12) - at(normal[opposite], 0.12))[rows]) < -0.02


@pytest.mark.parametrize(
    ("territory", "lead"), [(ANTERIOR, "V2"), (INFERIOR, "III"), (INFERIOR, "aVF"), (LATERAL, "aVL")]
)
def test_old_infarction_has_q_waves_and_inverted_t(territory, lead):
    rows = (kinds("territory") == territory) & (kinds("infarct_age") > 0.6)
    normal, infarction = one_beat("NORM")[lead][rows], one_beat("MI")[lead][rows]
    assert np.mean(at(infarction, -0.024) - at(normal, -0.024)) < -0.15  # Q, or no r where one was
    severe = kinds("severity")[rows, SUPERCLASSES.index("MI")] > 0.6
    assert np.mean(at(infarction, -0.024)[severe] < -0.1) > 0.7
    assert (at(infarction, 0.30) < at(normal, 0.30)).all()


def test_st_t_change_depresses_st_and_flattens_t():
    normal, change = one_beat("NORM"), one_beat("STTC")
    ischaemic = kinds("ischaemia") > 0.6
    st_level = at(change["V5"], J_POINT_PLUS_70_MS) - at(normal["V5"], J_POINT_PLUS_70_MS)
    assert np.mean(st_level[ischaemic]) < -0.05
    assert np.median(at(change["V5"], 0.28)[~ischaemic]) < 0.5 * np.median(at(normal["V5"], 0.28)[~ischaemic])
    assert np.mean(at(change["V5"], 0.28)[~ischaemic] < 0) > 0.1  # some inverted


def test_hypertrophy_has_high_voltage_and_sometimes_strain():
    normal, thick = one_beat("NORM"), one_beat("HYP")
    sokolow = [beat["V5"].max(axis=1) - beat["V1"].min(axis=1) for beat in (normal, thick)]
    assert np.mean(thick["V5"].max(axis=1) > normal["V5"].max(axis=1)) > 0.99
    assert np.mean(thick["V1"].min(axis=1) < normal["V1"].min(axis=1)) > 0.97
    assert np.median(sokolow[0]) < 2.2
    assert np.median(sokolow[1]) > 2.4
    t_wave = at(thick["V6"], 0.28)
    assert 0.02 < np.mean(t_wave < 0) < 0.4


@pytest.mark.parametrize("name", FINDINGS)
def test_severity_makes_the_difference(name):
    distance = np.sqrt(
        sum(
            ((one_beat(name)[lead] - one_beat("NORM")[lead]) ** 2).mean(axis=1)
            for lead in ("I", "II", "V1", "V5")
        )
    )
    severity = kinds("severity")[:, SUPERCLASSES.index(name)]
    assert np.corrcoef(distance, severity)[0, 1] > 0.5
    assert distance.min() > 0
