from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.cli.predict import classify_all, prediction_table, read_all
from ssl_ecg_hf.data import STANDARD_LEADS, EcgRecord, read_ecg
from ssl_ecg_hf.modeling import (
    EcgClassificationPipeline,
    SslEcgConfig,
    SslEcgFeatureExtractor,
    SslEcgForSequenceClassification,
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three recordings, the second one of no voltage."""
    for name, scale in (("a", 0.1), ("b", np.nan), ("c", 0.3)):
        np.save(tmp_path / f"{name}.npy", scale * np.ones((12, 50), dtype=np.float32))
    (tmp_path / "b.npy").write_bytes(b"no array")
    return [tmp_path / f"{name}.npy" for name in "abc"]


@pytest.mark.slow
def test_other_processes_read_what_this_one_reads(files: list[Path]) -> None:
    read = partial(read_ecg, sampling_rate=100, leads="standard", unit="mV")
    here, elsewhere = (list(read_all(files, read, workers=workers)) for workers in (0, 2))
    assert [path for path, _ in elsewhere] == [path for path, _ in here] == files
    assert isinstance(elsewhere[1][1], ValueError)
    assert str(elsewhere[1][1]) == str(here[1][1])
    for index in (0, 2):
        np.testing.assert_array_equal(elsewhere[index][1].signal, here[index][1].signal)


def test_workers_are_not_negative(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model", str(files[0]), "--workers", "-1"]) == 1
    assert "--workers -1 must be 0 (read in this process) or more" in capsys.readouterr().err


def test_a_table_tells_of_windows_only_where_there_are_several() -> None:
    short = [{"label": "MI", "score": 0.25}]
    long = [{"label": "MI", "score": 0.75, "positive": True, "windows": 4}]
    assert [line.split() for line in prediction_table(["a"], [short]).splitlines()] == [
        ["recording", "MI"],
        ["a", "0.250"],
    ]
    assert [line.split() for line in prediction_table(["a", "b"], [short, long]).splitlines()] == [
        ["recording", "MI", "windows"],
        ["a", "0.250", "1"],
        ["b", "0.750*", "4"],
    ]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_long_recordings_are_classified_as_the_pipeline_does(batch_size: int) -> None:
    config = SslEcgConfig(
        encoder_options={"hidden_sizes": [8], "kernel_sizes": [5], "strides": [4]},
        num_samples=200,
        num_labels=3,
    )
    classify = EcgClassificationPipeline(
        model=SslEcgForSequenceClassification(config).eval(),
        feature_extractor=SslEcgFeatureExtractor.for_model(config),
        device="cpu",
    )
    rng = np.random.default_rng(0)
    records: list[tuple[Path, Any]] = []
    for index, samples in enumerate((200, 930, 200, 500)):
        signal = rng.normal(0, 0.3, (12, samples)).astype(np.float32)
        records.append(
            (Path(str(index)), EcgRecord(signal=signal, sampling_rate=100.0, leads=STANDARD_LEADS))
        )
    records.insert(2, (Path("broken"), ValueError("broken")))
    found = list(classify_all(classify, records, batch_size=batch_size))
    assert [path for path, _, _ in found] == [path for path, _ in records]
    assert isinstance(found[2][1], ValueError)
    assert [found[index][1][0].get("windows", 1) for index in (0, 1, 3, 4)] == [1, 9, 1, 4]
    for (_, record), (_, entries, notes) in zip(records, found, strict=True):
        if isinstance(record, ValueError):
            continue
        expected = classify(
            {"signal": record.signal, "sampling_rate": 100.0, "leads": "standard", "unit": "mV"}
        )
        assert [entry["score"] for entry in entries] == pytest.approx(
            [entry["score"] for entry in expected], abs=1e-6
        )
        assert notes == []
