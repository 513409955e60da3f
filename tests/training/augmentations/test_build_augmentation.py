import pytest
import torch
import yaml

from ssl_ecg_hf.data import STANDARD_LEADS
from ssl_ecg_hf.training.augmentations import (
    AUGMENTATIONS,
    BaselineWander,
    Compose,
    Permutation,
    RandomGain,
    TimeOut,
    build_augmentation,
    check_lead_order,
)


def test_order_and_parameters_are_those_of_the_yaml_file() -> None:
    text = """
    time_out: {fraction: [0, 0.25], p: 1}
    random_gain: {gain: [0.5, 2.0]}
    baseline_wander: {}
    """
    assert list(build_augmentation(yaml.safe_load(text))) == [
        TimeOut(fraction=(0, 0.25)),
        RandomGain(gain=(0.5, 2.0)),
        BaselineWander(),
    ]


def test_mapping_names_every_class_once_by_its_file() -> None:
    for name, augmentation in AUGMENTATIONS.items():
        assert augmentation.__module__ == f"ssl_ecg_hf.training.augmentations.{name}"
    assert len(set(AUGMENTATIONS.values())) == len(AUGMENTATIONS) == 21


def test_pairs_of_whole_numbers_come_from_yaml_too() -> None:
    (permutation,) = build_augmentation(yaml.safe_load("permutation: {segments: [3, 7]}"))
    assert permutation == Permutation(segments=(3, 7))


def test_several_noises_go_into_one_recipe() -> None:
    kinds = ("white", "muscle", "electrode", "mains")
    augment = build_augmentation({f"{kind}_noise_at_snr": {"snr": [20, 20]} for kind in kinds})
    tone = torch.randn(1, 12, 5000, generator=torch.Generator().manual_seed(0))
    after = augment(tone, sampling_rate=500, generator=torch.Generator().manual_seed(1))
    # Each meets the sum of the recording and those before it; they are independent.
    assert float((after - tone).var() / tone.var()) == pytest.approx(1.01**4 - 1, rel=0.1)


def test_empty_recipe_returns_the_input_itself() -> None:
    signal = torch.ones(2, 12, 100)
    assert build_augmentation({})(signal, sampling_rate=100, generator=torch.Generator()) is signal


def test_steps_follow_one_another_with_one_generator() -> None:
    signal = torch.randn(4, 12, 100, generator=torch.Generator().manual_seed(0))
    one, other = RandomGain(), TimeOut(p=0.5)
    together = Compose(one, other)(signal, sampling_rate=100, generator=torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    apart = one(signal, sampling_rate=100, generator=generator)
    assert together.equal(other(apart, sampling_rate=100, generator=generator))


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"unknown augmentation 'timeout'; known are bandpass, .*time_out"):
        build_augmentation({"timeout": {}})


def test_unknown_parameter() -> None:
    with pytest.raises(
        ValueError, match=r"'time_out' has no parameter \['len'\]; it has p, fraction, per_lead"
    ):
        build_augmentation({"time_out": {"len": 3}})


def test_a_name_without_parameters_in_yaml() -> None:
    with pytest.raises(ValueError, match=r"'time_out' has None instead of parameters; write \{\} for none"):
        build_augmentation(yaml.safe_load("time_out:"))


