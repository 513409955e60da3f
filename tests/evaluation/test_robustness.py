from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.data import STANDARD_LEADS, SUPERCLASSES, simulate_dataset
from ssl_ecg_hf.data.splits import labelled
from ssl_ecg_hf.evaluation.checkpoint import predict
from ssl_ecg_hf.evaluation.degradations import (
    CONDITIONS,
    ArmsSwapped,
    Clean,
    Inverted,
    MainsHum,
    MaskedTime,
    MissingLeads,
    Noise,
    NotApplicableError,
    Recording,
    Resampled,
    electrode_matrix,
    power,
)
from ssl_ecg_hf.evaluation.inference import predict_logits
from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.robustness import (
    measure_robustness,
    predict_under,
)
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForSequenceClassification
from ssl_ecg_hf.training.augmentations.electrodes import lead_matrix

ENCODER: dict[str, Any] = {"hidden_sizes": [8], "kernel_sizes": [5], "strides": [4]}
NOISY = [condition for condition in CONDITIONS.values() if isinstance(condition, Noise)]


def recording(
    leads: tuple[str, ...] = STANDARD_LEADS, *, samples: int = 1000, rate: float = 100.0, seed: int = 0
) -> Recording:
    """Some potentials at the electrodes, so that the leads obey Einthoven's law, and an offset in each."""
    matrix = electrode_matrix(leads)
    potentials = np.random.default_rng(99).normal(1.0, 0.3, (matrix.shape[1], samples))
    rng = np.random.default_rng(seed)
    return Recording(signal=matrix @ potentials, leads=leads, sampling_rate=rate, rng=rng)


def added(condition: Any, to: Recording) -> np.ndarray:
    changed, mask = condition(to)
    assert mask is None
    return changed - to.signal


class Watched(SslEcgForSequenceClassification):
    """A classifier that keeps what it was shown."""

    def forward(self, input_values: Any, lead_mask: Any = None, labels: Any = None) -> Any:
        self.seen.append((input_values, lead_mask))
        return super().forward(input_values, lead_mask)


def model(leads: tuple[str, ...] = STANDARD_LEADS, **options: Any) -> Watched:
    torch.manual_seed(0)
    names = dict(enumerate(SUPERCLASSES))
    made = Watched(SslEcgConfig(leads=leads, encoder_options=ENCODER, id2label=names, **options)).eval()
    made.seen = []
    return made


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate_dataset(200, seed=0, duration=2.0)["validation"]


def shown(condition: Any, dataset: Dataset, **options: Any) -> torch.Tensor:
    watched = model()
    predict_under(condition, watched, dataset, **options)
    return torch.cat([signal for signal, _ in watched.seen])


def test_conditions_stand_in_the_order_of_the_report() -> None:
    groups = [condition.group for condition in CONDITIONS.values()]
    assert {group: groups.count(group) for group in groups} == {
        "clean": 1,
        "white noise": 4,
        "wander + muscle noise": 4,
        "mains hum": 2,
        "signal lost": 3,
        "one lead missing": 12,
        "few leads": 2,
        "resampled and back": 3,
        "wrong polarity": 2,
    }
    assert groups == sorted(groups, key=groups.index)
    assert list(CONDITIONS)[:3] == ["clean", "white noise, 24 dB", "white noise, 12 dB"]


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_repeats_itself_and_leaves_its_input_alone(name: str) -> None:
    first, second = recording(samples=200), recording(samples=200)
    changed, mask = CONDITIONS[name](first)
    assert np.array_equal(first.signal, second.signal)
    again, _ = CONDITIONS[name](second)
    assert np.array_equal(changed, again)
    assert changed.shape == first.signal.shape
    assert np.isfinite(changed).all()
    assert (name == "clean") == np.array_equal(changed, first.signal)
    assert mask is None or (mask.shape == (12,) and not changed[~mask].any())


