"""Gain, noise, wander, artefacts, hum, filters, mixing and missing leads: what they do to the voltage."""

import math

import pytest
import torch

from ssl_ecg_hf.training.augmentations import (
    Bandpass,
    BaselineWander,
    GaussianNoise,
    LeadMask,
    Mixup,
    MotionArtifact,
    PowerlineNoise,
    RandomGain,
)
from ssl_ecg_hf.training.augmentations.bandpass import butterworth_response, filter_symmetric
from ssl_ecg_hf.training.augmentations.electrodes import lead_matrix
from ssl_ecg_hf.training.augmentations.mixup import mix


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sine(frequency: float, sampling_rate: float, seconds: float = 20) -> torch.Tensor:
    time = torch.arange(int(seconds * sampling_rate), dtype=torch.float64) / sampling_rate
    return torch.sin(2 * math.pi * frequency * time).float()


def test_gain_is_one_factor_for_all_leads_of_a_recording() -> None:
    after = RandomGain(gain=(0.5, 2.0))(torch.ones(3001, 12, 4), sampling_rate=100, generator=generator())
    assert after.eq(after[:, :1, :1]).all()
    assert float(after.min()) == pytest.approx(0.5, abs=0.01)
    assert float(after.max()) == pytest.approx(2.0, abs=0.01)
    assert float(after[:, 0, 0].median()) == pytest.approx(1.0, abs=0.06)


def test_leads_are_dropped_at_the_stated_rate_but_never_all() -> None:
    after = LeadMask(drop=0.3)(torch.ones(2000, 12, 5), sampling_rate=100, generator=generator())
    assert after.eq(after[..., :1]).all()
    assert float(after.mean()) == pytest.approx(0.7, abs=5 * math.sqrt(0.21 / 24_000))
    lone = LeadMask(drop=0.9)(torch.ones(2000, 2, 5), sampling_rate=100, generator=generator())
    assert lone.flatten(1).any(dim=1).all()


def test_noise_level_is_uniform_for_each_lead_of_each_recording() -> None:
    after = GaussianNoise(max_std=0.2)(torch.zeros(200, 12, 400), sampling_rate=100, generator=generator())
    levels = after.std(dim=-1)
    assert float(levels.mean()) == pytest.approx(0.1, abs=0.01)
    assert levels.max() < 0.2 * 1.2
    assert levels[0].max() > 2 * levels[0].min()


def test_limb_consistent_noise_keeps_einthoven_and_goldberger() -> None:
    augment = GaussianNoise(max_std=0.2, limb_consistent=True)
    leads = augment(torch.zeros(8, 12, 400), sampling_rate=100, generator=generator())
    i, ii, iii, avr = leads[:, :4].unbind(dim=1)
    torch.testing.assert_close(iii, ii - i)
    torch.testing.assert_close(avr, -(i + ii) / 2)
    assert leads.std() > 0.05


@pytest.mark.parametrize("sampling_rate", [100, 500])
def test_wander_lies_below_half_a_hertz(sampling_rate: int) -> None:
    seconds = 120
    zeros = torch.zeros(8, 12, seconds * sampling_rate)
    wander = BaselineWander()(zeros, sampling_rate=sampling_rate, generator=generator())
    power = torch.fft.rfft(wander * torch.hann_window(zeros.shape[-1])).abs().square()
    slow = int(0.55 * seconds) + 1
    assert power[..., :slow].sum() > 0.9999 * power.sum()


@pytest.mark.parametrize("leads", [12, 3])
def test_wander_has_the_stated_root_mean_square(leads: int) -> None:
    augment = BaselineWander(max_amplitude=0.3)
    wander = augment(torch.zeros(3000, leads, 100), sampling_rate=10, generator=generator())
    # The amplitude is uniform in [0, 0.3], so its mean square is 0.03.
    assert wander[:, :3].square().mean(dim=(0, 2)).tolist() == pytest.approx([0.03] * 3, rel=0.15)


def test_wander_differs_between_leads() -> None:
    wander = BaselineWander()(torch.zeros(1, 12, 1000), sampling_rate=100, generator=generator())[0]
    assert len(torch.unique(wander.std(dim=-1))) == 12


def test_a_motion_artefact_acts_on_one_electrode() -> None:
    augment = MotionArtifact(events=1, max_amplitude=0.5)
    artefacts = augment(torch.zeros(400, 12, 300), sampling_rate=100, generator=generator())
    matrix = lead_matrix(torch.device("cpu"))
    hit = set()
    for artefact in artefacts:
        peak = artefact[:, int(artefact.abs().sum(dim=0).argmax())]
        height = torch.linalg.lstsq(matrix, peak).solution
        height = height - height.median()  # a potential common to all electrodes is seen in no lead
        electrode = int(height.abs().argmax())
        others = torch.cat([height[:electrode], height[electrode + 1 :]])
        assert others.abs().max() < 1e-4
        assert float(height[electrode].abs()) <= 0.5 + 1e-4
        hit.add(electrode)
    assert hit == set(range(9))


def test_motion_artefacts_have_steps_and_bursts() -> None:
    augment = MotionArtifact(events=1, max_amplitude=1.0, duration=(0.2, 0.2), frequency=(5.0, 5.0))
    artefacts = augment(torch.zeros(200, 1, 1000), sampling_rate=100, generator=generator())[:, 0]
    # A step has one sign, a burst swings; those at the very end are too short to tell.
    one_sign = ((artefacts >= 0).all(dim=1) | (artefacts <= 0).all(dim=1)).float().mean()
    assert 0.35 < one_sign < 0.65


