"""Disturbances: where their power lies, and that it does not depend on the sampling rate."""

import numpy as np

from ssl_ecg_hf.data.simulator_noise import disturbances


def spectrum(sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    num_samples = round(10 * sampling_rate)
    noise = disturbances(200, num_samples, sampling_rate=sampling_rate, rng=np.random.default_rng(0))
    assert noise.shape == (200, 8, num_samples)
    assert noise.dtype == np.float32
    power = (np.abs(np.fft.rfft(noise * np.hanning(num_samples))) ** 2).mean(axis=(0, 1))
    return np.fft.rfftfreq(num_samples, 1 / sampling_rate), power / sampling_rate**2


def test_mains_hum_at_50_and_60_hz_above_100_hz_sampling_only():
    frequency, power = spectrum(250.0)
    floor = np.median(power[(frequency > 30) & (frequency < 45)])
    for hum in (50.0, 60.0):
        assert power[np.isclose(frequency, hum)][0] > 10 * floor
    frequency, power = spectrum(100.0)
    assert power[frequency > 45].max() < 3 * np.median(power[(frequency > 30) & (frequency < 45)])


def test_wander_is_slow_and_muscle_noise_is_fast():
    frequency, power = spectrum(500.0)
    muscle = np.median(power[(frequency > 20) & (frequency < 140)])
    assert power[frequency < 0.4].max() > 100 * muscle
    assert np.median(power[(frequency > 170) & (frequency < 240)]) < 0.01 * muscle


def test_muscle_noise_has_the_same_density_at_every_rate():
    density = []
    for sampling_rate in (100.0, 500.0):
        frequency, power = spectrum(sampling_rate)
        density.append(np.median(power[(frequency > 20) & (frequency < 45)]))
    assert 0.5 < density[0] / density[1] < 2.0


def test_size_is_that_of_a_usual_recording():
    noise = disturbances(300, 1000, sampling_rate=100.0, rng=np.random.default_rng(1))
    usual = np.median(noise.std(axis=2))
    assert 0.02 < usual < 0.1
    assert np.abs(noise).max() < 4.0
