import pytest
import torch

from ssl_ecg_hf.training.augmentations.electrodes import (
    add_electrode_signals,
    lead_matrix,
    leads_from_electrodes,
    number_of_electrodes,
)


def test_leads_of_known_potentials() -> None:
    right_arm, left_arm, left_leg, v1 = 0.3, 0.6, 1.5, 2.0
    potentials = torch.tensor([right_arm, left_arm, left_leg, v1, 0, 0, 0, 0, 0])[None, :, None]
    leads = leads_from_electrodes(potentials, leads=12)[0, :, 0]
    expected = [0.3, 1.2, 0.9, -0.75, -0.3, 1.05, 1.2, -0.8, -0.8, -0.8, -0.8, -0.8]
    assert leads.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_common_potential_is_seen_in_no_lead() -> None:
    assert (lead_matrix(torch.device("cpu")) @ torch.ones(9)).abs().max() < 1e-6


@pytest.mark.parametrize("leads", [1, 2, 8, 9, 15])
def test_other_lead_sets_have_one_electrode_a_lead(leads: int) -> None:
    potentials = torch.arange(float(leads))[None, :, None]
    assert number_of_electrodes(leads) == leads
    assert leads_from_electrodes(potentials, leads=leads) is potentials


def test_the_standard_leads_have_nine_electrodes() -> None:
    assert number_of_electrodes(12) == 9


def test_adding_against_a_loop() -> None:
    signal, weights, basis = torch.ones(2, 3, 5), torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    expected = signal.clone()
    for recording in range(2):
        for lead in range(3):
            for course in range(4):
                expected[recording, lead] += weights[recording, lead, course] * basis[recording, course]
    torch.testing.assert_close(add_electrode_signals(signal, weights, basis), expected)