@pytest.mark.parametrize(("sampling_rate", "expected"), [(500, {50, 60}), (1000, {50, 60}), (110, {50})])
def test_hum_has_only_frequencies_below_nyquist(sampling_rate: int, expected: set[int]) -> None:
    zeros = torch.zeros(32, 12, sampling_rate)
    hum = PowerlineNoise(max_amplitude=0.05)(zeros, sampling_rate=sampling_rate, generator=generator())
    spectrum = torch.fft.rfft(hum).abs()
    peaks = spectrum.argmax(dim=-1)
    assert set(peaks.flatten().tolist()) == expected
    assert spectrum.square().sum() == pytest.approx(float(spectrum.amax(dim=-1).square().sum()), rel=1e-4)
    assert hum.abs().max() <= 0.1


def test_hum_at_100_hz_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not below 50 Hz, half the sampling rate; remove powerline_noise"):
        PowerlineNoise()(torch.zeros(1, 12, 1000), sampling_rate=100, generator=generator())


def test_response_at_known_frequencies() -> None:
    gain = butterworth_response(
        torch.tensor([0.0, 0.5, 1.0, 10.0, 20.0]), torch.tensor([[1.0]]), torch.tensor([[10.0]]), order=1
    )
    high = [0, 1 / math.sqrt(5), 1 / math.sqrt(2), 1 / math.sqrt(1.01), 1 / math.sqrt(1.0025)]
    low = [1, 1 / math.sqrt(1.0025), 1 / math.sqrt(1.01), 1 / math.sqrt(2), 1 / math.sqrt(5)]
    assert gain[0].tolist() == pytest.approx([h * w for h, w in zip(high, low, strict=True)], abs=1e-6)


@pytest.mark.parametrize("samples", [10, 51])
def test_filter_scales_each_cosine_of_the_mirrored_signal(samples: int) -> None:
    time, response = torch.arange(samples), torch.linspace(1, 0, samples + 1)
    for k in range(samples):
        cosine = torch.cos(math.pi * k * (time + 0.5) / samples)[None, None]
        torch.testing.assert_close(
            filter_symmetric(cosine, response[None]), response[k] * cosine, atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("sampling_rate", [100, 500])
def test_filter_acts_on_the_right_bands_at_any_sampling_rate(sampling_rate: int) -> None:
    augment = Bandpass(high_pass=(1.0, 1.0), low_pass=(15.0, 15.0), order=2)
    inside = slice(5 * sampling_rate, 15 * sampling_rate)
    for frequency in (0.1, 0.5, 5.0, 15.0, 40.0):
        tone = sine(frequency, sampling_rate)
        filtered = augment(tone[None, None], sampling_rate=sampling_rate, generator=generator())[0, 0]
        gain = filtered[inside].square().mean().sqrt() / tone[inside].square().mean().sqrt()
        expected = 1 / math.sqrt((1 + (1 / frequency) ** 4) * (1 + (frequency / 15) ** 4))
        assert float(gain) == pytest.approx(expected, abs=0.01)


def test_low_pass_is_clipped_below_nyquist() -> None:
    tone = sine(45, 100)
    augment = Bandpass(high_pass=(0.05, 0.05), low_pass=(80.0, 90.0))
    filtered = augment(tone[None, None], sampling_rate=100, generator=generator())[0, 0, 500:1500]
    assert float(filtered.std() / tone.std()) == pytest.approx(1 / math.sqrt(2), abs=0.01)


def test_filter_does_not_ring_around_the_ends() -> None:
    ramp = torch.linspace(0, 10, 1000)[None, None]
    filtered = Bandpass(high_pass=(0.05, 0.05), low_pass=(40.0, 40.0))(
        ramp, sampling_rate=100, generator=generator()
    )
    # A filter that takes the ramp for periodic jumps by 10 mV there.
    assert filtered.diff(dim=-1).abs().max() < 0.05


def test_filters_differ_within_a_batch_larger_than_a_chunk() -> None:
    same = torch.randn(1, 2, 200, generator=generator()).repeat(70, 1, 1)
    assert len(torch.unique(Bandpass()(same, sampling_rate=100, generator=generator()), dim=0)) == 70


def test_no_band_left_at_a_low_sampling_rate() -> None:
    with pytest.raises(ValueError, match=r"sampling rate of 2 Hz leaves no band"):
        Bandpass()(torch.zeros(1, 12, 100), sampling_rate=2, generator=generator())


def test_mix_of_known_values() -> None:
    mixed = mix(torch.full((1, 1, 2), 2.0), torch.full((1, 1, 2), 6.0), torch.full((1, 1, 1), 0.75))
    assert mixed.tolist() == [[[3.0, 3.0]]]


def test_mixup_weights_and_partners_are_those_of_each_recording() -> None:
    one_hot = torch.eye(50)[:, None, :]
    weights = Mixup(weight=(0.8, 0.9))(one_hot, sampling_rate=100, generator=generator())[:, 0]
    own = weights.diagonal()
    assert ((own >= 0.8) & (own <= 0.9)).all()
    assert len(torch.unique(own)) == 50
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(50))
    assert (weights > 0).sum(dim=1).eq(2).all()
    assert (weights > 0).sum(dim=0).eq(2).all()
