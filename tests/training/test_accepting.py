"""What comes into a Trainer: every dataset is checked, none is used for what it does not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, IterableDataset

from ssl_ecg_hf.data.signals import SignalTable
from ssl_ecg_hf.modeling import (
    OBJECTIVES,
    SslEcgConfig,
    SslEcgForBYOL,
    SslEcgForCLOCS,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
)
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]
HEAD = {"hidden_size": 24, "projection_size": 12}
ACCEPTING = "ssl_ecg_hf.training.accepting"
ABSENT = [0] * 5
PRESENT = [1, 0, 0, 0, 0]


def recordings_of(
    count: int = 20, *, samples: int = 200, labels: list[list[int]] | None = None, **columns: Any
) -> Dataset:
    signal = np.random.default_rng(0).normal(0, 0.3, (count, 12, samples)).astype(np.float32)
    return Dataset.from_dict(
        {"signal": signal.tolist(), **({} if labels is None else {"labels": labels}), **columns}
    )


def with_labels(count: int = 20, **columns: Any) -> Dataset:
    labels = np.eye(5, dtype=int)[np.arange(count) % 5]
    return recordings_of(count, labels=labels.tolist(), **columns)


def warnings_of(caplog: pytest.LogCaptureFixture, name: str = ACCEPTING) -> list[str]:
    return [record.message for record in caplog.records if record.name == name]


# ---- the same check for whatever comes in ----


def fast() -> Dataset:
    return with_labels(sampling_rate=[500.0] * 20)


def in_microvolts() -> Dataset:
    data = with_labels()
    return data.map(lambda row: {"signal": [[1000 * value for value in lead] for lead in row["signal"]]})


WRONG = pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (fast, r"sampled at \[500.0\] Hz, the model at 100"),
        (in_microvolts, r"column 'signal' of the dataset, row 0.*mV"),
    ],
)


@WRONG
@pytest.mark.parametrize("form", ["one", "stream", "several"])
@pytest.mark.parametrize("kind", ["simclr", "classifier"])
def test_datasets_given_later_are_checked_like_the_first(
    kind: str,
    form: str,
    wrong: Callable[[], Dataset],
    message: str,
    simclr: SslEcgForSimCLR,
    classifier: SslEcgForSequenceClassification,
    arguments: MakeArguments,
) -> None:
    trainer = SslEcgTrainer({"simclr": simclr, "classifier": classifier}[kind], arguments())
    given: Any = wrong().to_iterable_dataset() if form == "stream" else wrong()
    with pytest.raises(ValueError, match=message):
        trainer.evaluate({"a": with_labels(), "b": given} if form == "several" else given)
    with pytest.raises(ValueError, match=message):
        trainer.predict(given)


@WRONG
def test_each_of_several_evaluation_sets_is_checked(
    wrong: Callable[[], Dataset],
    message: str,
    classifier: SslEcgForSequenceClassification,
    arguments: MakeArguments,
) -> None:
    with pytest.raises(ValueError, match=message):
        SslEcgTrainer(classifier, arguments(), eval_dataset={"ours": with_labels(), "theirs": wrong()})


def test_several_evaluation_sets_are_evaluated_by_name(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    sets = {"ours": with_labels(), "theirs": with_labels(10)}
    trainer = SslEcgTrainer(classifier, arguments(), eval_dataset=sets)
    assert all(isinstance(one, SignalTable) for one in trainer.eval_dataset.values())
    found = trainer.evaluate()
    for name, data in sets.items():
        assert found[f"eval_{name}_loss"] == trainer.evaluate(data)["eval_loss"]
    assert found["eval_ours_loss"] != found["eval_theirs_loss"]


def test_a_pretraining_set_given_later_needs_the_columns_of_the_objective(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    model = SslEcgForSimCLR(tiny_config(objective_options={**HEAD, "patient_aware": True}))
    trainer = SslEcgTrainer(model, arguments())
    for use in (trainer.evaluate, trainer.predict):
        with pytest.raises(ValueError, match=r"needs the columns \['patient_id'\]"):
            use(with_labels())
        use(with_labels(patient_id=list(range(20))))


def test_recordings_without_labels_are_predicted_and_evaluated(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(classifier, arguments())
    bare = recordings_of()
    found = trainer.predict(bare)
    assert found.predictions[0].shape == (20, 5)
    assert "test_loss" not in found.metrics
    np.testing.assert_array_equal(found.predictions[0], trainer.predict(with_labels()).predictions[0])
    assert "eval_loss" not in trainer.evaluate(bare)


@pytest.mark.slow
def test_workers_that_persist_do_not_go_on_with_another_dataset(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    args = arguments(dataloader_num_workers=1, dataloader_persistent_workers=True)
    trainer = SslEcgTrainer(classifier, args, eval_dataset=with_labels())
    first = trainer.evaluate()["eval_loss"]
    other = with_labels(10)
    expected = SslEcgTrainer(classifier, arguments(), eval_dataset=other).evaluate()["eval_loss"]
    assert trainer.evaluate(other)["eval_loss"] == pytest.approx(expected, rel=1e-6) != first


# ---- what is not known is not learnt ----


def test_recordings_without_known_labels_are_left_out_and_counted(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    mixed = recordings_of(16, labels=[PRESENT, ABSENT, ABSENT, PRESENT] * 4)
    known = mixed.filter(lambda row: any(row["labels"]))
    trainer = SslEcgTrainer(classifier, arguments(), train_dataset=mixed, eval_dataset={"ours": mixed})
    assert [len(trainer.train_dataset), len(trainer.eval_dataset["ours"])] == [8, 8]
    first, second = warnings_of(caplog)
    assert first.startswith("train_dataset: 8 of 16 recordings are left out: their labels are all 0")
    assert second.startswith("eval_dataset['ours']: 8 of 16")
    assert "dataset.add_column('has_labels', [True] * len(dataset))" in first
    expected = trainer.evaluate(known)["eval_loss"]
    assert trainer.evaluate(mixed)["eval_loss"] == expected
    assert trainer.evaluate()["eval_ours_loss"] == expected
    assert len(trainer.predict(mixed).predictions[0]) == 16


def test_recordings_said_to_have_no_finding_are_learnt_from(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    mixed = recordings_of(16, labels=[PRESENT, ABSENT] * 8)
    stated = mixed.add_column("has_labels", [True] * len(mixed))  # as the log says
    trainer = SslEcgTrainer(classifier, arguments(), train_dataset=stated)
    assert len(trainer.train_dataset) == 16
    assert warnings_of(caplog) == []
    partly = mixed.add_column("has_labels", [False] * 4 + [True] * 12)
    trainer = SslEcgTrainer(classifier, arguments(), train_dataset=partly)
    assert len(trainer.train_dataset) == 12
    (message,) = warnings_of(caplog)
    assert message.startswith(
        "train_dataset: 4 of 16 recordings are left out: their column 'has_labels' says"
    )


def test_a_dataset_without_any_known_label_is_refused(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    nothing = recordings_of(16, labels=[ABSENT] * 16)
    with pytest.raises(ValueError, match=r"train_dataset: none of its 16 recordings .*has_labels"):
        SslEcgTrainer(classifier, arguments(), train_dataset=nothing)
    with pytest.raises(ValueError, match=r"eval_dataset: none of its 16 recordings"):
        SslEcgTrainer(classifier, arguments()).evaluate(nothing)


def test_rows_of_a_stream_are_taken_as_they_are(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    mixed = recordings_of(16, labels=[PRESENT, ABSENT] * 8)
    trainer = SslEcgTrainer(classifier, arguments(), train_dataset=mixed.to_iterable_dataset())
    assert sum(len(batch["labels"]) for batch in trainer.get_train_dataloader()) == 16


def test_class_indices_are_no_missing_labels(
    classifier_config: SslEcgConfig, arguments: MakeArguments
) -> None:
    data = recordings_of(16).add_column("labels", [0, 1, 2, 0] * 4)
    config = SslEcgConfig.from_dict(
        {**classifier_config.to_dict(), "problem_type": "single_label_classification"}
    )
    trainer = SslEcgTrainer(
        SslEcgForSequenceClassification(config), arguments(), train_dataset=data, eval_dataset=data
    )
    assert [len(trainer.train_dataset), len(trainer.eval_dataset)] == [16, 16]
    several = SslEcgForSequenceClassification(classifier_config)
    with pytest.raises(ValueError, match=r"train_dataset: column 'labels' holds one number a recording"):
        SslEcgTrainer(several, arguments(), train_dataset=data)


@pytest.mark.parametrize("labels", [None, [ABSENT] * 16], ids=["no column", "no label"])
@pytest.mark.parametrize("role", ["eval_dataset", "probe_dataset"])
def test_without_labels_there_is_no_probe_and_training_goes_on(
    role: str,
    labels: list[list[int]] | None,
    simclr: SslEcgForSimCLR,
    arguments: MakeArguments,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = recordings_of(16, labels=labels)
    given = {"eval_dataset": with_labels(16), "probe_dataset": with_labels(16), role: bare}
    args = arguments(eval_strategy="steps", eval_steps=1, max_steps=1, probe_every=1)
    trainer = SslEcgTrainer(simclr, args, train_dataset=with_labels(16), **given)
    trainer.train()
    assert warnings_of(caplog) == [f"no kNN probe: {role} has no labelled recording among 16"]
    assert any("eval_loss" in entry for entry in trainer.state.log_history)
    assert not any("eval_knn_auroc" in entry for entry in trainer.state.log_history)


def test_a_probe_that_cannot_be_is_named(
    simclr: SslEcgForSimCLR, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    stream = with_labels(16).to_iterable_dataset()
    SslEcgTrainer(simclr, arguments(), eval_dataset=stream, probe_dataset=with_labels())
    assert warnings_of(caplog) == ["no kNN probe: it needs an eval_dataset that is one datasets.Dataset"]


# ---- arguments stay those of the caller ----


def test_arguments_are_not_changed_and_serve_twice(
    simclr: SslEcgForSimCLR, classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    args = arguments(per_device_eval_batch_size=64)
    before = dict(vars(args))
    pretraining = SslEcgTrainer(simclr, args, train_dataset=with_labels(), eval_dataset=with_labels())
    assert vars(args) == before
    assert type(pretraining.args) is SslEcgTrainingArguments
    assert pretraining.args.device == args.device
    assert pretraining.args.distributed_state is args.distributed_state
    pretraining.train()
    trainer = SslEcgTrainer(classifier, args, train_dataset=with_labels(), eval_dataset=with_labels())
    assert len(trainer.predict(with_labels()).predictions[0]) == 20
    assert vars(args) == before


def test_a_classifier_is_evaluated_on_all_recordings_whatever_training_leaves_out(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(
        classifier,
        arguments(dataloader_drop_last=True),
        train_dataset=with_labels(),
        eval_dataset=with_labels(),
    )
    for loader, sizes in (
        (trainer.get_train_dataloader(), [8, 8]),
        (trainer.get_eval_dataloader(), [8, 8, 4]),
        (trainer.get_test_dataloader(with_labels()), [8, 8, 4]),
        (trainer.get_train_dataloader(), [8, 8]),
    ):
        assert [len(batch["labels"]) for batch in loader] == sizes


def test_prediction_of_a_pretraining_model_says_what_it_leaves_out(
    simclr: SslEcgForSimCLR, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = SslEcgTrainer(simclr, arguments())
    assert len(trainer.predict(with_labels(16)).predictions[1]) == 16
    assert len(trainer.predict(with_labels(5)).predictions[1]) == 5  # fewer than a batch
    assert not warnings_of(caplog, "ssl_ecg_hf.training.trainer")
    assert len(trainer.predict(with_labels(20)).predictions[1]) == 16
    (message,) = warnings_of(caplog, "ssl_ecg_hf.training.trainer")
    assert message.startswith("the last 4 of 20 recordings fill no batch and are not predicted")


# ---- recordings too short, batches too small ----


def test_short_recordings_are_named_before_their_views_are_blank(
    simclr: SslEcgForSimCLR, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    checks = "ssl_ecg_hf.training.checks"
    SslEcgTrainer(simclr, arguments(), train_dataset=recordings_of(samples=101))
    assert warnings_of(caplog, checks) == []
    short = recordings_of(samples=100)
    for data in (short, short.to_iterable_dataset()):
        caplog.clear()
        SslEcgTrainer(simclr, arguments(), train_dataset=data)
        (message,) = warnings_of(caplog, checks)
        assert message.startswith("recordings of 100 samples fill 50% of the model's window of 200")
        assert "set num_samples=100" in message


def test_a_classifier_is_warned_of_short_recordings_where_it_is_augmented(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments, caplog: pytest.LogCaptureFixture
) -> None:
    short = recordings_of(5, samples=50, labels=np.eye(5, dtype=int).tolist())
    SslEcgTrainer(classifier, arguments(), train_dataset=short)
    assert not caplog.records
    SslEcgTrainer(classifier, arguments(augmentations="default"), train_dataset=short)
    assert "fill 25% of the model's window" in caplog.text


@pytest.mark.parametrize(
    ("options", "most"),
    [({"variant": "cmsc"}, 100), ({"variant": "cmsmlc"}, 100), ({"variant": "cmsc", "segments": 4}, 150)],
)
@pytest.mark.parametrize("role", ["train_dataset", "eval_dataset"])
def test_blank_segments_are_refused(
    role: str, options: dict[str, Any], most: int, tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    model = SslEcgForCLOCS(tiny_config(objective_options={**HEAD, "patient_aware": False, **options}))
    with pytest.raises(ValueError, match=rf"of {most} samples are padded .* segments would be blank"):
        SslEcgTrainer(model, arguments(), **{role: recordings_of(samples=most)})
    trainer = SslEcgTrainer(model, arguments(), **{role: recordings_of(samples=most + 1)})
    signal = {"signal": torch.randn(2, 12, most + 1)}
    views = trainer._prepare_inputs(signal)["views"]
    assert views.flatten(2).any(dim=-1).all()


def test_leads_are_drawn_from_short_recordings_all_the_same(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    options = {**HEAD, "patient_aware": False, "variant": "cmlc"}
    model = SslEcgForCLOCS(tiny_config(objective_options=options))
    assert SslEcgTrainer(model, arguments(), train_dataset=recordings_of(samples=80)).train().global_step == 3


@pytest.mark.parametrize("name", ["simclr", "clocs", "vicreg", "barlow_twins"])
def test_one_recording_a_batch_is_refused_where_recordings_are_compared(
    name: str, tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    data = with_labels(patient_id=list(range(20)))
    model = OBJECTIVES[name](tiny_config())
    with pytest.raises(ValueError, match="learns nothing from one: choose a per_device_train_batch_size of"):
        SslEcgTrainer(model, arguments(per_device_train_batch_size=1), train_dataset=data)
    SslEcgTrainer(model, arguments(per_device_train_batch_size=1), eval_dataset=data)


@pytest.fixture
def with_batch_statistics(classifier_config: SslEcgConfig) -> SslEcgForSequenceClassification:
    config = SslEcgConfig.from_dict({**classifier_config.to_dict(), "classifier_head": "mlp"})
    return SslEcgForSequenceClassification(config)


@pytest.mark.parametrize(("count", "sizes"), [(17, [8, 8]), (18, [8, 8, 2]), (16, [8, 8])])
def test_a_lone_last_recording_is_left_out_where_it_cannot_be_normalised(
    with_batch_statistics: SslEcgForSequenceClassification,
    classifier: SslEcgForSequenceClassification,
    arguments: MakeArguments,
    count: int,
    sizes: list[int],
) -> None:
    data = with_labels(count)
    args = arguments(max_steps=-1, num_train_epochs=2)
    trainer = SslEcgTrainer(with_batch_statistics, args, train_dataset=data, eval_dataset=data)
    assert [len(batch["labels"]) for batch in trainer.get_train_dataloader()] == sizes
    assert sum(len(batch["labels"]) for batch in trainer.get_eval_dataloader()) == count
    assert trainer.train().global_step == 2 * len(sizes)
    linear = SslEcgTrainer(classifier, args, train_dataset=data)
    assert sum(len(batch["labels"]) for batch in linear.get_train_dataloader()) == count


def test_a_stream_leaves_out_incomplete_batches_for_such_a_head(
    with_batch_statistics: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    stream: IterableDataset = with_labels(17).to_iterable_dataset()
    trainer = SslEcgTrainer(with_batch_statistics, arguments(), train_dataset=stream, eval_dataset=stream)
    assert [len(batch["labels"]) for batch in trainer.get_train_dataloader()] == [8, 8]
    assert [len(batch["labels"]) for batch in trainer.get_eval_dataloader()] == [8, 8, 1]


@pytest.mark.parametrize(("count", "batch"), [(20, 1), (1, 8)])
def test_such_a_head_is_not_trained_on_single_recordings(
    with_batch_statistics: SslEcgForSequenceClassification, arguments: MakeArguments, count: int, batch: int
) -> None:
    args = arguments(per_device_train_batch_size=batch)
    with pytest.raises(ValueError, match="classifier_head 'mlp' normalises over the recordings of a batch"):
        SslEcgTrainer(with_batch_statistics, args, train_dataset=with_labels(count))


# ---- models and callbacks ----


def test_a_target_moves_once_a_step_whoever_asked_for_it(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    moved = []
    for callbacks in (None, True):
        torch.manual_seed(0)
        model = SslEcgForBYOL(tiny_config())
        given = model.trainer_callbacks() if callbacks else None
        SslEcgTrainer(model, arguments(), train_dataset=with_labels(24), callbacks=given).train()
        moved.append(model.target_encoder.blocks[0].conv.weight.clone())
        assert int(model.num_target_updates) == 3
    assert torch.equal(*moved)


def test_a_model_is_made_anew_for_each_training(
    classifier_config: SslEcgConfig, arguments: MakeArguments
) -> None:
    def losses(trainer: SslEcgTrainer) -> list[float]:
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    made: list[Any] = []

    def new_model(trial: Any) -> SslEcgForSequenceClassification:
        made.append(SslEcgForSequenceClassification(classifier_config))
        return made[-1]

    args = arguments(freeze_encoder=True)
    trainer = SslEcgTrainer(model_init=new_model, args=args, train_dataset=with_labels())
    first, second = losses(trainer), losses(trainer)
    assert first == second
    assert len(first) == 3
    assert trainer.model is made[-1]
    for model in made[1:]:
        assert model.encoder_frozen
    torch.manual_seed(args.seed)
    model = SslEcgForSequenceClassification(classifier_config)
    assert losses(SslEcgTrainer(model, args, train_dataset=with_labels())) == first


def test_a_model_or_a_function_that_makes_it_but_not_both(
    simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    with pytest.raises(ValueError, match="give either a model or model_init"):
        SslEcgTrainer(args=arguments())
    with pytest.raises(ValueError, match="give either a model or model_init"):
        SslEcgTrainer(simclr, arguments(), model_init=lambda: simclr)
