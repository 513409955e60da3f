from __future__ import annotations

import json
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
import torch
from datasets import Dataset

from benchmarks import __main__ as command
from benchmarks import (
    cache,
    classifier,
    compiled,
    folder,
    memory,
    memory_child,
    onnx_runtime,
    pretraining,
    processes,
    start,
    zoo,
)
from benchmarks.context import Sizes, prepared
from benchmarks.results import RATIOS
from benchmarks.timing import CPU
from benchmarks.trainer_run import seconds_per_step
from ssl_ecg_hf.files import write_json
from ssl_ecg_hf.training import AUGMENTATIONS, PRESETS

TINY = Sizes(
    part=20,
    simulated=40,
    batch=4,
    steps=1,
    augmentation_calls=1,
    classifier_batch=2,
    classifier_batches=1,
    single_calls=1,
    memory_steps=1,
    folder=3,
    nt_xent=(8, 16),
    nt_xent_calls=1,
)
REPETITIONS = 2


def pretrain_here(arrow: Path, *, records: int, batch_size: int, steps: int) -> dict[str, int]:
    """In place of a process of its own, which needs seconds to import everything again."""
    return memory_child.pretrain(arrow, records=records, batch_size=batch_size, steps=steps)


def train_here(number: int, threads: int, arrow: Path, *, records: int, batch_size: int, steps: int) -> float:
    """One of the processes, alone, without the launcher."""
    del threads
    dataset = Dataset.from_file(str(arrow)).select(range(records))
    with tempfile.TemporaryDirectory() as folder:
        share = batch_size // number
        return seconds_per_step(dataset, Path(folder), batch_size=share, steps=steps, device=CPU)


def run_here(code: str, arguments: Sequence[str] = ()) -> float:
    """In place of a cold start; what it would run is run all the same."""
    begin = perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["-c", *arguments])
        exec(code, {})
    return perf_counter() - begin


class InThisProcess:
    """In place of a plain process; what would travel there is pickled all the same."""

    def __init__(self, factory: Callable[..., Callable[[], float]], *arguments: Any) -> None:
        factory, arguments = pickle.loads(pickle.dumps((factory, arguments)))  # noqa: S301
        self.measure = factory(*arguments)

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def not_compiled(model: Any, *, dynamic: bool) -> Any:
    """In place of `torch.compile`, which needs tens of seconds."""
    assert not dynamic
    return model


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory, onnx_file: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "run_child", pretrain_here)
        patch.setattr(processes, "seconds_in", train_here)
        patch.setattr(start, "seconds_of", run_here)
        for module in (cache, classifier, folder, pretraining):
            patch.setattr(module, "PlainProcess", InThisProcess)
        patch.setattr(torch, "compile", not_compiled)
        patch.setattr(onnx_runtime, "export_onnx", lambda model, path: shutil.copyfile(onnx_file, path))
        patch.setattr(compiled.shutil, "which", lambda name: name)
        # All of them take tens of seconds; test_zoo.py has each objective.
        for mapping, few in (("ENCODERS", ("cnn", "dilated_cnn")), ("OBJECTIVES", ("simclr", "clocs"))):
            patch.setattr(zoo, mapping, {name: getattr(zoo, mapping)[name] for name in few})
        with prepared("simulated", sizes=TINY, repetitions=REPETITIONS) as context:
            measured = command.run_benchmarks(context, simulated=True)
    path = tmp_path_factory.mktemp("benchmarks") / "benchmarks.json"
    write_json(path, measured)
    return json.loads(path.read_text(encoding="utf-8"))