def test_electrodes_are_those_of_the_training_augmentations() -> None:
    expected = lead_matrix(torch.device("cpu")).numpy()
    np.testing.assert_allclose(electrode_matrix(STANDARD_LEADS), expected, atol=1e-7)
    mixed = electrode_matrix(("V2", "X", "II"))
    assert mixed.shape == (3, 10)
    assert mixed[1].tolist() == [0.0] * 9 + [1.0]
    np.testing.assert_allclose(mixed[[0, 2], :9], expected[[7, 1]], atol=1e-7)


@pytest.mark.parametrize("leads", [STANDARD_LEADS, ("I", "II", "V2"), ("X", "Y")])
@pytest.mark.parametrize("condition", NOISY, ids=lambda condition: condition.name)
def test_the_stated_ratio_of_signal_to_noise_is_reached(condition: Noise, leads: tuple[str, ...]) -> None:
    clean = recording(leads)
    noise = added(condition, clean)
    deviations = clean.signal - clean.signal.mean(axis=1, keepdims=True)
    ratio = 10 * math.log10((deviations**2).mean() / (noise**2).mean())
    assert ratio == pytest.approx(condition.snr_db, abs=1e-6)
    assert np.abs(noise.mean(axis=1)).max() < 1e-9


@pytest.mark.parametrize("name", ["white noise, 6 dB", "wander + muscle noise, 6 dB", "mains hum, 0.3 mV"])
def test_disturbances_arise_at_the_electrodes(name: str) -> None:
    i, ii, iii, avr, avl, avf, *chest = added(CONDITIONS[name], recording())
    np.testing.assert_allclose(iii, ii - i, atol=1e-12)
    np.testing.assert_allclose(avr + avl + avf, 0.0, atol=1e-12)
    np.testing.assert_allclose(avl, (i - iii) / 2, atol=1e-12)
    assert np.linalg.matrix_rank(np.stack([i, ii, *chest])) == (1 if name.startswith("mains") else 8)


def test_a_model_of_fewer_leads_meets_the_same_noise() -> None:
    few = ("V2", "II", "I")
    for name in ("white noise, 6 dB", "wander + muscle noise, 6 dB", "mains hum, 0.1 mV"):
        rows = added(CONDITIONS[name], recording(few))
        whole = added(CONDITIONS[name], recording())[[STANDARD_LEADS.index(lead) for lead in few]]
        if name.startswith("wander"):  # each kind is scaled by its own power in the leads that are there
            correlation = [np.corrcoef(*pair)[0, 1] for pair in zip(rows, whole, strict=True)]
            assert min(correlation) > 0.9
        else:
            np.testing.assert_allclose(rows / rows.std(), whole / whole.std(), atol=1e-9)


def test_wander_is_slow_muscle_noise_fast_and_each_has_half_the_power() -> None:
    condition = CONDITIONS["wander + muscle noise, 0 dB"]
    noise = added(condition, recording(rate=500.0, samples=5000))
    spectrum = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=0)
    frequency = np.fft.rfftfreq(5000, 1 / 500)
    share = {
        band: spectrum[(frequency >= band[0]) & (frequency <= band[1])].sum() / spectrum.sum()
        for band in ((0.0, 1.0), (15.0, 150.0), (151.0, 250.0))
    }
    assert share[0.0, 1.0] == pytest.approx(0.5, abs=0.02)
    assert share[15.0, 150.0] == pytest.approx(0.5, abs=0.02)
    assert share[151.0, 250.0] < 1e-3
    with pytest.raises(NotApplicableError, match="muscle noise lies above half of 30 Hz"):
        condition(recording(rate=30.0))


def test_parameters_that_mean_nothing_are_named() -> None:
    with pytest.raises(ValueError, match=r"share=25: expected a number in \[0, 1\]; a quarter is 0\.25"):
        MaskedTime(group="g", label="l", share=25)
    with pytest.raises(ValueError, match="rate=0: expected a positive number of Hz"):
        Resampled(group="g", label="l", rate=0)
    with pytest.raises(ValueError, match=r"kinds=\('pink',\): expected at least one of \['white noise'"):
        Noise(group="g", label="l", kinds=("pink",), snr_db=6)


