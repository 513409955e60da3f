from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.evaluation.recipe import (
    RECIPE,
    changed_arguments,
    check_own_metrics,
    check_same_split,
    describe_arguments,
    make_recipe,
    read_recipe,
    same_dataset,
)
from ssl_ecg_hf.training import SslEcgTrainingArguments
from ssl_ecg_hf.training.finetune import FinetuningArguments


@dataclass
class Options:
    model: str
    count: int
    rate: float = 1e-3
    names: list[str] = field(default_factory=list)
    derived: int | None = None

    def __post_init__(self) -> None:
        self.derived = 2 * self.count if self.derived is None else self.derived


def test_what_differs_from_the_default_is_described() -> None:
    assert describe_arguments(Options("here", 3)) == {"count": 3, "derived": 6}
    described = describe_arguments(Options("here", 3, rate=0.5, names=["a"], derived=7))
    assert described == {"count": 3, "rate": 0.5, "names": ["a"], "derived": 7}


def test_places_and_tokens_are_left_out() -> None:
    groups: list[Any] = [
        FinetuningArguments(model="somewhere/secret", label_fraction=0.1, overwrite=True),
        DataArguments(data="/home/me/ptbxl", cache_dir="/tmp/me", sampling_rate=500),
        SslEcgTrainingArguments(
            "/home/me/run", hub_token="hf_secret", learning_rate=3e-4, use_cpu=True, disable_tqdm=True
        ),
    ]
    described = describe_arguments(*groups)
    assert described == {"label_fraction": 0.1, "sampling_rate": 500, "learning_rate": 3e-4}
    assert json.loads(json.dumps(described)) == described


def test_plain_training_arguments_have_nothing_to_describe() -> None:
    assert describe_arguments(SslEcgTrainingArguments("run")) == {}


def test_no_second_training_arguments_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    args = SslEcgTrainingArguments("run")

    def refuse(self: SslEcgTrainingArguments) -> None:
        raise AssertionError("a second instance resets the state of all processes")

    monkeypatch.setattr(SslEcgTrainingArguments, "__post_init__", refuse)
    describe_arguments(args)


def test_the_same_command_gives_the_same_description() -> None:
    made = [SslEcgTrainingArguments(f"run{i}", bf16=True, augmentations="light", seed=4) for i in range(2)]
    first, second = map(describe_arguments, made)
    assert first == second
    assert first["bf16"] is True
    assert (first["augmentations"], first["seed"]) == ("light", 4)


