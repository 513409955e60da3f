from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.data import STANDARD_LEADS, EcgFormatError, EcgRecord
from ssl_ecg_hf.data import standard_signal as module
from ssl_ecg_hf.data.record import RecordSource
from ssl_ecg_hf.data.standard_signal import CROPPED, MASKED, PADDED, resample_to, standard_signal
from ssl_ecg_hf.modeling import SslEcgFeatureExtractor
from ssl_ecg_hf.modeling import feature_extraction_ssl_ecg as extraction
from ssl_ecg_hf.modeling.resampling_ssl_ecg import resample

rng = np.random.default_rng(0)


def ecg(leads: tuple[str, ...] = STANDARD_LEADS, *, rate: float = 100.0, seconds: float = 10.0) -> EcgRecord:
    """Smooth noise of about 1 mV."""
    samples = round(rate * seconds)
    signal = rng.normal(size=(len(leads), samples + 20))
    smooth = np.stack([np.convolve(lead, np.ones(20) / 5, "same")[:samples] for lead in signal])
    return EcgRecord(signal=smooth.astype(np.float32), sampling_rate=rate, leads=leads)


def prepare(record: EcgRecord, **options: Any) -> tuple[np.ndarray, list[str]]:
    return standard_signal(record, **{"sampling_rate": 100.0, "num_samples": 1000, **options})


def test_microvolts_in_the_standard_order() -> None:
    order = tuple(reversed(STANDARD_LEADS))
    record = ecg(order)
    found, notes = prepare(record)
    assert found.dtype == np.int16
    assert np.array_equal(found, np.rint(1000 * record.signal[::-1].astype(np.float64)))
    assert notes == []


@pytest.mark.parametrize("source", [500.0, 250.0, 257.0, 360.0, 128.0, 50.0])
def test_resampled_like_the_feature_extractor_does(source: float) -> None:
    signal = ecg(rate=source).signal.astype(np.float64)
    found = resample_to(signal, source, 100.0)
    expected = resample(signal, source_rate=source, target_rate=100.0)
    assert found.shape == expected.shape == (12, 1000)
    assert np.abs(found - expected).max() < 0.002  # mV


@pytest.mark.parametrize(("source", "target"), [(257.0, 100.0), (100_000.0, 25.0)])
def test_a_constant_stays_constant(source: float, target: float) -> None:
    found = resample_to(np.full((1, round(2 * source)), 3.0), source, target)
    assert found.shape == (1, 2 * target)
    assert np.abs(found - 3.0).max() < 0.002


