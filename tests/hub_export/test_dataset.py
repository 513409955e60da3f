from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Features, load_dataset
from huggingface_hub import DatasetCard, HfApi

from ssl_ecg_hf.cli.export_dataset import main as export_command
from ssl_ecg_hf.data import ecg_features
from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.data.source import Recordings
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.hub_export import (
    ExportError,
    VerificationReport,
    dataset,
    export_dataset,
    push_export,
    verify_dataset,
)
from ssl_ecg_hf.hub_export.manifest import check_manifest

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
NAME = "user/recordings"


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = VerificationReport(steps=("load_dataset",), failed_step=None, stderr="", seconds=0.0)
    monkeypatch.setattr(dataset, "verify_dataset", lambda *_: passed)


def described(recordings: Recordings, **changed: Any) -> Recordings:
    return replace(recordings, description={**recordings.description, **changed})


def test_an_export_holds_shards_of_bounded_size(recordings: Recordings, dataset_export: Path) -> None:
    manifest = check_manifest(dataset_export)
    assert (manifest["kind"], manifest["repo_id"]) == ("dataset", NAME)
    assert manifest["verified"] == ["load_dataset", "load_dataset streaming", "README.md"]
    shards = sorted(path.name for path in (dataset_export / "data").iterdir())
    assert shards == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
        "validation-00000-of-00001.parquet",
    ]
    rows = [pq.read_metadata(dataset_export / "data" / name).num_rows for name in shards]
    assert rows[1] + rows[2] == len(recordings.splits["train"])
    assert max(rows) * 12 * 1000 * 2 <= 500_000
    assert {path.name for path in dataset_export.iterdir()} == {
        "LICENSE", "README.md", "data", "export.json", "recordings.json"
    }  # fmt: skip


def test_it_loads_as_what_was_exported(recordings: Recordings, dataset_export: Path, tmp_path: Path) -> None:
    loaded = load_dataset(str(dataset_export), cache_dir=str(tmp_path))
    assert list(loaded) == ["train", "validation", "test"]
    for name, split in recordings.splits.items():
        assert loaded[name].features == split.features == ecg_features(1000)
        found, expected = (SignalTable(each, columns=("ecg_id",)) for each in (loaded[name], split))
        rows = range(len(split))
        np.testing.assert_array_equal(
            found.__getitems__(rows)["signal_uv"], expected.__getitems__(rows)["signal_uv"]
        )
        assert found.column("ecg_id").tolist() == expected.column("ecg_id").tolist()


def test_the_card_counts_what_is_there(recordings: Recordings, dataset_export: Path) -> None:
    text = (dataset_export / "README.md").read_text(encoding="utf-8")
    card = DatasetCard(text)
    assert card.data.license == "apache-2.0"
    assert [split["num_examples"] for split in card.data.dataset_info["splits"]] == [
        len(split) for split in recordings.splits.values()
    ]
    counts = [int(dataset_labels(split)[:, 1].sum()) for split in recordings.splits.values()]
    assert f"| MI | myocardial infarction | {counts[0]} | {counts[1]} | {counts[2]} |" in text
    assert "**Simulated data.**" in text
    assert "| `signal_uv` | `int16 (12, 1000)` | the recording, (leads, samples), in microvolts |" in text
    facts = json.loads((dataset_export / "recordings.json").read_text(encoding="utf-8"))
    assert facts["splits"]["train"]["classes"]["MI"] == counts[0]
    assert facts["leads"][3] == "aVR"
    assert list(facts["class_meanings"]) == sorted(recordings.class_names)


@pytest.mark.slow
def test_a_dataset_is_released_like_a_model(dataset_export: Path, hub: Any) -> None:
    release = push_export(dataset_export, NAME, private=True, tag="v1")
    assert release.verified == ("download", "load_dataset streaming", "README.md")
    repo = hub.repo(NAME, "dataset")
    assert repo.private
    assert repo.refs["refs/tags/v1"] == release.commit
    assert release.url == f"{hub.url}/datasets/{NAME}/commit/{release.commit}"
    assert [title for _, title, _ in repo.commits] == ["initial commit", "Dataset by ssl_ecg_hf 0.1.0"]


