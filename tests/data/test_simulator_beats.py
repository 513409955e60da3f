"""Rhythm and rendering of simulated recordings."""

import numpy as np

from ssl_ecg_hf.data.simulator_beats import draw_recordings, render
from ssl_ecg_hf.data.simulator_heart import beat_waves, draw_patients


def test_intervals_between_beats_vary():
    r_times = draw_recordings(np.full(50, 70.0), 10.0, np.random.default_rng(0)).r_times
    intervals = np.diff(r_times, axis=1)
    variation = intervals.std(axis=1) / intervals.mean(axis=1)
    assert variation.min() > 0.004
    assert variation.max() < 0.06
    assert (r_times[:, 0] < 0).all()
    assert (r_times[:, -1] > 10.0).all()


def test_rendering_against_a_loop_over_all_beats():
    rng = np.random.default_rng(6)
    patients = draw_patients(2, rng)
    recordings = draw_recordings(np.array([50.0, 110.0]), 3.0, rng)
    waves = beat_waves(patients, np.array([[0, 0, 0, 0, 1]] * 2, dtype=np.int8))
    got = render(slice(0, 2), patients, waves, recordings, num_samples=300, sampling_rate=100.0)
    expected = np.zeros((2, 8, 300))
    for record in range(2):
        rr = np.diff(recordings.r_times[record]).mean()
        scales = [rr**0.25, rr**0.25, 1, 1, 1, 1, rr**0.5, rr**0.5, rr**0.5]
        frequency, phase, tilt = recordings.breathing[record]
        for sample in range(300):
            heart = np.zeros(3)
            for r_time, gain in zip(recordings.r_times[record], recordings.beat_gains[record], strict=True):
                for wave, scale in enumerate(scales):
                    width = waves.widths[record, wave] * (scale if wave >= 6 else 1.0)
                    z = (sample / 100.0 - r_time - waves.centres[record, wave] * scale) / width
                    heart += gain * waves.vectors[record, wave] * np.exp(-(z**2) / 2)
            angle = tilt * np.sin(2 * np.pi * frequency * sample / 100.0 + phase)
            x, y, z = heart
            turned = np.array(
                [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z]
            )
            expected[record, :, sample] = (
                patients.lead_field[record] * recordings.electrode_gains[record][:, None] @ turned
            )
    # The tails of waves more than one beat away are left out.
    np.testing.assert_allclose(got, expected, atol=0.02)