@pytest.mark.parametrize(
    ("leads", "rate", "seconds"),
    [
        (STANDARD_LEADS, 100.0, 10.0),
        (("V6", "V5", "V4", "V3", "V2", "V1", "II", "I"), 500.0, 10.0),
        (("aVF", "III", "V1"), 250.0, 14.0),
        (("II", "X"), 100.0, 7.0),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # the feature extractor says what it did
def test_prepared_like_the_feature_extractor_does(
    leads: tuple[str, ...], rate: float, seconds: float
) -> None:
    record = ecg(leads, rate=rate, seconds=seconds)
    found, _ = prepare(record)
    expected = SslEcgFeatureExtractor()(record.signal, sampling_rate=rate, leads=leads, unit="mV")[
        "input_values"
    ][0]
    assert np.abs(found / 1000 - expected).max() < 0.003  # mV


def test_what_was_done_is_noted() -> None:
    assert prepare(ecg(seconds=9.5))[1] == []
    assert prepare(ecg(seconds=8.0))[1] == [PADDED]
    assert prepare(ecg(seconds=12.0))[1] == [CROPPED]
    assert prepare(ecg(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")))[1] == []
    assert prepare(ecg(("I", "II")))[1] == [MASKED]


def test_a_flat_lead_becomes_zero_and_is_no_source() -> None:
    record = ecg(("I", "II", "V1"))
    record.signal[0] = 2.0
    found, notes = prepare(record)
    assert notes == [MASKED]
    assert not found[[0, 2, 3, 4, 5]].any()
    assert found[1].any()


LIMITS = ("MIN_SECONDS", "MIN_RATE", "MAX_RATE", "MIN_AMPLITUDE", "MAX_AMPLITUDE", "MAX_MISFIT")


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_those_of_the_feature_extractor(name: str) -> None:
    assert getattr(module, name) == getattr(extraction, name)


def of_size(size: float, *, unit: str = "mV", offset: float = 0.0) -> EcgRecord:
    """Sines whose amplitude, as it is measured, is `size` mV by the stated unit."""
    wave = np.sin(np.linspace(0, 20 * np.pi, 1000))
    lead = offset + size * wave / np.percentile(np.abs(wave), 99.0)
    leads = np.tile(lead, (12, 1)).astype(np.float32)
    source = RecordSource(format="NumPy", unit=unit)
    return EcgRecord(signal=leads, sampling_rate=100, leads=STANDARD_LEADS, source=source)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            of_size(0.001, unit="uV"),
            r"0\.001 mV by its unit \(uV\); .* between 0\.02 and 20 mV: it looks like mV",
        ),
        (of_size(1000.0), r"amplitude of 1000 mV by its unit \(mV\); .*: it looks like uV"),
        (of_size(1e6, unit="V"), r"it looks like uV"),
        (of_size(1e-12, unit="uV"), "no usual unit fits"),
        (of_size(1e-6, unit="mV, uV"), r"by its unit \(mV, uV\); .*no usual unit fits"),
        (of_size(0.0199), "amplitude of 0.0199 mV"),
        (of_size(20.1), r"amplitude of 20\.1 mV"),
        (of_size(1.0, offset=25.0), r"the leads lie 25 mV away from zero .* subtract it"),
    ],
)
def test_amplitudes_are_those_that_the_feature_extractor_takes(record: EcgRecord, message: str) -> None:
    with pytest.raises(EcgFormatError, match=message):
        prepare(record)
    with pytest.raises(ValueError, match="mV"):
        SslEcgFeatureExtractor()(record.signal, sampling_rate=100, leads="standard", unit="mV")


@pytest.mark.parametrize("record", [of_size(0.0201), of_size(19.9), of_size(1.0, offset=-15.0)])
def test_amplitudes_at_the_limits(record: EcgRecord) -> None:
    prepare(record)
    SslEcgFeatureExtractor()(record.signal, sampling_rate=100, leads="standard", unit="mV")


def test_flat_leads_and_a_spike_do_not_decide_about_the_amplitude() -> None:
    record = of_size(0.3)
    record.signal[2:] = 0.0
    record.signal[0, 500] = 30.0
    found, notes = prepare(record)
    assert notes == [MASKED]
    assert np.abs(found[1]).max() in range(300, 310)


def broken(value: float) -> EcgRecord:
    record = ecg()
    record.signal[3, 5] = value
    return record


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (ecg(seconds=0.5), "0.5 s at 100 Hz; expected at least 1 s"),
        (ecg(rate=10.0), "10 Hz is too low for an ECG"),
        (ecg(rate=100_001.0, seconds=0.01), "100001 Hz is too high for an ECG; .*: state samples per second"),
        (broken(np.nan), "1 samples are invalid"),
        (broken(40.0), "a sample of 40.0 mV does not fit into 16-bit microvolts"),
        (ecg(("X", "Y")), r"none of its leads \['X', 'Y'\] is a standard lead"),
        (EcgRecord(signal=np.zeros((1, 500)), sampling_rate=100, leads=("I",)), "that is not flat"),
    ],
)
def test_what_cannot_be_used_is_refused(record: EcgRecord, message: str) -> None:
    with pytest.raises(EcgFormatError, match=message):
        prepare(record)
