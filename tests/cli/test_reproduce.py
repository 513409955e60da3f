"""Which cells of a table are run, and a table whose seeds divide the recordings anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.cli.experiment_table import ExperimentTable, read_table
from ssl_ecg_hf.cli.reproduce import places, pretrainings, wanted_cells
from ssl_ecg_hf.data.source import load_recordings
from ssl_ecg_hf.data.splits import labelled

TINY: dict[str, Any] = {"hidden_sizes": [8, 16], "kernel_sizes": [5, 3], "strides": [4, 4]}


@pytest.fixture
def table(tmp_path: Path) -> ExperimentTable:
    content = {
        "name": "t", "seeds": [0, 1], "seeds_at": {1.0: [0]}, "label_fractions": [0.1, 1.0],
        "pretraining": {},
        "methods": {key: {"title": key, "recipe": "r.yaml"} for key in ("a", "b")},
    }  # fmt: skip
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_table(path)


def names(table: ExperimentTable, **wanted: Any) -> list[str]:
    return [cell.name for cell in wanted_cells(table, **wanted)]


def test_everything_is_wanted_unless_something_is_said(table: ExperimentTable) -> None:
    assert names(table) == [cell.name for cell in table.cells]


def test_methods_seeds_and_fractions_restrict_what_is_run(table: ExperimentTable) -> None:
    assert names(table, seeds=[1]) == ["a-10pct-seed1", "b-10pct-seed1"]
    assert names(table, label_fractions=[1.0]) == ["a-100pct-seed0", "b-100pct-seed0"]
    assert names(table, methods=["b"], seeds=[0], label_fractions=[0.1]) == ["b-10pct-seed0"]
    assert names(table, seeds=[1], label_fractions=[1.0]) == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"methods": ["c"]}, r"table t has no methods \['c'\]; it has \['a', 'b'\]"),
        ({"seeds": [7]}, r"has no seeds \[7\]; it has \[0, 1\]"),
        ({"label_fractions": [0.2]}, r"has no label fractions \[0.2\]; it has \[0.1, 1.0\]"),
    ],
)
def test_what_a_table_lacks_is_named(table: ExperimentTable, wanted: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted_cells(table, **wanted)


def test_a_grid_names_the_pretraining_of_each_place(tmp_path: Path) -> None:
    content = {
        "name": "t", "seeds": [0, 1], "label_fractions": [0.1],
        "pretraining": {"byol": {"recipe": "byol.yaml", "seeds": [3]}},
        "methods": {
            "random": {"row": "Random", "column": "frozen", "recipe": "r.yaml"},
            "byol": {"row": "BYOL", "column": "frozen", "recipe": "r.yaml", "pretrained": "byol"},
            "scratch": {"title": "Scratch", "recipe": "r.yaml"},
        },
    }  # fmt: skip
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert places(read_table(path)) == [
        {"row": "Random", "column": "frozen", "method": "Random, frozen", "pretraining": None},
        {"row": "BYOL", "column": "frozen", "method": "BYOL, frozen", "pretraining": "byol-seed3"},
    ]


def test_what_a_pretraining_cost(tmp_path: Path) -> None:
    known: dict[str, Any] = {"seconds": 20.0, "evaluations": [], "recipe": {}}
    (tmp_path / "pretrained-simclr-seed0.json").write_text(json.dumps(known), encoding="utf-8")
    known["encoder_parameters"] = 7
    (tmp_path / "pretrained-byol-seed3.json").write_text(json.dumps(known), encoding="utf-8")
    assert pretrainings(tmp_path) == [
        {"name": "byol-seed3", "seconds": 20.0, "encoder_parameters": 7},
        {"name": "simclr-seed0", "seconds": 20.0},
    ]


@pytest.mark.slow
def test_each_seed_divides_the_recordings_anew(tmp_path: Path) -> None:
    def write(name: str, content: dict[str, Any]) -> None:
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")

    quiet = {"disable_tqdm": True, "use_cpu": True}
    simclr = {"encoder_options": TINY, "objective_options": {"hidden_size": 16, "projection_size": 8}}
    write("simclr.yaml", {"config": simclr, "max_steps": 2, "per_device_train_batch_size": 16, **quiet})
    write("probe.yaml", {"probe": True, **quiet})
    write("random.yaml", {"probe": True, "config": {"encoder_options": TINY}, **quiet})
    write(
        "table.yaml",
        {
            "name": "splits",
            "label_fractions": [0.5],
            "seeds": [0, 1],
            "resplit": {"shares": [0.6, 0.2, 0.2]},
            "data": {"num_records": 150, "label_set": "normal_abnormal"},
            "pretraining": {"simclr": "simclr.yaml"},
            "methods": {
                "random": {"title": "Random", "recipe": "random.yaml"},
                "simclr": {"title": "SimCLR", "recipe": "probe.yaml", "pretrained": "simclr"},
            },
            "comparisons": [["simclr", "random"]],
        },
    )
    words = ["reproduce", str(tmp_path / "table.yaml"), "--data", "simulated"]
    words += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    results = tmp_path / "results" / "splits"
    assert main([*words, "--seeds", "1"]) == 0
    assert {path.name for path in results.glob("*.npz")} == {
        "random-50pct-seed1.npz",
        "simclr-50pct-seed1.npz",
    }
    assert main([*words, "--methods", "random", "--label_fractions", "0.5"]) == 0
    assert len(list(results.glob("*.npz"))) == 3
    assert main(words) == 0
    summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))
    assert [(row["method"], row["seeds"]) for row in summary["rows"]] == [
        ("Random", [0, 1]),
        ("SimCLR", [0, 1]),
    ]
    assert summary["comparisons"][0]["seeds"] == [0, 1]
    assert summary["resplit"]["overlap"] == pytest.approx(1 / 3, abs=1e-6)
    assert "Repeated random sub-sampling" in (results / "table.md").read_text(encoding="utf-8")
    assert not (results / "details.md").exists()
    for seed in (0, 1):
        splits = load_recordings(
            "simulated",
            num_records=150,
            label_set="normal_abnormal",
            split_seed=seed,
            split_shares=(0.6, 0.2, 0.2),
        ).splits
        for cell in ("random", "simclr"):
            metrics = json.loads((results / f"{cell}-50pct-seed{seed}.json").read_text(encoding="utf-8"))
            assert metrics["classes"] == ["NORM", "ABNORMAL"]
            assert metrics["test"]["records"] == len(labelled(splits["test"]))
            assert metrics["run"]["dataset"]["split_seed"] == seed
        recipe = json.loads((results / f"pretrained-simclr-seed{seed}.json").read_text(encoding="utf-8"))
        dataset = recipe["recipe"]["dataset"]
        assert (dataset["split_seed"], dataset["records"]["train"]) == (seed, len(splits["train"]))
