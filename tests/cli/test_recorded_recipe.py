"""What was made with other options than a table names now is not used."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_ecg_hf.cli import main
from ssl_ecg_hf.cli.experiment_table import Cell, ExperimentTable, read_table
from ssl_ecg_hf.cli.recorded_recipe import (
    Wanted,
    check_recipes,
    differences,
    is_compared,
    wanted_pretraining,
    wanted_run,
)
from ssl_ecg_hf.cli.reproduce import check_finished, is_finished, state_of

ROOT = Path(__file__).parents[2]
RESULTS = sorted(path.name for path in (ROOT / "docs" / "results").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", RESULTS)
def test_results_that_come_with_the_sources_are_those_of_their_tables(name: str, tmp_path: Path) -> None:
    table = read_table(ROOT / "recipes" / "tables" / f"{name}.yaml")
    results = ROOT / "docs" / "results" / name
    missing = [cell for cell in table.cells if not is_finished(cell, results)]
    assert len(missing) < len(table.cells)
    check_finished(table, missing, root=tmp_path, results=results)
    # None of them is passed over because its name is another.
    described = {path.name for path in results.glob("*-seed*.json")}
    asked = {path.name for cell in table.cells for path in state_of(cell, results)}
    asked |= {f"{cell.pretraining.name}.json" for cell in table.cells if cell.pretraining}
    assert described <= asked


def test_every_option_that_changes_a_result_is_told_apart() -> None:
    table = read_table(ROOT / "recipes" / "tables" / "precision.yaml")
    results = ROOT / "docs" / "results" / "precision"
    cells = {cell.key: cell for cell in table.cells}
    pretraining = cells["simclr_probe"].pretraining
    assert pretraining is not None
    recorded = json.loads((results / f"{pretraining.name}.json").read_text(encoding="utf-8"))["recipe"]

    def with_words(*words: str) -> Wanted:
        wanted = wanted_pretraining(pretraining)
        return dataclasses.replace(wanted, words=(*wanted.words, *words))

    assert differences(recorded, with_words()) == []
    assert differences(recorded, with_words("--logging_steps", "7", "--probe_every", "1")) == []
    assert differences(recorded, with_words("--num_train_epochs", "99", "--bf16", "true")) == [
        "bf16: false then, true now",
        "num_train_epochs: 12.0 then, 99.0 now",
    ]
    config = '{ "objective_options" : {"temperature": 0.1}, "pooling": "mean_std" }'
    assert differences(recorded, with_words("--config", config)) == [
        'config.pooling: "mean" then, "mean_std" now'
    ]
    run = json.loads((results / f"{cells['simclr_probe'].name}.json").read_text(encoding="utf-8"))["run"]
    wanted = wanted_run(cells["simclr_probe"])
    faster = dataclasses.replace(wanted, parent=with_words("--learning_rate", "0.1"))
    assert differences(run, faster) == ["pretraining's learning_rate: 0.001 then, 0.1 now"]
    alone = dataclasses.replace(wanted, parent=None)
    assert differences(run, alone) == ["pretraining: one then, none now"]
    assert differences({**run, "parent": None}, wanted) == ["pretraining: none then, one now"]


def test_options_of_place_logging_and_loading_are_not_compared() -> None:
    for name in ("data", "model", "logging_steps", "eval_strategy", "save_total_limit", "disable_tqdm",
                 "dataloader_num_workers", "per_device_eval_batch_size", "probe_every"):  # fmt: skip
        assert not is_compared(name), name
    for name in ("seed", "label_seed", "bf16", "max_steps", "per_device_train_batch_size", "label_set",
                 "split_seed", "config", "patience", "dataloader_drop_last"):  # fmt: skip
        assert is_compared(name), name


def test_what_an_older_recipe_does_not_record_had_its_default() -> None:
    wanted = Wanted(verb="pretrain", words=("--config", '{"pooling": "mean"}'), numbers={"seed": 42})
    recorded: dict[str, Any] = {"arguments": {"objective": "simclr"}, "parent": None}
    assert differences(recorded, wanted) == []  # the pooling, the augmentations, the seed
    recorded["arguments"] |= {
        "config": '{"objective_options":{"temperature":0.1}}',
        "augmentations": "default",
    }
    assert differences(recorded, wanted) == []
    recorded["arguments"] |= {"seed": 0, "augmentations": '{"time_out": {"p": 0.5}}'}
    assert differences(recorded, wanted) == [
        'augmentations: {"time_out": {"p": 0.5}} then, "default" now',
        "seed: 0 then, 42 now",
    ]


def test_a_folder_that_says_nothing_of_its_making_is_refused(tmp_path: Path) -> None:
    wanted = Wanted(verb="pretrain", words=())
    check_recipes([(tmp_path, {"arguments": {}, "parent": None}, wanted)])
    with pytest.raises(ValueError, match=r"(?s)1 finished runs were made with other .*it has no recipe"):
        check_recipes([(tmp_path, None, wanted)])
    many = [(tmp_path / str(number), None, wanted) for number in range(7)]
    with pytest.raises(ValueError, match=r"(?s)7 finished runs .*and 2 more\nRemove these"):
        check_recipes(many)


def table_of(folder: Path, epochs: int) -> ExperimentTable:
    simclr = {"recipe": "simclr.yaml", "set": {"num_train_epochs": epochs}}
    content = {
        "name": "t", "seeds": [0], "label_fractions": [1.0], "pretraining": {"simclr": simclr},
        "methods": {"probe": {"title": "Probe", "recipe": "probe.yaml", "pretrained": "simclr"}},
    }  # fmt: skip
    for name, entry in (("table", content), ("simclr", {"bf16": True}), ("probe", {"probe": True})):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(entry), encoding="utf-8")
    return read_table(folder / "table.yaml")


def write_recipe(path: Path, **arguments: Any) -> None:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}", encoding="utf-8")
    recipe = {"stage": "pretrain", "arguments": {"objective": "simclr", **arguments}, "parent": None}
    (path / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("something ran")


def test_a_checkpoint_of_another_recipe_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in ("finish", "load_runs"):
        monkeypatch.setattr(f"ssl_ecg_hf.cli.reproduce.{step}", never)
    table = table_of(tmp_path, epochs=99)
    (cell,) = table.cells
    assert isinstance(cell, Cell)
    folder = tmp_path / "runs" / "t" / "pretrained-simclr-seed0"
    write_recipe(folder, num_train_epochs=6.0, bf16=True, seed=0)
    words = ["reproduce", str(tmp_path / "table.yaml"), "--data", "simulated"]
    words += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert f"{folder}: num_train_epochs: 6.0 then, 99.0 now" in said
    assert "Remove these to make them anew, undo the change" in said
    table = table_of(tmp_path, epochs=6)
    check_finished(table, table.cells, root=folder.parent, results=tmp_path)
    # A checkpoint that no missing run starts from is left alone.
    check_finished(table_of(tmp_path, epochs=99), [], root=folder.parent, results=tmp_path)


def test_a_result_of_another_recipe_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, epochs=6)
    (cell,) = table.cells
    pretraining = {"arguments": {"objective": "simclr", "num_train_epochs": 6.0, "bf16": True, "seed": 0}}
    run = {"arguments": {"probe": True, "seed": 0}, "parent": {**pretraining, "parent": None}}
    for path in state_of(cell, tmp_path):
        path.write_text(json.dumps({"run": run}), encoding="utf-8")
    check_finished(table, [], root=tmp_path, results=tmp_path)
    with pytest.raises(
        ValueError, match=r"probe-100pct-seed0\.json: pretraining's num_train_epochs: 6\.0 then"
    ):
        check_finished(table_of(tmp_path, epochs=7), [], root=tmp_path, results=tmp_path)
    description = tmp_path / "pretrained-simclr-seed0.json"
    description.write_text(json.dumps({"recipe": pretraining | {"parent": None}}), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"(?s)2 finished runs .*pretrained-simclr-seed0\.json: num_train_epochs"
    ):
        check_finished(table_of(tmp_path, epochs=7), [], root=tmp_path, results=tmp_path)