@pytest.mark.slow
def test_a_gated_dataset_is_read_back(
    dataset_export: Path, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    HfApi().create_repo(NAME, repo_type="dataset")
    hub.repo(NAME, "dataset").gated = "manual"
    # Read on import, so that it holds for the clean process only.
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    release = push_export(dataset_export, NAME, tag="v1")
    assert hub.repo(NAME, "dataset").refs["refs/tags/v1"] == release.commit


@pytest.mark.usefixtures("unverified")
def test_shards_of_an_older_release_go(
    recordings: Recordings, hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = VerificationReport(steps=(), failed_step=None, stderr="", seconds=0.0)
    monkeypatch.setattr("ssl_ecg_hf.hub_export.push.verify_release", lambda *_, **__: passed)
    for shard_bytes, shards in ((300_000, 3), (1_000_000, 1)):
        export_dataset(recordings, tmp_path / "out", repo_id=NAME, shard_bytes=shard_bytes)
        push_export(tmp_path / "out", NAME)
        names = [path for path in hub.repo(NAME, "dataset").files("main") if path.startswith("data/train")]
        assert sorted(names) == [f"data/train-{index:05d}-of-{shards:05d}.parquet" for index in range(shards)]


def test_other_rows_than_the_source_are_found(recordings: Recordings, dataset_export: Path) -> None:
    train = recordings.splits["train"]
    turned = DatasetDict({**recordings.splits, "train": train.select(range(len(train))[::-1])})
    report = verify_dataset(dataset_export, turned)
    assert report.failed_step == "load_dataset"
    assert "first of the split train differs from the source" in report.stderr


@pytest.mark.usefixtures("unverified")
def test_the_same_recordings_give_the_same_files(
    recordings: Recordings, dataset_export: Path, tmp_path: Path
) -> None:
    output = export_dataset(recordings, tmp_path / "again", repo_id=NAME, shard_bytes=500_000)
    assert check_manifest(output)["sha256"] == check_manifest(dataset_export)["sha256"]


@pytest.mark.usefixtures("unverified")
def test_a_known_database_brings_its_licence_and_citation(recordings: Recordings, tmp_path: Path) -> None:
    ptbxl = described(
        recordings, name="PTB-XL", public="ptb-xl", simulated=False, split="by fold", note="All of it."
    )
    (tmp_path / "LICENSE.txt").write_text("the licence")
    output = export_dataset(
        ptbxl, tmp_path / "out", repo_id="user/ptb-xl", licence_file=tmp_path / "LICENSE.txt"
    )
    text = (output / "README.md").read_text(encoding="utf-8")
    assert DatasetCard(text).data.license == "cc-by-4.0"
    for part in ("CC BY 4.0", "https://physionet.org/content/ptb-xl/", "wagner2020ptbxl", "All of it."):
        assert part in text
    assert "Division: by fold." in text
    assert (output / "LICENSE").read_text() == "the licence"
    with pytest.raises(ExportError, match=r"PTB-XL has the licence cc-by-4\.0, it cannot be released as mit"):
        export_dataset(ptbxl, tmp_path / "other", repo_id="user/ptb-xl", licence="mit")


@pytest.mark.usefixtures("unverified")
def test_recordings_of_ones_own_need_a_licence(recordings: Recordings, tmp_path: Path) -> None:
    own = described(recordings, name="PTB-XL and ward 7", simulated=False)  # a name proves nothing
    with pytest.raises(
        ExportError, match=r"recordings of 'PTB-XL and ward 7' may be released is not known.*--license"
    ):
        export_dataset(own, tmp_path / "out", repo_id=NAME)
    assert list(tmp_path.iterdir()) == []
    output = export_dataset(own, tmp_path / "out", repo_id=NAME, licence="cc0-1.0")
    assert "Licence: cc0-1.0." in (output / "README.md").read_text(encoding="utf-8")
    assert not (output / "LICENSE").exists()


@pytest.mark.usefixtures("unverified")
def test_millivolts_without_labels(recordings: Recordings, tmp_path: Path) -> None:
    signals = np.zeros((3, 12, 250), dtype=np.float32)
    split = Dataset.from_dict({"signal": list(signals), "place": ["a", "b", "c"]})
    splits = DatasetDict(train=split, validation=split, test=split)
    plain = replace(described(recordings, sampling_rate=500.0), splits=splits, class_names=("A",))
    text = (export_dataset(plain, tmp_path / "out", repo_id=NAME) / "README.md").read_text(encoding="utf-8")
    assert 'np.array(recording["signal"], dtype=np.float32)  # (12, 250) in mV' in text
    assert "12-lead ECGs of 0.5 s at 500 Hz" in text
    assert "| train | 3 | unknown | 3 |" in text
    assert "classes" not in text.partition("## Columns")[0].partition("```python")[2]


def with_splits(recordings: Recordings, leads: int, counts: tuple[int, int, int]) -> Recordings:
    split = Dataset.from_dict({"signal": list(np.zeros((3, leads, 250), dtype=np.float32))})
    names = ("train", "validation", "test")
    return replace(
        recordings,
        splits=DatasetDict(
            {name: split.select(range(count)) for name, count in zip(names, counts, strict=True)}
        ),
    )


def test_recordings_that_cannot_be_described_are_refused(recordings: Recordings, tmp_path: Path) -> None:
    for bad, message in (
        (with_splits(recordings, 3, (1, 1, 1)), "have 3 leads without names; expected the 12 standard leads"),
        (with_splits(recordings, 12, (1, 0, 1)), r"the splits \['validation'\] hold no recordings"),
    ):
        with pytest.raises(ExportError, match=message):
            export_dataset(bad, tmp_path / "out", repo_id=NAME)
    for options, message in (
        ({"repo_id": "recordings"}, "repo_id 'recordings' is not valid"),
        ({"repo_id": NAME, "shard_bytes": 0}, "shard_bytes=0 must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            export_dataset(recordings, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("unverified")
def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    export_command(
        ["--num_records", "40", "--label_set", "normal_abnormal", "--output", str(output), "--repo_id", NAME]
    )
    assert capsys.readouterr().out == f"exported and verified: {output}\n"
    header = DatasetCard.load(output / "README.md").data.dataset_info
    assert Features._from_yaml_list(header["features"])["labels"].length == 2
