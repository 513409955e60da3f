from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ssl_ecg_hf.evaluation.recipe import read_recipe
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgFeatureExtractor, SslEcgModel
from ssl_ecg_hf.training.run_folder import last_complete_checkpoint, open_run, save_checkpoint

RECIPE: dict[str, Any] = {
    "stage": "pretrain",
    "arguments": {"learning_rate": 1.23456789e-7, "num_train_epochs": 3},
    "dataset": {"name": "simulated ECGs", "records": {"train": 8}},
    "software": {"date": "2026-01-01"},
    "parent": None,
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_the_newest_complete_checkpoint_counts_by_number(tmp_path: Path) -> None:
    assert last_complete_checkpoint(tmp_path) is None
    write(tmp_path / "checkpoint-9" / "trainer_state.json", "{}")
    write(tmp_path / "checkpoint-10" / "trainer_state.json", "{}")
    write(tmp_path / "checkpoint-11" / "trainer_state.json", '{"global_step": 1')  # cut off
    write(tmp_path / "checkpoint-12" / "model.safetensors", "")
    write(tmp_path / "checkpoint-best" / "trainer_state.json", "{}")
    assert last_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_a_new_folder_is_made_with_its_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    assert open_run(folder, RECIPE, overwrite=False) is None
    assert read_recipe(folder) == RECIPE


def test_the_same_run_is_resumed(tmp_path: Path) -> None:
    open_run(tmp_path, RECIPE, overwrite=False)
    write(tmp_path / "checkpoint-4" / "trainer_state.json", "{}")
    later = {**copy.deepcopy(RECIPE), "software": {"date": "2026-01-02"}}
    assert open_run(tmp_path, later, overwrite=False) == tmp_path / "checkpoint-4"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"arguments": {"learning_rate": 1e-3, "num_train_epochs": 3}}, r"\['learning_rate'\]"),
        ({"arguments": {"num_train_epochs": 3}}, r"\['learning_rate'\]"),
        ({"arguments": {**RECIPE["arguments"], "seed": 1}}, r"\['seed'\]"),
        ({"dataset": {"name": "PTB-XL"}}, r"\['data'\]"),
        ({"parent": {"stage": "pretrain"}}, r"\['model'\]"),
        ({"stage": "finetune"}, r"\['stage'\]"),
    ],
)
def test_another_run_is_refused_and_its_folder_left_alone(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    open_run(tmp_path, RECIPE, overwrite=False)
    write(tmp_path / "checkpoint-4" / "trainer_state.json", "{}")
    with pytest.raises(ValueError, match=rf"unfinished run with other arguments \(different: {named}"):
        open_run(tmp_path, {**RECIPE, **change}, overwrite=False)
    assert read_recipe(tmp_path) == RECIPE
    assert open_run(tmp_path, {**RECIPE, **change}, overwrite=True) is None
    assert not (tmp_path / "checkpoint-4").exists()


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    open_run(tmp_path, RECIPE, overwrite=False)
    write(tmp_path / "x" / "y", "")
    save_checkpoint(SslEcgModel(SslEcgConfig()), tmp_path)
    with pytest.raises(ValueError, match="holds a finished run"):
        open_run(tmp_path, RECIPE, overwrite=False)


def test_overwriting_spares_a_folder_that_is_no_run(tmp_path: Path) -> None:
    write(tmp_path / "thesis" / "chapter.tex", "years of work")
    open_run(tmp_path, RECIPE, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text(encoding="utf-8") == "years of work"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["checkpoint-7/trainer_state.json", "checkpoint-7/model.safetensors"])
def test_checkpoints_of_unknown_origin_are_neither_resumed_nor_deleted(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    folder = tmp_path / "notebook"
    (folder / "checkpoint-7").mkdir(parents=True)
    (folder / name).write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notebook holds .* without a recipe\.json.*another --output_dir"):
        open_run(folder, RECIPE, overwrite=overwrite)
    assert [path.name for path in folder.iterdir()] == ["checkpoint-7"]
    assert (folder / name).is_file()


def test_a_model_of_unknown_origin_is_not_written_over(tmp_path: Path) -> None:
    save_checkpoint(SslEcgModel(SslEcgConfig()), tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"without a recipe\.json"):
            open_run(tmp_path, RECIPE, overwrite=overwrite)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_checkpoint_has_weights_configuration_and_feature_extractor(tmp_path: Path) -> None:
    config = SslEcgConfig(leads=["II", "V2"], sampling_rate=250, num_samples=500)
    write(tmp_path / ".saving" / "model.safetensors", "left by a killed process")
    save_checkpoint(SslEcgModel(config), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert SslEcgModel.from_pretrained(tmp_path).config.leads == ["II", "V2"]
    extractor = SslEcgFeatureExtractor.from_pretrained(tmp_path)
    assert (extractor.leads, extractor.sampling_rate, extractor.num_samples) == (["II", "V2"], 250, 500)