def comparisons(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [compared for benchmark in content["benchmarks"] for compared in benchmark["comparisons"]]


def test_says_what_was_measured_and_where(content: dict[str, Any]) -> None:
    assert [benchmark["name"] for benchmark in content["benchmarks"]] == list(command.BENCHMARKS)
    assert content["data"] == {"name": "simulated", "records": 40}
    assert content["sizes"]["batch"] == 4
    assert content["sizes"]["nt_xent"] == [8, 16]
    assert (content["repetitions"], content["quick"]) == (REPETITIONS, True)
    assert content["machine"]["cores"] >= 1
    assert content["machine"]["threads"] >= 1
    assert "torch" in content["run"]["libraries"]


def test_ratios_follow_from_the_medians_and_those_from_the_values(content: dict[str, Any]) -> None:
    assert len(comparisons(content)) >= 8
    for compared in comparisons(content):
        medians = {variant["name"]: variant["median"] for variant in compared["variants"]}
        for variant in compared["variants"]:
            # Without a compiler at work the warm-up is nothing but noise.
            assert all(value > 0 for value in variant["values"]) or "Warm-up" in compared["title"]
            assert variant["median"] == median(variant["values"])
            expected = RATIOS[compared["kind"]](variant["median"], medians[compared["baseline"]])
            assert variant["ratio"] == pytest.approx(expected)
        assert all(1 <= len(variant["values"]) <= REPETITIONS for variant in compared["variants"])


def test_all_variants_are_there(content: dict[str, Any]) -> None:
    names = {
        compared["title"]: [variant["name"] for variant in compared["variants"]]
        for compared in comparisons(content)
        if compared["device"] == "cpu"
    }
    assert names["Pretraining, batches of 4 recordings"] == [
        "reference",
        "SslEcgTrainer, bfloat16",
        "model step only, float32 conv1d, plain",
        "model step only, float32 conv1d",
        "model step only, bfloat16",
        "model step only, bfloat16, compiled",
    ]
    assert names["Warm-up of torch.compile, pretraining"] == [
        "one model step only, bfloat16",
        "model step only, bfloat16, compiled",
    ]
    for title in ("Classification, batches of 2 recordings", "Classification, one recording at a time"):
        assert names[title] == [
            "float32 conv1d, plain",
            "float32 conv1d",
            "bfloat16 (autocast), channels-last",
            "float32, compiled",
            "bfloat16 (autocast), compiled",
            *([] if classifier.no_onnx() else ["float32, onnxruntime"]),
        ]
    assert names["Warm-up of torch.compile, classification"] == [
        "one batch, float32 conv1d",
        "float32, compiled, batch",
        "bfloat16 (autocast), compiled, batch",
        "float32, compiled, one recording",
        "bfloat16 (autocast), compiled, one recording",
    ]
    assert names["Reading 40 recordings"] == [cache.LOOP, "first start", "second start"]
    assert names["Classifying 3 files"] == [folder.LOOP, "ssl-ecg predict"]
    assert names["One recording, from a cold start"] == [start.TORCH, start.TRANSFORMERS, start.OURS]
    views = names["Two views of 4 recordings"]
    assert {f"preset {name}" for name in PRESETS} | set(AUGMENTATIONS) <= set(views)
    assert names["NT-Xent, peak memory of its tensors"] == ["2N = 8", "2N = 16"]
    assert names["Peak anonymous memory of pretraining"] == ["20 recordings", "33 recordings"]
    assert names["A SimCLR step with each encoder, batches of 4 recordings"] == ["cnn", "dilated_cnn"]
    assert names["A step of each objective with the CNN, batches of 4 recordings"] == ["simclr", "clocs"]


def test_what_is_said_of_a_step_beyond_its_time(content: dict[str, Any]) -> None:
    encoders, objectives = (
        compared
        for compared in comparisons(content)
        if compared["device"] == "cpu" and "encoder parameters" in compared["details"]
    )
    for compared in (encoders, objectives):
        for variant in compared["variants"]:
            assert set(variant["details"]) == set(compared["details"])
            assert variant["details"]["recordings/s"] == pytest.approx(4000 / variant["median"])
            assert 1 < variant["details"]["tensors (MiB)"] < 1000
    sizes = [variant["details"]["encoder parameters"] for variant in encoders["variants"]]
    assert sizes == [538_624, 568_448]
    assert [variant["details"]["views"] for variant in objectives["variants"]] == ["2 × 1,000", "2 × 500"]


@pytest.mark.slow
@pytest.mark.skipif(not memory_child.STATUS.exists(), reason="needs Linux's /proc")
def test_memory_of_a_process_of_its_own() -> None:
    with prepared("simulated", sizes=TINY, repetitions=1) as context:
        arrow = Path(context.all_train.cache_files[0]["filename"])
        report = memory.run_child(arrow, records=4, batch_size=4, steps=1)
    # PyTorch alone takes more than 100 MB; the resident memory has the anonymous one in it.
    assert 1e8 < report["anonymous"] <= report["resident"]


@pytest.mark.slow
def test_two_processes_report_the_time_of_a_step() -> None:
    with prepared("simulated", sizes=TINY, repetitions=1) as context:
        arrow = Path(context.all_train.cache_files[0]["filename"])
        assert processes.seconds_in(2, 1, arrow, records=20, batch_size=4, steps=1) > 0


@pytest.mark.slow
def test_a_process_that_fails_says_why() -> None:
    assert start.seconds_of("import sys; assert sys.argv[1:] == ['here']", ["here"]) > 0
    with pytest.raises(RuntimeError, match=r"(?s)start is measured failed.*no such luck"):
        start.seconds_of("raise SystemExit('no such luck')")


def test_without_compiler_and_onnxruntime_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(classifier, "PlainProcess", InThisProcess)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", "c++")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with prepared("simulated", sizes=TINY, repetitions=1) as context:
        measured = classifier.measure(context)
    assert [len(compared["variants"]) for compared in measured["comparisons"]] == [3, 3]
    assert measured["not_measured"][-2:] == [
        "torch.compile: needs a C++ compiler, there is no c++",
        "onnxruntime: needs onnxruntime; pip install 'ssl_ecg_hf[onnx]'",
    ]


def test_page_and_chart(content: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    write_json(output, content)
    command.main(["--render-only", "--output", str(output)])
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    for benchmark in content["benchmarks"]:
        assert f"## {benchmark['title']}" in page
    assert "(results.json)" in page
    assert "![Medians of all benchmarks](results.png)" in page
    assert "| reference |" in page
    assert " | recordings/s | views | encoder parameters | other parameters | tensors (MiB) |" in page
    assert " | 2 × 500 | 538,624 | " in page
    assert "(`powerline_noise` and `mains_noise_at_snr`) are told that the recordings have 500 Hz" in page
    chart = (tmp_path / "results.png").read_bytes()
    assert chart.startswith(b"\x89PNG")
    command.main(["--render-only", "--output", str(output)])
    assert (tmp_path / "results.png").read_bytes() == chart
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.md", "results.png"]


def test_results_of_an_older_format_are_not_rendered(
    content: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "results.json", {**content, "format": 1})
    with pytest.raises(SystemExit):
        command.main(["--render-only", "--output", str(tmp_path / "results.json")])
    assert "has format 1, this is 2; measure again" in capsys.readouterr().err


def test_page_of_a_machine_with_an_accelerator(content: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    first = content["benchmarks"][0]
    twice = [first["comparisons"][0], {**first["comparisons"][0], "device": "cuda"}]
    benchmarks = [{**first, "comparisons": twice, "not_measured": []}]
    machine = {**content["machine"], "accelerator": "a GPU", "load_average": None}
    write_json(output, {**content, "benchmarks": benchmarks, "machine": machine, "quick": False})
    command.main(["--render-only", "--output", str(output)])
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "(cuda)" in page
    assert "accelerator: a GPU" in page
    assert "Not measured" not in page
    assert "not idle" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "results.txt"], "is not named .json"),
        (["--render-only", "--output", "absent.json"], "does not exist; measure first"),
        (["--repetitions", "0"], "must be at least 1"),
        (["--data", "nowhere", "--output", "new.json"], "no ptbxl_database.csv"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))