def test_a_recipe_is_read_back(tmp_path: Path) -> None:
    assert read_recipe(tmp_path) is None
    parent = make_recipe("pretrain", {"seed": 1}, {"name": "x"})
    recipe = make_recipe("finetune", {"learning_rate": 3e-7}, {"name": "x"}, parent=parent)
    (tmp_path / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    assert read_recipe(str(tmp_path)) == recipe
    assert recipe["parent"]["arguments"] == {"seed": 1}
    assert parent["parent"] is None
    assert set(recipe) == {"stage", "arguments", "dataset", "software", "parent"}
    assert recipe["software"]["ssl_ecg_hf"]


def test_a_damaged_recipe_is_not_overlooked(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="Expecting"):
        read_recipe(tmp_path)


def test_recordings_of_another_split_are_refused() -> None:
    def run(stage: str, split: str, parent: Any = None) -> dict[str, Any]:
        return {"stage": stage, "dataset": {"name": "PTB-XL", "split": split}, "parent": parent}

    given = {"name": "PTB-XL", "split": "folds"}
    check_same_split(None, given)
    check_same_split(run("finetune", "folds", run("pretrain", "folds")), given)
    check_same_split(run("finetune", "other"), {"name": "another database", "split": "folds"})
    with pytest.raises(ValueError, match=r"trained \(finetune\) on the split 'seed 3' of PTB-XL.*'folds'"):
        check_same_split(run("finetune", "seed 3", run("pretrain", "folds")), given)
    with pytest.raises(ValueError, match=r"trained \(pretrain\) on the split 'seed 3'"):
        check_same_split(run("finetune", "folds", run("pretrain", "seed 3")), given)


def test_recordings_that_came_or_went_since_are_refused() -> None:
    def dataset(validation: str, test: str) -> dict[str, Any]:
        return {"name": "ours", "split": "seed 0", "held_out": {"validation": validation, "test": test}}

    run = {"stage": "pretrain", "dataset": dataset("a", "b"), "parent": None}
    run = {"stage": "finetune", "dataset": {"name": "others"}, "parent": run}
    check_same_split(run, dataset("a", "b"))
    check_same_split(run, {"name": "ours", "split": "seed 0"})  # nothing is known of its members
    with pytest.raises(ValueError, match=r"^test of ours hold other recordings .* \(pretrain\)"):
        check_same_split(run, dataset("a", "c"))
    with pytest.raises(ValueError, match=r"^validation and test of ours"):
        check_same_split(run, dataset("c", "d"))


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"name": "moved"}, True),
        ({"name": "moved", "held_out": {"validation": "a", "test": "c"}}, False),
        ({"name": "moved", "held_out": {}}, False),
        # Another dataset whose ids count alike.
        ({"name": "moved", "records": {"train": 9}}, False),
        ({"name": "moved", "table_sha256": "f0"}, False),
        ({"held_out": {"validation": "a", "test": "c"}}, True),  # recordings came or went
        ({"simulated": True}, False),
        ({"public": "ptb-xl", "name": "moved"}, True),  # its digests still agree
    ],
)
def test_a_dataset_is_known_by_what_it_holds(changes: dict[str, Any], same: bool) -> None:
    ours = {
        "name": "ours", "simulated": False, "held_out": {"validation": "a", "test": "b"},
        "table_sha256": "e1", "records": {"train": 8},
    }  # fmt: skip
    assert same_dataset(ours, {**ours, **changes}) is same
    assert same_dataset({**ours, **changes}, ours) is same


def test_public_and_simulated_datasets_are_known_by_key_and_seed() -> None:
    ptbxl = {"name": "PTB-XL", "public": "ptb-xl", "simulated": False}
    assert same_dataset(ptbxl, {"name": "PTB-XL", "simulated": False})  # a recipe of before
    assert same_dataset(ptbxl, {**ptbxl, "name": "ptbxl"})
    assert not same_dataset(ptbxl, {**ptbxl, "public": "another"})
    simulated = {"name": "ECG simulator", "simulated": True, "seed": 0}
    assert same_dataset(simulated, {**simulated, "records": {"train": 3}})
    assert not same_dataset(simulated, {**simulated, "seed": 1})


def test_only_metrics_of_the_own_data_pass() -> None:
    ours = {"name": "ours", "simulated": False, "split": "seed 0", "held_out": {"test": "a"}}
    recipe = {"dataset": ours}
    check_own_metrics(recipe, {"run": {"dataset": ours}})
    check_own_metrics(recipe, {"run": {"dataset": {"name": "ours", "simulated": False}}})  # of before
    for run in (
        {"dataset": {**ours, "name": "theirs", "held_out": {}}},
        {"dataset": {**ours, "split": "seed 1"}},
        {"dataset": {**ours, "held_out": {"test": "b"}}},
        {"dataset": ours, "trained_on": ours},
    ):
        with pytest.raises(ValueError, match=r"the checkpoint was trained on 'ours' \(seed 0\)"):
            check_own_metrics(recipe, {"run": run})


def test_a_seed_of_zero_is_no_default_of_none() -> None:
    @dataclass
    class Arguments:
        split_seed: int | None = None
        resumed: bool | None = None

    assert changed_arguments(Arguments(split_seed=0, resumed=False)) == {"split_seed": 0}
