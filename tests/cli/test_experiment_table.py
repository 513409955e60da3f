from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_ecg_hf.cli.experiment_table import read_table
from ssl_ecg_hf.cli.parsing import parse
from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.training import SslEcgTrainingArguments
from ssl_ecg_hf.training.finetune import FinetuningArguments
from ssl_ecg_hf.training.pretrain import PretrainingArguments

TABLES = sorted((Path(__file__).parents[2] / "recipes" / "tables").glob("*.yaml"))
TABLE: dict[str, Any] = {
    "name": "small",
    "seeds": [0, 1, 2],
    "seeds_at": {1.0: [1]},
    "label_fractions": [0.1, 1.0],
    "pretraining": {
        "simclr": "simclr.yaml",
        "byol": {"recipe": "byol.yaml", "set": {"bf16": False}, "seeds": [5, 6]},
    },
    "methods": {
        "scratch": {"title": "Scratch", "recipe": "scratch.yaml"},
        "byol": {
            "title": "BYOL",
            "recipe": "finetune.yaml",
            "pretrained": "byol",
            "set": {"learning_rate": 0.1, "num_train_epochs": 3},
            "at": {1.0: {"num_train_epochs": 1}},
        },
    },
    "comparisons": [["byol", "scratch"]],
}


def write(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "table.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_cells_come_seed_by_seed(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, TABLE))
    assert [cell.name for cell in table.cells] == [
        "scratch-10pct-seed0",
        "byol-10pct-seed0",
        "scratch-10pct-seed1",
        "byol-10pct-seed1",
        "scratch-100pct-seed1",
        "byol-100pct-seed1",
        "scratch-10pct-seed2",
        "byol-10pct-seed2",
    ]
    assert (table.name, table.comparisons) == ("small", (("BYOL", "Scratch"),))


def test_options_of_the_method_and_of_the_fraction(tmp_path: Path) -> None:
    cells = {cell.name: cell for cell in read_table(write(tmp_path, TABLE)).cells}
    recipe = str(tmp_path / "finetune.yaml")
    rate = ["--learning_rate", "0.1"]
    assert list(cells["byol-10pct-seed0"].words) == [recipe, *rate, "--num_train_epochs", "3"]
    assert list(cells["byol-100pct-seed1"].words) == [recipe, *rate, "--num_train_epochs", "1"]
    assert list(cells["scratch-10pct-seed0"].words) == [str(tmp_path / "scratch.yaml")]


def test_robustness_is_measured_where_it_is_asked_for(tmp_path: Path) -> None:
    asked = {**TABLE, "robustness": {"methods": ["byol"], "label_fraction": 0.1, "seed": 2}}
    cells = read_table(write(tmp_path, asked)).cells
    assert [cell.name for cell in cells if cell.robustness] == ["byol-10pct-seed2"]
    assert not any(cell.robustness for cell in read_table(write(tmp_path, TABLE)).cells)


def test_fewer_pretrainings_than_seeds_are_used_in_turn(tmp_path: Path) -> None:
    cells = [cell for cell in read_table(write(tmp_path, TABLE)).cells if cell.pretraining is not None]
    names = {cell.seed: cell.pretraining.name for cell in cells if cell.pretraining is not None}
    assert names == {0: "pretrained-byol-seed5", 1: "pretrained-byol-seed6", 2: "pretrained-byol-seed5"}
    assert cells[0].pretraining is not None
    assert cells[0].pretraining.words == (str(tmp_path / "byol.yaml"), "--bf16", "false")


def test_each_seed_divides_the_recordings_of_its_pretraining_and_cells_alike(tmp_path: Path) -> None:
    content = copy.deepcopy(TABLE)
    del content["pretraining"]["byol"]["seeds"]
    content["data"] = {"label_set": "rhythm"}
    assert {cell.data_words for cell in read_table(write(tmp_path, content)).cells} == {
        ("--label_set", "rhythm")
    }
    table = read_table(write(tmp_path, {**content, "resplit": {"shares": [0.6, 0.2, 0.2]}}))
    assert table.shares == (0.6, 0.2, 0.2)
    for cell in table.cells:
        words = ["--label_set", "rhythm", "--split_seed", str(cell.seed)]
        assert list(cell.data_words) == [*words, "--split_shares", "0.6", "0.2", "0.2"]
        if cell.pretraining is not None:
            assert cell.pretraining.seed == cell.seed
            assert cell.pretraining.data_words == cell.data_words


def test_a_place_in_a_grid_is_the_title(tmp_path: Path) -> None:
    content = copy.deepcopy(TABLE)
    del content["methods"]["byol"]["title"]
    content["methods"]["byol"] |= {"row": "BYOL", "column": "fine-tuned"}
    table = read_table(write(tmp_path, content))
    assert table.places == {"BYOL, fine-tuned": ("BYOL", "fine-tuned")}
    assert table.comparisons == (("BYOL, fine-tuned", "Scratch"),)
    assert {cell.method for cell in table.cells} == {"BYOL, fine-tuned", "Scratch"}
    assert read_table(write(tmp_path, TABLE)).places == {}


def test_data_are_as_ever_where_a_table_says_nothing_of_them(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, TABLE))
    assert table.shares is None
    assert {cell.data_words for cell in table.cells} == {()}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_of_the_repository_is_valid(path: Path, tmp_path: Path) -> None:
    cells = read_table(path).cells
    assert len({cell.name for cell in cells}) == len(cells) > 0
    place = ["--output_dir", str(tmp_path), "--data", "somewhere"]
    for words in {(*cell.words, *cell.data_words) for cell in cells}:
        parse("x", (FinetuningArguments, DataArguments, SslEcgTrainingArguments), [*words, *place])
    pretrainings = {cell.pretraining for cell in cells if cell.pretraining is not None}
    for words in {(*entry.words, *entry.data_words) for entry in pretrainings}:
        parse("x", (PretrainingArguments, DataArguments, SslEcgTrainingArguments), [*words, *place])


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("seeds",), None, r"table .*table.yaml lacks \['seeds'\]"),
        (("sedes",), [0], r"table .* has unknown keys \['sedes'\]; known are \['comparisons'"),
        (("methods", "byol", "settings"), {}, r"method 'byol' has unknown keys \['settings'\]"),
        (("methods", "byol", "title"), None, r"method 'byol' lacks \['title'\]"),
        (("methods", "byol"), "finetune.yaml", r"method 'byol' must be a mapping with \['recipe', 'title'\]"),
        (
            ("methods", "byol", "pretrained"),
            "jepa",
            r"'jepa'; known are \['byol', 'simclr'\]",
        ),
        (("methods", "byol", "row"), "BYOL", r"method 'byol' lacks \['column'\]"),
        (
            ("methods", "byol"),
            {"title": "BYOL", "row": "BYOL", "column": "frozen", "recipe": "probe.yaml"},
            r"method 'byol' has unknown keys \['title'\]; known are \['at', 'column'",
        ),
        (("pretraining", "byol", "recipe"), None, r"pretraining 'byol' lacks \['recipe'\]"),
        (("seeds_at", 0.5), [0], r"seeds_at names \[0.5\]; known are \[0.1, 1.0\]"),
        (("methods", "byol", "at"), {0.01: {}}, r"'at' of method 'byol' names \[0.01\]"),
        (("methods", "byol", "title"), "Scratch", "two methods have the same title"),
        (("comparisons",), [["byol", "x"]], r"comparisons names \['x'\]; known are \['scratch', 'byol'\]"),
        (("robustness",), {"methods": ["x"], "label_fraction": 0.1, "seed": 0}, r"robustness names \['x'\]"),
        (
            ("robustness",),
            {"methods": ["byol"], "label_fraction": 0.2, "seed": 0},
            r"robustness names \[0.2\]",
        ),
        (("resplit",), {"share": [1]}, r"resplit lacks \['shares'\]"),
        (("resplit",), {"shares": [0.5, 0.5]}, r"resplit has shares \[0.5, 0.5\]; expected those of train, "),
        (("resplit",), {"shares": [0.8, 0.1, 0.1]}, r"pretraining \['byol'\] has seeds of its own"),
        (("seeds_at", 1.0), [7], r"seeds_at 1.0 has seeds \[7\] that are not among seeds"),
    ],
)
def test_mistakes_are_named(place: tuple[Any, ...], value: Any, message: str, tmp_path: Path) -> None:
    table = copy.deepcopy(TABLE)
    entry = table
    for key in place[:-1]:
        entry = entry[key]
    if value is None:
        del entry[place[-1]]
    else:
        entry[place[-1]] = value
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, table))


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text("a: b: c", encoding="utf-8")
    with pytest.raises(ValueError, match=r"table .*table.yaml is no YAML"):
        read_table(path)