@pytest.mark.parametrize(("rate", "samples"), [(100.0, 1000), (500.0, 5000)])
@pytest.mark.parametrize("amplitude", [0.1, 0.3])
def test_hum_has_its_power_at_every_phase(amplitude: float, rate: float, samples: int) -> None:
    hum = MainsHum(group="g", label="l", amplitude=amplitude)
    for seed in range(5):
        noise = added(hum, recording(rate=rate, samples=samples, seed=seed))
        assert (noise**2).mean() == pytest.approx(amplitude**2 / 2, rel=1e-9)
        spectrum = np.abs(np.fft.rfft(noise))
        assert np.fft.rfftfreq(samples, 1 / rate)[spectrum.argmax(axis=1)].tolist() == [49.5] * 12


def test_hum_above_half_the_sampling_rate_is_not_invented() -> None:
    with pytest.raises(NotApplicableError, match=r"49\.5 Hz is not below half of 99 Hz"):
        MainsHum(group="g", label="l", amplitude=0.1)(recording(rate=99.0))


@given(
    share=st.floats(0.0, 1.0),
    samples=st.integers(1, 300),
    seed=st.integers(0, 2**32),
    leads=st.integers(1, 12),
)
def test_one_stretch_is_lost_in_all_leads(share: float, samples: int, seed: int, leads: int) -> None:
    clean = recording(STANDARD_LEADS[:leads], samples=samples, seed=seed)
    clean.signal[:] = 1.0 + np.arange(samples)
    changed, _ = MaskedTime(group="g", label="l", share=share)(clean)
    lost = changed[0] == 0.0
    assert lost.sum() == round(share * samples)
    assert np.abs(np.diff(lost.astype(int), prepend=0, append=0)).sum() == (2 if lost.any() else 0)
    assert (changed == np.where(lost, 0.0, clean.signal)).all()


