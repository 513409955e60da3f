from __future__ import annotations

import csv
import mmap
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb

from benchmarks import folder
from benchmarks.classifier import no_onnx
from benchmarks.context import QUICK, prepared
from benchmarks.live_memory import peak_tensor_bytes
from benchmarks.machine import microseconds_of_first_touch
from benchmarks.memory_child import STATUS, AnonymousPeak
from benchmarks.models import BareStep, classifier, simclr
from benchmarks.onnx_runtime import OnnxClassifier
from benchmarks.recordings import record_stems, simulate_folder, take_part
from benchmarks.reference import ReferencePretraining, read_recording, two_views
from benchmarks.results import comparison
from benchmarks.tables import number, ratio_text
from benchmarks.timing import interleave, seconds_per_call
from ssl_ecg_hf.data import load_ptbxl, simulate_dataset
from ssl_ecg_hf.training import PRESETS, build_augmentation

CPU = torch.device("cpu")


def test_variants_take_turns_and_the_first_round_is_thrown_away() -> None:
    calls: list[str] = []

    def variant(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    values = interleave({name: lambda name=name: variant(name) for name in "ABC"}, repetitions=2)  # type: ignore[misc]
    assert calls == list("ABCABCABC")
    assert values == {"A": [4.0, 7.0], "B": [5.0, 8.0], "C": [6.0, 9.0]}


def test_interleave_without_warm_up() -> None:
    numbers = iter([1.0, 2.0])
    assert interleave({"a": lambda: next(numbers)}, repetitions=2, warm_up=False) == {"a": [1.0, 2.0]}


def test_seconds_per_call_calls_as_often_as_asked() -> None:
    calls: list[int] = []
    assert seconds_per_call(lambda: calls.append(1), calls=7) > 0
    assert len(calls) == 7


@pytest.mark.parametrize(
    ("kind", "ratio"), [("rate", 0.25), ("time", 4.0), ("share", 0.25), ("growth", 0.25)]
)
def test_ratios(kind: str, ratio: float) -> None:
    values = {"base": [8.0, 7.0, 100.0], "other": [2.0, 1.0, 5.0]}
    compared = comparison("t", values, device="cpu", unit="s", kind=kind, baseline="base")
    assert [variant["median"] for variant in compared["variants"]] == [8.0, 2.0]
    assert [variant["ratio"] for variant in compared["variants"]] == [1.0, ratio]


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (99.96, "100"), (99.94, "99.9"), (0.012345, "0.0123"), (3.0, "3")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_ratio_texts() -> None:
    assert ratio_text(0.0269, "share") == "2.69 %"
    assert ratio_text(3.333, "rate") == "3.33×"


@pytest.mark.parametrize(
    ("function", "peak"),
    [
        (lambda x: x + 1, 4000),
        (lambda x: (x + 1).add_(1).view(10, 100).T, 4000),  # in place and views: nothing new
        (lambda x: x.view(10, 100).T, 0),
        (lambda x: (x + 1).exp().sum(), 8000),
        (lambda x: [x + 1 for _ in range(5)], 20_000),
        (lambda x: [(x + 1).numel() for _ in range(5)], 4000),  # freed each time
    ],
)
def test_peak_of_tensors(function: object, peak: int) -> None:
    start = torch.zeros(1000)
    assert peak_tensor_bytes(lambda: function(start)) == peak  # type: ignore[operator]


def test_peak_of_tensors_includes_gradients() -> None:
    start = torch.zeros(1000, requires_grad=True)
    # x ** 2 is saved for exp's backward; then come the gradients.
    assert peak_tensor_bytes(lambda: start.exp().sum().backward()) >= 8000
    assert start.grad is not None


def test_simulated_folder_is_read_alike_by_wfdb_and_by_us(tmp_path: Path) -> None:
    simulate_folder(tmp_path / "all", 20)
    expected = {row["ecg_id"]: row for split in simulate_dataset(20).values() for row in split}
    loaded = load_ptbxl(tmp_path / "all", cache_dir=tmp_path / "cache")
    assert sum(len(split) for split in loaded.values()) == 20
    for split in loaded.values():
        for row in split:
            assert row == expected[row["ecg_id"]]
    signal, fields = wfdb.rdsamp(str(tmp_path / "all/records100/00000/00007_lr"))
    assert fields["fs"] == 100
    np.testing.assert_array_equal(np.rint(signal.T * 1000), expected[7]["signal_uv"])


def test_part_of_a_folder(tmp_path: Path) -> None:
    simulate_folder(tmp_path / "all", 20)
    stems = take_part(tmp_path / "all", tmp_path / "part", 5)
    with (tmp_path / "part/ptbxl_database.csv").open(newline="") as file:
        ids = [row["ecg_id"] for row in csv.DictReader(file)]
    assert [stem.name for stem in stems] == [f"{int(ecg_id):05d}_lr" for ecg_id in ids]
    assert len(set(ids)) == 5
    assert read_recording(stems[0]).shape == (12, 1000)
    assert len(take_part(tmp_path / "all", tmp_path / "whole", 99)) == 20


def test_all_records_of_a_folder(tmp_path: Path) -> None:
    simulate_folder(tmp_path, 12)
    stems = record_stems(tmp_path)
    assert sorted(stems) == [tmp_path / f"records100/00000/{number:05d}_lr" for number in range(1, 13)]


def test_folder_without_a_database(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no ptbxl_database\.csv; give the root folder"):
        take_part(tmp_path, tmp_path / "part", 5)


def test_too_few_recordings_for_a_batch(tmp_path: Path) -> None:
    simulate_folder(tmp_path / "few", 20)
    with (
        pytest.raises(ValueError, match="fewer than one batch of 32"),
        prepared(str(tmp_path / "few"), sizes=QUICK, repetitions=1),
    ):
        pass


def test_conv1d_form_computes_the_same() -> None:
    plain, ours = classifier(CPU, conv1d=True), classifier(CPU)
    signal = torch.randn(2, 12, 200, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(plain(signal).logits, ours(signal).logits)


def test_both_ways_from_files_give_the_same_probabilities(tmp_path: Path) -> None:
    simulate_folder(tmp_path, 10)
    stems = record_stems(tmp_path)
    plain, ours = folder.classify_one_by_one(stems), folder.classify_as_predict(stems)
    assert np.shape(plain) == (10, 5)
    np.testing.assert_allclose(plain, ours, atol=1e-5)


def test_a_refused_recording_does_not_pass_for_a_classified_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        folder.classify_as_predict([tmp_path / "absent"])


@pytest.mark.skipif(no_onnx() is not None, reason="needs the extra [onnx]")
def test_onnx_classifier_computes_the_same(onnx_file: Path) -> None:
    signal = torch.randn(2, 12, 300, generator=torch.Generator().manual_seed(0))
    run = OnnxClassifier(signal, onnx_file)
    with torch.no_grad():
        expected = classifier(CPU)(signal).logits
    np.testing.assert_allclose(run(), expected.numpy(), atol=1e-5)
    assert run.session.get_session_options().intra_op_num_threads == torch.get_num_threads()


def test_a_new_page_costs_something() -> None:
    assert 0 < microseconds_of_first_touch() < 1000


def test_encoder_has_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in simclr(CPU).encoder.parameters()) == 538_624


@pytest.mark.parametrize("bfloat16", [True, False])
def test_bare_step_learns(bfloat16: bool) -> None:
    views = torch.randn(4, 2, 12, 100, generator=torch.Generator().manual_seed(0))
    step = BareStep(views, bfloat16=bfloat16)
    losses = []
    for _ in range(5):
        with torch.no_grad():
            losses.append(float(step.model(views).loss))
        step()
    assert losses[-1] < losses[0]


def test_reference_sees_every_recording_once_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_folder(tmp_path / "all", 12)
    stems = take_part(tmp_path / "all", tmp_path / "part", 12)
    reference = ReferencePretraining(
        stems, build_augmentation(PRESETS["default"]), batch_size=4, sampling_rate=100.0, device=CPU
    )
    before = [parameter.detach().clone() for parameter in reference.model.parameters()]
    seen: list[Path] = []

    def noting(stem: Path) -> torch.Tensor:
        seen.append(stem)
        return read_recording(stem)

    monkeypatch.setattr("benchmarks.reference.read_recording", noting)
    for _ in range(3):
        reference.step()
    assert sorted(seen) == sorted(stems)
    after = list(reference.model.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_two_views_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    views = two_views(
        torch.ones(12, 100), build_augmentation({"random_gain": {}}), sampling_rate=100, generator=generator
    )
    assert views.shape == (2, 12, 100)
    assert not torch.equal(views[0], views[1])


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's /proc")
def test_anonymous_memory_is_seen() -> None:
    with AnonymousPeak() as nothing:
        pass
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    # Not an array: the process may have kept the memory of earlier ones.
    with AnonymousPeak() as peak, mmap.mmap(-1, 160_000_000, flags=flags) as block:
        block.write(b"1" * 160_000_000)
    assert peak.bytes - nothing.bytes > 0.9 * 160_000_000