def test_unfit_parameter_names_the_augmentation() -> None:
    with pytest.raises(
        ValueError, match=r"augmentation 'time_out': fraction=1\.5: expected a number in \[0, 1\]"
    ):
        build_augmentation({"time_out": {"fraction": [0.0, 1.5]}})


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("random_resized_crop", {"scale": (0.0, 1.0)}, r"scale=0\.0: expected a number in \[0\.01, 1\]"),
        ("random_resized_crop", {"scale": 0.5}, r"scale=0\.5: expected a pair"),
        ("random_resized_crop", {"scale": (0.9, 0.5)}, "swap them"),
        ("time_warp", {"strength": 1.0}, "strength"),
        ("time_warp", {"components": 0}, "whole number of at least 1"),
        ("segment_warp", {"segments": 3}, "expected an even number"),
        ("segment_warp", {"strength": 1.0}, r"strength=1\.0: expected a number in \[0, 0\.9\]"),
        ("permutation", {"segments": 5}, r"expected a pair \(least, largest\)"),
        ("permutation", {"segments": (1, 5)}, "2 <= least <= largest"),
        ("permutation", {"segments": (5, 3)}, "2 <= least <= largest"),
        ("permutation", {"segments": (2.0, 5)}, "whole number"),
        ("sample_dropout", {"drop": -0.1}, r"drop=-0\.1: expected a number in \[0, 1\]"),
        ("white_noise_at_snr", {"snr": 20.0}, r"snr=20\.0: expected a pair"),
        ("white_noise_at_snr", {"snr": (30.0, 10.0)}, "swap them"),
        ("muscle_noise_at_snr", {"band": (0.0, 40.0)}, "band"),
        ("muscle_noise_at_snr", {"contractions": 0}, "contractions"),
        ("electrode_noise_at_snr", {"steps": 0}, "steps"),
        ("electrode_noise_at_snr", {"drift": (0.0, 1.0)}, "drift"),
        ("mains_noise_at_snr", {"frequencies": ()}, "at least one frequency"),
        ("heart_vector_rotation", {"max_angle": 200.0}, "max_angle"),
        ("heart_vector_rotation", {"scale": (0.0, 1.0)}, "scale"),
        ("temporal_dropout", {"stretches": 1.5}, "whole number"),
        ("temporal_dropout", {"duration": (-1.0, 1.0)}, "duration"),
        ("lead_mask", {"drop": 2.0}, "drop"),
        ("random_gain", {"gain": (-1.0, 1.0)}, "gain"),
        ("gaussian_noise", {"max_std": -0.1}, "max_std"),
        ("gaussian_noise", {"max_std": float("inf")}, "max_std"),
        ("baseline_wander", {"max_amplitude": -1}, "max_amplitude"),
        ("baseline_wander", {"frequency": (0.0, 0.5)}, "frequency"),
        ("baseline_wander", {"components": True}, "components"),
        ("motion_artifact", {"events": 0}, "events"),
        ("motion_artifact", {"duration": (0.0, 0.5)}, "duration"),
        ("powerline_noise", {"frequencies": ()}, "at least one frequency"),
        ("powerline_noise", {"frequencies": (50.0, "60")}, "frequencies='60'"),
        ("bandpass", {"high_pass": (0.05, 20.0)}, "keep the first below the second"),
        ("bandpass", {"order": 0}, "order"),
        ("mixup", {"weight": (0.2, 1.0)}, "weight"),
        ("segment_cutmix", {"fraction": (0.0, 0.8)}, "fraction"),
    ],
)
def test_unfit_parameters(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_augmentation({name: parameters})


def swapped(first: int, second: int) -> list[str]:
    leads = list(STANDARD_LEADS)
    leads[first], leads[second] = leads[second], leads[first]
    return leads


def test_which_transforms_take_twelve_leads_for_the_standard_ones() -> None:
    needing = {name for name, kind in AUGMENTATIONS.items() if kind().needs_lead_order}
    assert needing == {"baseline_wander", "motion_artifact", "powerline_noise", "heart_vector_rotation"}
    assert AUGMENTATIONS["gaussian_noise"](limb_consistent=True).needs_lead_order


@pytest.mark.parametrize("leads", [swapped(0, 1), swapped(6, 11), [f"X{i}" for i in range(12)]])
def test_twelve_other_leads_are_not_taken_for_the_standard_ones(leads: list[str]) -> None:
    recipe = {"baseline_wander": {}, "time_out": {}, "gaussian_noise": {"limb_consistent": True}}
    message = r"\['baseline_wander', 'gaussian_noise'\] act through the electrodes .* the model has"
    with pytest.raises(ValueError, match=message):
        check_lead_order(build_augmentation(recipe), leads)
    check_lead_order(build_augmentation({"time_out": {}, "baseline_wander": {"p": 0.0}}), leads)


@pytest.mark.parametrize(
    "leads", [STANDARD_LEADS, [name.upper() for name in STANDARD_LEADS], ["II", "V5"], ["II"] * 13]
)
def test_the_standard_leads_and_other_numbers_are_let_through(leads: list[str]) -> None:
    check_lead_order(build_augmentation({name: {} for name in AUGMENTATIONS}), leads)
