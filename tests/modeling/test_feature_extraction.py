from __future__ import annotations

import json
import math
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from ssl_ecg_hf.modeling.feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling.limb_leads_ssl_ecg import LIMB_LEADS, derive_limb_lead
from ssl_ecg_hf.modeling.resampling_ssl_ecg import _kernel, resample, resampled_length

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def twelve_leads(num_samples: int = 1000, *, seed: int = 0) -> np.ndarray:
    """12 leads of about 1 mV that obey Einthoven's and Goldberger's equations."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(0.0, 0.5, (8, num_samples))
    limb = [a * basis[0] + b * basis[1] for a, b in LIMB_LEADS.values()]
    return np.concatenate([np.stack(limb), basis[2:]])


@pytest.fixture
def extractor() -> SslEcgFeatureExtractor:
    return SslEcgFeatureExtractor()


# Resampling


@pytest.mark.parametrize("source_rate", [500.0, 1000.0, 250.0, 257.0, 360.0, 128.0, 62.5])
def test_a_slow_sine_stays_the_same_sine(source_rate: float) -> None:
    seconds = np.arange(int(10 * source_rate)) / source_rate
    resampled = resample(np.sin(2 * np.pi * 7.3 * seconds)[None], source_rate=source_rate, target_rate=100.0)
    expected = np.sin(2 * np.pi * 7.3 * np.arange(resampled.shape[1]) / 100.0)
    np.testing.assert_allclose(resampled[0, 60:-60], expected[60:-60], atol=4e-4)


@pytest.mark.parametrize("frequency", [50.0, 60.0, 149.0, 199.0])
def test_frequencies_above_the_new_nyquist_do_not_alias(frequency: float) -> None:
    seconds = np.arange(5000) / 500.0
    resampled = resample(
        np.sin(2 * np.pi * frequency * seconds + 1.0)[None], source_rate=500, target_rate=100
    )
    assert np.abs(resampled[0, 150:-150]).max() < 1e-3


def test_resampling_agrees_with_scipy_on_a_band_limited_signal() -> None:
    rng = np.random.default_rng(3)
    seconds = np.arange(5000) / 500.0
    signal = sum(
        np.sin(2 * np.pi * f * seconds + p)
        for f, p in zip(range(1, 38, 3), rng.uniform(0, 6, 13), strict=True)
    )
    ours = resample(signal[None], source_rate=500.0, target_rate=100.0)[0]
    theirs = resample_poly(signal, 1, 5, window=("kaiser", 12.0))
    np.testing.assert_allclose(ours[150:-150], theirs[150:-150], atol=0.02)


@settings(max_examples=25, deadline=None)
@given(
    source_rate=st.floats(40.0, 1200.0),
    target_rate=st.floats(40.0, 600.0),
    level=st.floats(-300.0, 300.0),
    num_samples=st.integers(2, 1500),
)
def test_a_constant_stays_constant(
    source_rate: float, target_rate: float, level: float, num_samples: int
) -> None:
    signal = np.full((2, num_samples), level)
    resampled = resample(signal, source_rate=source_rate, target_rate=target_rate)
    assert resampled.shape == (2, resampled_length(num_samples, source_rate, target_rate))
    np.testing.assert_allclose(resampled, level, rtol=1e-12, atol=1e-12)


def test_a_part_of_the_result_equals_that_part_of_the_whole() -> None:
    signal = np.random.default_rng(0).normal(size=(2, 900))
    whole = resample(signal, source_rate=300.0, target_rate=100.0)
    part = resample(signal, source_rate=300.0, target_rate=100.0, start=100, stop=130)
    np.testing.assert_array_equal(part, whole[:, 100:130])


@pytest.mark.parametrize(("rate", "tolerance"), [(360.0, 0.0), (1000.0, 0.0), (50_000.0, 1e-12)])
def test_blocks_of_samples_give_the_result_of_the_whole(
    rate: float, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = np.random.default_rng(0).normal(size=(2, int(rate) // 10))
    found = []
    for at_once in (1, 50_000, 10**9):
        monkeypatch.setattr("ssl_ecg_hf.modeling.resampling_ssl_ecg.AT_ONCE", at_once)
        found.append(resample(signal, source_rate=rate, target_rate=100.0))
    assert found[0].shape == (2, 10)
    for blocks in found[:2]:
        np.testing.assert_allclose(blocks, found[2], rtol=0, atol=tolerance)


def test_a_high_rate_does_not_decide_about_memory() -> None:
    signal = np.random.default_rng(0).normal(size=(1, 50_000))
    _kernel.cache_clear()
    tracemalloc.start()
    try:
        resample(signal, source_rate=50_000.0, target_rate=100.0)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150e6
    assert kept < 70e6


def test_the_same_rate_leaves_every_bit_alone(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads().astype(np.float32)
    features = extractor(signal, sampling_rate=100, leads="standard", unit="mV")
    np.testing.assert_array_equal(features["input_values"], signal[None])


# Units and plausibility


@pytest.mark.parametrize(
    ("unit", "factor"), [("mV", 1.0), ("uV", 1e3), ("\u00b5V", 1e3), ("\u03bcV", 1e3), ("V", 1e-3)]
)
def test_units_become_millivolts(extractor: SslEcgFeatureExtractor, unit: str, factor: float) -> None:
    signal = twelve_leads()
    features = extractor(signal * factor, sampling_rate=100, leads="standard", unit=unit)
    np.testing.assert_allclose(features["input_values"][0], signal, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("factor", "declared", "mistake"),
    [
        (1e3, "mV", "uV stated as mV"),
        (1e-3, "mV", "V stated as mV"),
        (1.0, "uV", "mV stated as uV"),
        (1.0, "V", "mV stated as V"),
        (1e3, "V", "uV stated as V"),
        (1e-3, "uV", "V stated as uV"),
        (1e12, "mV", "no usual unit fits"),
    ],
)
def test_a_wrong_unit_is_refused_and_the_mistake_named(
    extractor: SslEcgFeatureExtractor, factor: float, declared: str, mistake: str
) -> None:
    with pytest.raises(ValueError, match=f"an ECG lies between 0.02 and 20 mV: .*{mistake}"):
        extractor(twelve_leads() * factor, sampling_rate=100, leads="standard", unit=declared)


def test_spikes_and_one_wild_lead_do_not_refuse_a_recording(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads()
    signal[:, 500] = 900.0
    signal[7] *= 200.0
    features = extractor(signal, sampling_rate=100, leads="standard", unit="mV")
    assert features["input_values"][0, 0, 500] == 900.0


def test_an_adc_baseline_is_refused(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(ValueError, match="2048 mV away from zero"):
        extractor(twelve_leads() + 2048.0, sampling_rate=100, leads="standard", unit="mV")


def test_an_unknown_unit_is_refused(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(ValueError, match="unit='mv'; expected one of 'mV', 'uV'"):
        extractor(twelve_leads(), sampling_rate=100, leads="standard", unit="mv")


# Leads


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(STANDARD), change_case=st.booleans())
def test_leads_are_found_by_name_in_any_order_and_case(order: list[str], change_case: bool) -> None:
    signal = twelve_leads(200)
    rows = [STANDARD.index(name) for name in order]
    names = [name.swapcase() + " " for name in order] if change_case else order
    features = SslEcgFeatureExtractor(num_samples=200)(
        signal[rows], sampling_rate=100, leads=names, unit="mV"
    )
    np.testing.assert_array_equal(features["input_values"][0], signal.astype(np.float32))
    assert features["lead_mask"].all()


def test_swapped_names_swap_the_leads(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads()
    names = ["II", "I", *STANDARD[2:]]
    features = extractor(signal, sampling_rate=100, leads=names, unit="mV")
    np.testing.assert_array_equal(features["input_values"][0, 1], signal[0].astype(np.float32))


@pytest.mark.parametrize("kept", [("I", "II"), ("I", "aVF"), ("aVL", "III"), ("aVR", "aVL")])
def test_four_limb_leads_follow_from_two(extractor: SslEcgFeatureExtractor, kept: tuple[str, str]) -> None:
    signal = twelve_leads()
    names = [*kept, *STANDARD[6:]]
    rows = [STANDARD.index(name) for name in names]
    features = extractor(signal[rows], sampling_rate=100, leads=names, unit="mV")
    np.testing.assert_allclose(features["input_values"][0], signal, atol=1e-6)
    assert features["lead_mask"].all()


def test_one_limb_lead_is_not_enough() -> None:
    assert derive_limb_lead("III", {"I": np.ones(3), "V1": np.ones(3)}) is None
    assert derive_limb_lead("V2", {"I": np.ones(3), "II": np.ones(3)}) is None


def test_other_missing_leads_are_zero_masked_and_named(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads()
    with pytest.warns(UserWarning, match="V2, V5 missing or flat"):
        features = extractor(
            np.delete(signal, [7, 10], axis=0),
            sampling_rate=100,
            leads=[name for name in STANDARD if name not in ("V2", "V5")],
            unit="mV",
        )
    assert np.flatnonzero(~features["lead_mask"][0]).tolist() == [7, 10]
    assert not features["input_values"][0, [7, 10]].any()


def test_missing_leads_can_be_refused() -> None:
    extractor = SslEcgFeatureExtractor(missing_leads="raise")
    with pytest.raises(ValueError, match="V6 missing"):
        extractor(twelve_leads()[:11], sampling_rate=100, leads=STANDARD[:11], unit="mV")


def test_extra_leads_are_dropped(extractor: SslEcgFeatureExtractor) -> None:
    signal = np.vstack([np.full((1, 1000), np.nan), twelve_leads()])
    features = extractor(signal, sampling_rate=100, leads=["V7", *STANDARD], unit="mV")
    np.testing.assert_array_equal(features["input_values"][0], signal[1:].astype(np.float32))


def test_a_flat_lead_is_masked_and_never_derived(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads()
    signal[2] = 0.7
    with pytest.warns(UserWarning, match="III missing or flat"):
        features = extractor(signal, sampling_rate=100, leads="standard", unit="mV")
    assert np.flatnonzero(~features["lead_mask"][0]).tolist() == [2]
    assert not features["input_values"][0, 2].any()


def test_a_flat_recording_is_refused(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(ValueError, match=r"no signal in a recording .* are flat"):
        extractor(np.zeros((12, 1000)), sampling_rate=100, leads="standard", unit="mV")


@pytest.mark.parametrize("names", [["X", "Y"], ["I", "Y"]])
def test_a_recording_without_a_lead_of_the_model_is_refused(names: list[str]) -> None:
    extractor = SslEcgFeatureExtractor(leads=["V1", "V2"])
    with pytest.raises(ValueError, match=r"no lead of the model|nothing left"):
        extractor(twelve_leads()[:2], sampling_rate=100, leads=names, unit="mV")


@pytest.mark.parametrize(
    ("leads", "message"),
    [
        (["I"] * 12, "more than once"),
        (["i", "I", *STANDARD[2:]], "more than once"),
        (STANDARD[:8], r"12 rows \(shape \(12, 1000\)\) but 8 lead names"),
        ("I", "leads='I'; pass one name per row"),
        (range(12), r"leads=\[0, 1, .*\]; pass names"),
    ],
)
def test_lead_names_must_fit(extractor: SslEcgFeatureExtractor, leads: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extractor(twelve_leads(), sampling_rate=100, leads=leads, unit="mV")


# Shape, length, broken samples


def test_a_transposed_recording_is_recognised(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(ValueError, match=r"it looks like \(samples, leads\): pass signal.T"):
        extractor(twelve_leads().T, sampling_rate=100, leads="standard", unit="mV")


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(1000), r"for a single lead \(1, samples\)"),
        (np.zeros((1, 1, 12, 1000)), "expected \\(leads, samples\\)"),
        (np.zeros((12, 1000), dtype=complex), "dtype complex128; expected real numbers"),
        (np.zeros((12, 1000), dtype=bool), "dtype bool"),
        ("recording.dat", "signal is a str"),
        ([], "no recording"),
        (np.zeros((0, 12, 1000)), "no recording"),
        ([[0.0, 1.0], [0.0]], "the leads of a recording differ in length"),
        (twelve_leads(99), "99 samples at 100 Hz, 0.99 s; expected at least 1 s"),
    ],
)
def test_signals_of_other_forms_are_refused(
    extractor: SslEcgFeatureExtractor, signal: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        extractor(signal, sampling_rate=100, leads="standard", unit="mV")


@pytest.mark.parametrize(
    "kind",
    [np.asarray, torch.as_tensor, np.ndarray.tolist, lambda a: [a], lambda a: torch.as_tensor(a)[None]],
)
def test_arrays_tensors_and_lists_are_equal(extractor: SslEcgFeatureExtractor, kind: object) -> None:
    signal = twelve_leads()
    features = extractor(kind(signal), sampling_rate=100, leads="standard", unit="mV")
    np.testing.assert_array_equal(features["input_values"], signal[None].astype(np.float32))


def test_a_batch_equals_its_recordings_one_by_one(extractor: SslEcgFeatureExtractor) -> None:
    recordings = [twelve_leads(n, seed=n) for n in (5000, 5400, 5499)]
    stated = {"sampling_rate": 500, "leads": "standard", "unit": "mV"}
    batch = extractor(recordings, **stated, return_tensors="pt")
    single = torch.cat([extractor(r, **stated, return_tensors="pt")["input_values"] for r in recordings])
    assert batch["input_values"].shape == (3, 12, 1000)
    assert batch["input_values"].dtype == torch.float32
    assert batch["lead_mask"].dtype == torch.bool
    torch.testing.assert_close(batch["input_values"], single, rtol=0, atol=0)


@pytest.mark.parametrize("rate", [100_001, 1e6])
def test_a_rate_that_no_recorder_has_is_refused(extractor: SslEcgFeatureExtractor, rate: float) -> None:
    with pytest.raises(ValueError, match=r"too high for an ECG; .* 100000 Hz: state samples per second"):
        extractor(np.zeros((12, 10)), sampling_rate=rate, leads="standard", unit="mV")
    fast = SslEcgFeatureExtractor(sampling_rate=2e6, num_samples=1000)
    with pytest.raises(ValueError, match="at least 1 s"):  # a model of such a rate takes it
        fast(np.zeros((12, 10)), sampling_rate=rate, leads="standard", unit="mV")


def test_integers_are_accepted(extractor: SslEcgFeatureExtractor) -> None:
    microvolts = np.round(twelve_leads() * 1000).astype(np.int16)
    features = extractor(microvolts, sampling_rate=100, leads="standard", unit="uV")
    np.testing.assert_allclose(features["input_values"][0], microvolts / 1000, rtol=1e-6)


def test_longer_recordings_are_cropped_around_their_centre(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads(1501)
    with pytest.warns(
        UserWarning, match="lasts 15.01 s, the model expects 10 s: only its middle, 2.5 to 12.5 s"
    ):
        features = extractor(signal, sampling_rate=100, leads="standard", unit="mV")
    np.testing.assert_array_equal(features["input_values"][0], signal[:, 250:1250].astype(np.float32))


STATED = {"sampling_rate": 100, "leads": "standard", "unit": "mV"}


def test_a_crop_says_how_to_get_the_rest(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.warns(UserWarning, match="long_recordings='windows' gives all of it"):
        extractor(twelve_leads(1501), **STATED)


def test_windows_cover_a_long_recording_without_a_warning(extractor: SslEcgFeatureExtractor) -> None:
    signal = np.delete(twelve_leads(2501), 7, axis=0)
    names = [name for name in STANDARD if name != "V2"]
    with pytest.warns(UserWarning, match=r"V2 missing") as caught:
        features = extractor(
            signal, sampling_rate=100, leads=names, unit="mV", long_recordings="windows", return_tensors="pt"
        )
    assert len(caught) == 1
    assert features["input_values"].shape == (5, 12, 1000)
    assert features["lead_mask"].shape == (5, 12)
    assert not features["lead_mask"][:, 7].any()
    assert int(features["lead_mask"].sum()) == 5 * 11
    for window, start in zip(features["input_values"].numpy(), (0, 375, 750, 1125, 1501), strict=True):
        np.testing.assert_array_equal(
            np.delete(window, 7, axis=0), signal[:, start : start + 1000].astype(np.float32)
        )


@pytest.mark.parametrize("num_samples", [400, 950, 1000])
def test_windows_of_a_recording_that_is_not_longer_are_the_recording(
    extractor: SslEcgFeatureExtractor, num_samples: int
) -> None:
    signal = twelve_leads(num_samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cropped, windows = (
            extractor(signal, **STATED, long_recordings=choice) for choice in ("crop", "windows")
        )
    for name in ("input_values", "lead_mask"):
        np.testing.assert_array_equal(windows[name], cropped[name])


@pytest.mark.parametrize("rate", [500.0, 257.0])
def test_windows_of_another_rate_are_parts_of_the_resampled_whole(rate: float) -> None:
    signal = twelve_leads(round(7.3 * rate))
    features = SslEcgFeatureExtractor(num_samples=200)(
        signal, sampling_rate=rate, leads="standard", unit="mV", long_recordings="windows"
    )
    whole = resample(signal, source_rate=rate, target_rate=100.0).astype(np.float32)
    starts = (0, 88, 176, 265, 353, 441, 530)
    assert whole.shape == (12, 730)
    expected = np.stack([whole[:, start : start + 200] for start in starts])
    np.testing.assert_array_equal(features["input_values"], expected)


def test_windows_of_several_recordings_are_refused(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(ValueError, match="was given 2 recordings, whose windows could not be told apart"):
        extractor([twelve_leads(), twelve_leads()], **STATED, long_recordings="windows")
    with pytest.raises(ValueError, match="long_recordings='keep'; expected 'crop' or 'windows'"):
        extractor(twelve_leads(), **STATED, long_recordings="keep")


def test_shorter_recordings_are_padded_on_the_right(extractor: SslEcgFeatureExtractor) -> None:
    signal = twelve_leads(400)
    with pytest.warns(UserWarning, match="lasts 4 s, the model expects 10 s"):
        features = extractor(signal, sampling_rate=100, leads="standard", unit="mV")
    np.testing.assert_array_equal(features["input_values"][0, :, :400], signal.astype(np.float32))
    assert not features["input_values"][0, :, 400:].any()


@pytest.mark.parametrize("num_samples", [900, 1000, 1100])
def test_a_tenth_of_the_window_more_or_less_is_no_warning(
    extractor: SslEcgFeatureExtractor, num_samples: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extractor(twelve_leads(num_samples), sampling_rate=100, leads="standard", unit="mV")


def test_warnings_point_at_the_line_of_the_caller(extractor: SslEcgFeatureExtractor) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        extractor(twelve_leads(400)[:11], sampling_rate=100, leads=STANDARD[:11], unit="mV")
    assert [warning.filename for warning in caught] == [__file__] * 2


def test_a_sampling_rate_that_is_no_hertz_is_refused(extractor: SslEcgFeatureExtractor) -> None:
    with pytest.raises(
        ValueError, match=r"sampling_rate=0.1 Hz is too low for an ECG; expected at least 25 Hz"
    ):
        extractor(twelve_leads(), sampling_rate=0.1, leads="standard", unit="mV")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_broken_samples_follow_the_policy(value: float) -> None:
    signal = twelve_leads()
    signal[1, [0, 500, 501]] = value
    stated = {"sampling_rate": 100, "leads": "standard", "unit": "mV"}
    with pytest.raises(ValueError, match="lead II has 3 NaN or infinite of 1000 samples"):
        SslEcgFeatureExtractor()(signal, **stated)
    zero = SslEcgFeatureExtractor(nan_policy="zero")(signal, **stated)["input_values"][0, 1]
    assert zero[[0, 500, 501]].tolist() == [0.0, 0.0, 0.0]
    repaired = SslEcgFeatureExtractor(nan_policy="interpolate")(signal, **stated)["input_values"][0, 1]
    step = (signal[1, 502] - signal[1, 499]) / 3
    expected = [signal[1, 1], signal[1, 499] + step, signal[1, 499] + 2 * step]
    np.testing.assert_allclose(repaired[[0, 500, 501]], expected, rtol=1e-5)


def test_a_lead_without_a_finite_sample_is_missing() -> None:
    signal = twelve_leads()
    signal[9] = np.nan
    with pytest.warns(UserWarning, match="V4 missing or flat"):
        features = SslEcgFeatureExtractor(nan_policy="interpolate")(
            signal, sampling_rate=100, leads="standard", unit="mV"
        )
    assert np.flatnonzero(~features["lead_mask"][0]).tolist() == [9]


# What must be stated


@pytest.mark.parametrize("left_out", ["sampling_rate", "leads", "unit"])
def test_everything_must_be_stated(extractor: SslEcgFeatureExtractor, left_out: str) -> None:
    stated = {"sampling_rate": 100, "leads": "standard", "unit": "mV"}
    del stated[left_out]
    with pytest.raises(ValueError, match=f"^{left_out} not given; state how the recording was made"):
        extractor(twelve_leads(), **stated)


@pytest.mark.parametrize("rate", [0, -100.0, math.nan, math.inf, "100"])
def test_the_sampling_rate_must_be_positive(extractor: SslEcgFeatureExtractor, rate: object) -> None:
    with pytest.raises(ValueError, match="not a positive number"):
        extractor(twelve_leads(), sampling_rate=rate, leads="standard", unit="mV")


@pytest.mark.parametrize(
    "settings_",
    [
        {"leads": []},
        {"sampling_rate": 0},
        {"num_samples": -1},
        {"nan_policy": "drop"},
        {"missing_leads": "guess"},
        {"leads": ["V1", "v1"]},
    ],
)
def test_impossible_settings_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"empty|positive|expected|more than once"):
        SslEcgFeatureExtractor(**settings_)


def test_save_and_load_keep_every_setting(tmp_path: Path) -> None:
    extractor = SslEcgFeatureExtractor(["v1", "AVR"], 250.0, num_samples=500, nan_policy="zero")
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["feature_extractor_type"] == "SslEcgFeatureExtractor"
    assert saved["leads"] == ["V1", "aVR"]
    loaded = SslEcgFeatureExtractor.from_pretrained(tmp_path)
    for name in ("leads", "sampling_rate", "num_samples", "nan_policy", "missing_leads", "max_amplitude_mv"):
        assert getattr(loaded, name) == getattr(extractor, name)


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(60.0, 1100.0),
    seconds=st.floats(1.0, 14.0),
    names=st.lists(st.sampled_from([*STANDARD, "X", "Y"]), min_size=1, max_size=14, unique=True),
    seed=st.integers(0, 2**16),
)
def test_whatever_is_stated_gives_a_finite_window_or_a_value_error(
    rate: float, seconds: float, names: list[str], seed: int
) -> None:
    signal = np.random.default_rng(seed).normal(0.0, 0.5, (len(names), math.ceil(rate * seconds)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not set(names) & set(STANDARD):
            with pytest.raises(ValueError, match="no lead of the model"):
                SslEcgFeatureExtractor()(signal, sampling_rate=rate, leads=names, unit="mV")
            return
        features = SslEcgFeatureExtractor()(signal, sampling_rate=rate, leads=names, unit="mV")
    values, mask = features["input_values"], features["lead_mask"]
    assert values.shape == (1, 12, 1000)
    assert np.isfinite(values).all()
    assert not values[~mask].any()
    assert mask[0, [STANDARD.index(name) for name in names if name in STANDARD]].all()


@pytest.mark.parametrize(
    ("model_leads", "names", "known"),
    [
        (["MLII", "V5"], ["mlii", "v5"], [True, True]),
        (["mlii", "V5"], [" MLII ", "V5"], [True, True]),
        (["MLII", "V5"], ["V5", "MLII"], [True, True]),
        # Two leads of the recording, or of the model, that only case tells apart.
        (["MLII", "V5"], ["mlii", "V5", "MLII"], [True, True]),
        (["MLII", "V5"], ["mlii", "V5", "Mlii"], [False, True]),
        (["es", "ES", "V5"], ["Es", "V5"], [False, False, True]),
        (["es", "ES", "V5"], ["ES", "V5"], [False, True, True]),
    ],
)
@pytest.mark.filterwarnings("ignore:lead.* missing or flat")
def test_names_that_differ_in_case_alone_are_matched_where_that_is_one_lead(
    model_leads: list[str], names: list[str], known: list[bool]
) -> None:
    signal = twelve_leads()[: len(names)]
    found = SslEcgFeatureExtractor(leads=model_leads)(signal, sampling_rate=100, leads=names, unit="mV")
    assert found["lead_mask"][0].tolist() == known
    stripped = [name.strip() for name in names]
    for row, lead in enumerate(model_leads):
        if known[row]:
            same = [name for name in stripped if name == lead] or [
                name for name in stripped if name.upper() == lead.upper()
            ]
            expected = signal[stripped.index(same[0])].astype(np.float32)
            np.testing.assert_allclose(found["input_values"][0, row], expected, rtol=1e-6)
