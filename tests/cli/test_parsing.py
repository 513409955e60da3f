from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import TrainingArguments

from ssl_ecg_hf.cli.parsing import USUAL, data_words, parse, recipe_words
from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.training import SslEcgTrainingArguments
from ssl_ecg_hf.training.finetune import FinetuningArguments
from ssl_ecg_hf.training.pretrain import PretrainingArguments, config_fields

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@dataclass
class Options:
    name: str = "default"
    rate: float = 1.0
    flag: bool = False
    names: list[str] = field(default_factory=list)
    config: str = "{}"


def write(path: Path, content: Any) -> str:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def test_a_recipe_becomes_words(tmp_path: Path) -> None:
    recipe = write(
        tmp_path / "r.yaml",
        {"names": ["a", "b"], "flag": True, "config": {"x": [1]}, "rate": 1e-3, "name": None},
    )
    words = recipe_words(Path(recipe))
    options = {" ".join(words).split("--")[i].split(" ")[0] for i in range(1, 5)}
    assert options == {"names", "flag", "config", "rate"}
    (parsed,) = parse("x", (Options,), [recipe])
    assert parsed == Options(rate=0.001, flag=True, names=["a", "b"], config='{"x": [1]}')


def test_the_command_line_wins_over_the_recipe(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", {"name": "recipe", "rate": 2.0, "flag": True})
    (parsed,) = parse("x", (Options,), [recipe, "--rate", "3", "--flag", "false"])
    assert parsed == Options(name="recipe", rate=3.0, flag=False)


@pytest.mark.parametrize("content", [[1, 2], "text", None])
def test_a_recipe_must_be_a_mapping(content: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a mapping of options to values"):
        parse("x", (Options,), [write(tmp_path / "r.yaml", content)])


def test_options_are_not_abbreviated(tmp_path: Path) -> None:
    with pytest.raises((ValueError, SystemExit)):
        parse("x", (Options,), ["--nam", "y"])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid(path: Path, tmp_path: Path) -> None:
    first = PretrainingArguments if "objective" in yaml.safe_load(path.read_text()) else FinetuningArguments
    words = [str(path), "--output_dir", str(tmp_path), "--data", "somewhere"]
    what, data, args = parse("x", (first, DataArguments, SslEcgTrainingArguments), words)
    config_fields(what.config)
    assert (data.data, args.output_dir) == ("somewhere", str(tmp_path))


def test_data_options_for_a_command_to_copy() -> None:
    assert data_words(DataArguments()) == "--data simulated"
    given = DataArguments(data="my data", sampling_rate=500, class_names=["A", "B"])
    assert data_words(given) == "--data 'my data' --sampling_rate 500 --class_names A B"


@pytest.mark.parametrize("content", [b"rate: [1\n", b"\xff\xfe", b"a: b: c\n"])
def test_what_is_no_yaml_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"recipe .*r.yaml is no YAML: .*; expected a mapping") as refusal:
        recipe_words(tmp_path / "r.yaml")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--naem", "x"], "unknown option --naem x; did you mean --name"),
        (["--zzz"], "unknown option --zzz; see ssl-ecg x --help"),
        (["--name", "x", "y"], "unknown option y; see ssl-ecg x --help"),
    ],
)
def test_unknown_options_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse("x", (Options,), words)


def test_help_shows_what_is_needed_and_all_of_it_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for word in ("--help", "--help_all"):
        with pytest.raises(SystemExit) as ended:
            parse("x", (DataArguments, SslEcgTrainingArguments), [word], example="ssl-ecg x")
        assert ended.value.code == 0
        shown[word] = capsys.readouterr().out
    assert all(f"--{name} " in shown["--help"] for name in (*USUAL, "augmentations", "split_seed"))
    assert "--fsdp" not in shown["--help"]
    assert "--num-views" not in shown["--help"]
    assert re.search(r"And \d+ more of Transformers' TrainingArguments: --help_all", shown["--help"])
    assert "Example: ssl-ecg x" in shown["--help"]
    assert {field.name for field in fields(TrainingArguments)} <= set(
        re.findall(r"--(\w+)", shown["--help_all"])
    )


def test_options_that_the_help_leaves_out_are_known(tmp_path: Path) -> None:
    words = ["--output_dir", str(tmp_path), "--adam_beta2", "0.95", "--num-views", "4"]
    (args,) = parse("x", (SslEcgTrainingArguments,), words)
    assert (args.adam_beta2, args.num_views) == (0.95, 4)