def test_the_lost_stretch_may_lie_anywhere() -> None:
    condition = MaskedTime(group="g", label="l", share=0.5)
    starts = {int((condition(recording(samples=8, seed=seed))[0][6] == 0).argmax()) for seed in range(60)}
    assert starts == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("one lead missing, aVR", [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("one lead missing, V6", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]),
        ("few leads, limb leads only", [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
        ("few leads, I, II and V2 only", [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
    ],
)
def test_missing_leads_are_zero_and_masked(name: str, present: list[int]) -> None:
    clean = recording()
    changed, mask = CONDITIONS[name](clean)
    assert mask is not None
    assert mask.tolist() == [value == 1 for value in present]
    assert np.array_equal(changed, clean.signal * np.array(present)[:, None])


def test_leads_that_a_model_lacks_cannot_go_missing() -> None:
    def without(*leads: str) -> MissingLeads:
        return MissingLeads(group="g", label="l", leads=leads)

    with pytest.raises(NotApplicableError, match="the model has no lead V1, V2"):
        without("I", "V1", "V2")(recording(("I", "II")))
    with pytest.raises(NotApplicableError, match="the model has no other lead"):
        without("II")(recording(("II",)))


@pytest.mark.parametrize("other", [50.0, 250.0, 500.0])
@pytest.mark.parametrize("samples", [1000, 777])
def test_resampling_there_and_back_keeps_what_is_slow(other: float, samples: int) -> None:
    time = np.arange(samples) / 100
    slow = np.stack([np.sin(2 * np.pi * 5 * time), np.full(samples, 3.0)])
    given = Recording(signal=slow, leads=("I", "II"), sampling_rate=100.0, rng=np.random.default_rng(0))
    changed, _ = Resampled(group="g", label="l", rate=other)(given)
    assert changed.shape == slow.shape
    inside = slice(100, samples - 100)  # beyond its ends a signal is continued by a constant
    np.testing.assert_allclose(changed[:, inside], slow[:, inside], atol=2e-3)


def test_resampling_removes_what_the_lower_rate_cannot_hold() -> None:
    fast = np.sin(2 * np.pi * 40 * np.arange(1000) / 100)[None]
    given = Recording(signal=fast, leads=("I",), sampling_rate=100.0, rng=np.random.default_rng(0))
    assert power(Resampled(group="g", label="l", rate=50.0)(given)[0][:, 100:-100]) < 1e-6
    assert power(Resampled(group="g", label="l", rate=500.0)(given)[0][:, 100:-100]) > 0.49
    with pytest.raises(NotApplicableError, match="the recordings are sampled at 100 Hz"):
        Resampled(group="g", label="l", rate=100.0)(given)


def test_swapped_arms_are_swapped_electrodes() -> None:
    swap = ArmsSwapped(group="g", label="l")
    matrix = electrode_matrix(STANDARD_LEADS)
    potentials = np.random.default_rng(0).normal(size=(9, 20))
    given = Recording(
        signal=matrix @ potentials,
        leads=STANDARD_LEADS,
        sampling_rate=100.0,
        rng=np.random.default_rng(0),
    )
    swapped = potentials[[1, 0, *range(2, 9)]]
    np.testing.assert_allclose(swap(given)[0], matrix @ swapped, atol=1e-12)
    with pytest.raises(NotApplicableError, match="the model has no lead III"):
        swap(recording(("I", "II")))
    with pytest.raises(NotApplicableError, match="no lead of the model changes"):
        swap(recording(("aVF", "V1")))


def test_inverted_is_times_minus_one() -> None:
    clean = recording(samples=5)
    changed, mask = Inverted(group="g", label="l")(clean)
    assert (changed + clean.signal == 0).all()
    assert mask is None


@pytest.mark.parametrize(
    "name", ["white noise, 6 dB", "wander + muscle noise, 6 dB", "signal lost, 25 % of the time"]
)
def test_a_bad_recording_depends_on_seed_and_record_alone(name: str, dataset: Dataset) -> None:
    whole = shown(CONDITIONS[name], dataset)
    for batch_size in (1, 3, 7):
        assert torch.equal(shown(CONDITIONS[name], dataset, batch_size=batch_size), whole)
    rows = [11, 2, 5]
    assert torch.equal(shown(CONDITIONS[name], dataset.select(rows)), whole[rows])
    assert not torch.equal(shown(CONDITIONS[name], dataset, seed=1), whole)


def test_without_ids_the_place_in_the_dataset_counts(dataset: Dataset) -> None:
    noise = CONDITIONS["white noise, 6 dB"]
    bare = dataset.select_columns(["signal_uv"])
    by_place = dataset.remove_columns("ecg_id").add_column("ecg_id", list(range(len(dataset))))
    assert torch.equal(shown(noise, bare, batch_size=4), shown(noise, by_place))
    unknown = dataset.remove_columns("ecg_id").add_column("ecg_id", [None, *range(1, len(dataset))])
    assert torch.equal(shown(noise, unknown)[1:], shown(noise, bare)[1:])


def test_masks_reach_the_model(dataset: Dataset) -> None:
    watched = model()
    predict_under(CONDITIONS["few leads, limb leads only"], watched, dataset.select(range(3)), batch_size=2)
    assert [mask.tolist() for _, mask in watched.seen] == [[[True] * 6 + [False] * 6] * n for n in (2, 1)]
    assert all(not signal[:, 6:].any() for signal, _ in watched.seen)


@pytest.mark.parametrize("training", [True, False])
def test_clean_is_plain_prediction_and_the_mode_is_restored(training: bool, dataset: Dataset) -> None:
    watched = model().train(training)
    assert np.array_equal(predict_under(Clean(), watched, dataset), predict_logits(watched, dataset))
    with pytest.raises(NotApplicableError):
        predict_under(Resampled(group="g", label="l", rate=100.0), watched, dataset)
    assert watched.training is training


def test_what_bad_recordings_cost(dataset: Dataset) -> None:
    names = ["white noise, 0 dB", "wrong polarity, all leads inverted"]
    watched = model()
    result = measure_robustness(
        watched, dataset, conditions={name: CONDITIONS[name] for name in names}, draws=50
    )
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [entry["name"] for entry in result["conditions"]] == ["clean", *names]
    known = labelled(dataset)
    found = predict(watched, dataset)
    clean, noisy, inverted = result["conditions"]
    assert clean["difference"] is None
    assert clean["macro_auroc"] == pytest.approx(macro_auroc(found.labels, found.scores), abs=1e-12)
    logits = predict_under(CONDITIONS[names[1]], watched, known)
    expected = macro_auroc(found.labels, 1 / (1 + np.exp(-logits)))
    assert inverted["macro_auroc"] == pytest.approx(expected, abs=1e-12)
    for entry in (noisy, inverted):
        change = entry["difference"]
        assert change["estimate"] == pytest.approx(entry["macro_auroc"] - clean["macro_auroc"], abs=1e-12)
        assert change["low"] <= change["estimate"] <= change["high"]
        assert entry["records"] == len(known)
        assert list(entry["auroc"]) == list(SUPERCLASSES)
    assert {
        key: result[key] for key in ("classes", "records", "seed", "draws", "confidence", "resampled")
    } == {
        "classes": list(SUPERCLASSES),
        "records": len(known),
        "seed": 0,
        "draws": 50,
        "confidence": 0.95,
        "resampled": "patients",
    }


def test_what_does_not_apply_to_a_model_is_left_out_with_the_reason() -> None:
    signal = np.random.default_rng(0).normal(0, 0.5, (6, 2, 90)).tolist()
    labels = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]] * 3
    data = Dataset.from_dict({"signal": signal, "labels": labels})
    result = measure_robustness(model(("ii", "AVF"), sampling_rate=50), data, draws=5)
    assert result["resampled"] == "records"
    absent = {"mains hum", "few leads"}
    groups = {condition.group for condition in CONDITIONS.values()}
    assert {entry["group"] for entry in result["conditions"]} == groups - absent
    measured = [entry["name"] for entry in result["conditions"]]
    assert len(measured) + len(result["left_out"]) == len(CONDITIONS)
    assert [name for name in measured if name.startswith("one lead")] == [
        "one lead missing, II",
        "one lead missing, aVF",
    ]
    reasons = result["left_out"]
    assert reasons["one lead missing, V1"] == "the model has no lead V1"
    assert reasons["few leads, limb leads only"] == "the model has no lead V1, V2, V3, V4, V5, V6"
    assert reasons["mains hum, 0.1 mV"] == "49.5 Hz is not below half of 50 Hz"
    assert reasons["resampled and back, 50 Hz"] == "the recordings are sampled at 50 Hz"
    assert reasons["wrong polarity, arm electrodes swapped"] == "the model has no lead III"


def test_recordings_without_labels_cannot_be_measured_on(dataset: Dataset) -> None:
    blank = dataset.remove_columns("labels").add_column("labels", [[0] * 5] * len(dataset))
    with pytest.raises(ValueError, match=f"none of {len(dataset)} recordings has a label"):
        measure_robustness(model(), blank)


def test_the_command_writes_it_beside_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_draws = functools.partial(measure_robustness, draws=20)
    monkeypatch.setattr("ssl_ecg_hf.evaluation.checkpoint.measure_robustness", few_draws)
    simulate_dataset(80, seed=0, duration=2.0).save_to_disk(tmp_path / "own")
    folder = tmp_path / "classifier"
    names = dict(enumerate(SUPERCLASSES))
    config = SslEcgConfig(encoder_options=ENCODER, num_samples=200, id2label=names)
    SslEcgForSequenceClassification(config).save_pretrained(folder)
    recipe = {"stage": "finetune", "dataset": {"name": "own", "simulated": False}, "parent": None}
    (folder / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    data = ["--data", str(tmp_path / "own"), "--class_names", *SUPERCLASSES]
    assert main(["evaluate", "--model", str(folder), *data, "--robustness", "true"]) == 0
    stored = json.loads((folder / "robustness.json").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in stored["conditions"]] == list(CONDITIONS)
    assert stored["conditions"][0]["macro_auroc"] == metrics["test"]["macro"]["auroc"]
    assert stored["run"] == metrics["run"]
    assert stored["left_out"] == {}
    assert (folder / "robustness.png").stat().st_size > 10_000
    lines = capsys.readouterr().out.splitlines()
    assert lines[-9].startswith("clean ")
    assert lines[-1].startswith("wrong polarity ")
