from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict, load_dataset
from transformers import Trainer, TrainingArguments

from ssl_ecg_hf.data.splits import dataset_labels, labelled
from ssl_ecg_hf.modeling import (
    OBJECTIVES,
    SslEcgConfig,
    SslEcgForBYOL,
    SslEcgForSequenceClassification,
    SslEcgForSimCLR,
    SslEcgForVICReg,
)
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments
from ssl_ecg_hf.training.losses import build_loss

MakeArguments = Callable[..., SslEcgTrainingArguments]
MakeConfig = Callable[..., SslEcgConfig]


def own_dataset(count: int = 16, leads: int = 12, samples: int = 200, **columns: Any) -> Dataset:
    """What a user brings: lists of millivolts and of labels, no schema of ours."""
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 0.3, (count, leads, samples))
    labels = rng.integers(0, 2, (count, 5))
    return Dataset.from_dict({"signal": signal.tolist(), "labels": labels.tolist(), **columns})


def history(trainer: Trainer, key: str) -> list[float]:
    return [entry[key] for entry in trainer.state.log_history if key in entry]


# ---- datasets ----


def test_pretraining_with_plain_training_arguments(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, tmp_path: Path
) -> None:
    args = TrainingArguments(
        str(tmp_path),
        max_steps=3,
        per_device_train_batch_size=8,
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = SslEcgTrainer(
        simclr, args, train_dataset=recordings["train"], eval_dataset=recordings["validation"]
    )
    before = simclr.encoder.blocks[0].conv.weight.detach().clone()
    trainer.train()
    assert len(history(trainer, "loss")) == 3
    assert not torch.equal(before, simclr.encoder.blocks[0].conv.weight)
    metrics = trainer.evaluate()
    wanted = ["loss", "alignment", "uniformity", "effective_rank", "projection_effective_rank"]
    assert all(math.isfinite(metrics[f"eval_{name}"]) for name in wanted)


def test_a_dataset_of_the_users_own_trains_a_classifier(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    data = own_dataset(sampling_rate=[100] * 16)
    trainer = SslEcgTrainer(classifier, arguments(), train_dataset=data, eval_dataset=data)
    trainer.train()
    assert all(math.isfinite(loss) for loss in history(trainer, "loss"))
    scores = trainer.predict(data).predictions[0]
    assert scores.shape == (16, 5)
    assert trainer.evaluate()["eval_macro_auroc"] == pytest.approx(
        trainer.predict(data).metrics["test_macro_auroc"]
    )


def test_microvolts_and_millivolts_are_the_same_recording(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    microvolts = np.random.default_rng(0).integers(-2000, 2000, (8, 12, 200))
    labels = np.eye(8, 5, dtype=int).tolist()
    forms = {"signal_uv": microvolts.tolist(), "signal": (microvolts / 1000).tolist()}
    found = []
    for name, values in forms.items():
        data = Dataset.from_dict({name: values, "labels": labels})
        found.append(SslEcgTrainer(classifier, arguments(), eval_dataset=data).evaluate()["eval_loss"])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_rows_of_any_map_style_dataset_will_do(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    data = own_dataset()
    rows = [{**data[index], "note": "not a tensor"} for index in range(len(data))]
    losses = []
    for dataset in (data, rows):
        model = copy.deepcopy(classifier)
        trainer = SslEcgTrainer(model, arguments(), train_dataset=dataset)
        trainer.train()
        losses.append(history(trainer, "loss"))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def as_integers(data: Dataset) -> Dataset:
    return Dataset.from_dict({"signal": [[[1, 2]] * 12] * 4, "labels": data["labels"][:4]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (as_integers, "'signal' holds integers; expected floats in millivolts"),
        (
            lambda data: data.add_column("sampling_rate", [500.0] * len(data)),
            r"\[500.0\] Hz, the model at 100",
        ),
        (lambda _: own_dataset(leads=3), "3 leads, the model expects 12: \\['I', 'II'"),
        (lambda data: data.remove_columns("labels"), "no column 'labels'"),
        (lambda data: data.rename_column("signal", "ecg"), "none of the signal columns"),
    ],
)
@pytest.mark.parametrize("role", ["train_dataset", "eval_dataset"])
def test_recordings_that_do_not_fit_are_refused(
    classifier: SslEcgForSequenceClassification,
    arguments: MakeArguments,
    change: Callable[[Dataset], Dataset],
    message: str,
    role: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        SslEcgTrainer(classifier, arguments(), **{role: change(own_dataset())})


def test_a_stream_of_parquet_shards_trains_as_the_dataset_itself_does(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments, tmp_path: Path
) -> None:
    train = recordings["train"].select(range(24))
    for index in range(2):
        train.shard(2, index, contiguous=True).to_parquet(tmp_path / f"{index}.parquet")
    files = [str(tmp_path / f"{index}.parquet") for index in range(2)]
    stream = load_dataset("parquet", data_files=files, split="train", streaming=True)
    losses = []
    for dataset in (stream, [dict(row) for row in train]):
        trainer = SslEcgTrainer(copy.deepcopy(simclr), arguments(), train_dataset=dataset)
        trainer._get_train_sampler = lambda _=None: None  # the stream's own order
        trainer.train()
        losses.append(history(trainer, "loss"))
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]


def test_incomplete_batches_of_a_stream_are_left_out(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    model = SslEcgForVICReg(tiny_config())
    stream = own_dataset(9).to_iterable_dataset()
    args = arguments(per_device_train_batch_size=4, per_device_eval_batch_size=4)
    trainer = SslEcgTrainer(model, args, train_dataset=stream, eval_dataset=stream)
    for loader in (trainer.get_train_dataloader(), trainer.get_eval_dataloader()):
        assert [len(batch["signal"]) for batch in loader] == [4, 4]
    assert math.isfinite(trainer.evaluate()["eval_loss"])
    trainer.train()
    assert all(math.isfinite(loss) for loss in history(trainer, "loss"))


def test_a_classifier_sees_all_of_a_stream(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    args = arguments(per_device_train_batch_size=4)
    trainer = SslEcgTrainer(classifier, args, train_dataset=own_dataset(9).to_iterable_dataset())
    assert [len(batch["signal"]) for batch in trainer.get_train_dataloader()] == [4, 4, 1]


def test_a_stream_at_another_rate_is_refused(simclr: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    stream = own_dataset(sampling_rate=[500] * 16).to_iterable_dataset()
    for role in ("train_dataset", "eval_dataset"):
        with pytest.raises(ValueError, match=r"sampled at \[500.0\] Hz, the model at 100"):
            SslEcgTrainer(simclr, arguments(), **{role: stream})


# ---- arguments ----


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor would do nothing: .*leave it at 0"),
        ({"freeze_encoder": True}, "freeze_encoder would do nothing: .*this is pretraining"),
        ({"sampler": "stratified"}, "sampler would do nothing: .*give it to finetune"),
        ({"classification_loss": "focal"}, "classification_loss would do nothing: .*leave it out"),
    ],
)
def test_arguments_that_do_nothing_in_pretraining_are_refused(
    changes: dict[str, Any], message: str, simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    with pytest.raises(ValueError, match=message):
        SslEcgTrainer(simclr, arguments(**changes))


def test_losses_that_would_be_ignored_are_refused(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    with pytest.raises(ValueError, match="label_smoothing_factor would do nothing"):
        SslEcgTrainer(classifier, arguments(label_smoothing_factor=0.1))
    with pytest.raises(ValueError, match=r"compute_loss_func would do nothing: .*override compute_loss"):
        SslEcgTrainer(classifier, arguments(), compute_loss_func=lambda *_: 0.0)
    classifier.config = copy.deepcopy(classifier.config)
    classifier.config.problem_type = "single_label_classification"
    for option, value in (("sampler", "oversample"), ("classification_loss", "weighted_bce")):
        with pytest.raises(ValueError, match=f"{option} would do nothing: it counts multi-hot labels"):
            SslEcgTrainer(classifier, arguments(**{option: value}), train_dataset=own_dataset())


def test_several_accelerators_in_one_process_are_refused_in_pretraining(
    simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    args = arguments()
    args._n_gpu = 4
    with pytest.raises(ValueError, match=r"sees 4 GPUs.*torchrun --nproc_per_node 4 -m ssl_ecg_hf pretrain"):
        SslEcgTrainer(simclr, args, train_dataset=own_dataset(64))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_objective_says_how_it_is_augmented_by_default(
    name: str, tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    model = OBJECTIVES[name](tiny_config(objective_options={}))
    trainer = SslEcgTrainer(model, arguments())
    assert len(trainer.augmentation) == (0 if name in ("clocs", "masked_reconstruction") else 6)
    assert len(SslEcgTrainer(model, arguments(augmentations="light")).augmentation) == 5


def test_transforms_that_act_through_electrodes_need_the_standard_leads(
    tiny_config: MakeConfig, arguments: MakeArguments
) -> None:
    leads = [*SslEcgConfig().leads[:6], "V6", "V5", "V4", "V3", "V2", "V1"]
    model = SslEcgForSimCLR(tiny_config(leads=leads))
    with pytest.raises(ValueError, match=r"\['baseline_wander'\] act through the electrodes"):
        SslEcgTrainer(model, arguments(), train_dataset=own_dataset())
    args = arguments(augmentations="default without baseline_wander")
    assert len(SslEcgTrainer(model, args, train_dataset=own_dataset()).augmentation) == 5


def test_batch_statistics_of_one_process_need_no_synchronisation(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(simclr, arguments(sync_batch_norm=True), train_dataset=recordings["train"])
    assert not any(isinstance(module, torch.nn.SyncBatchNorm) for module in trainer.model.modules())


def test_integers_in_rows_are_refused(simclr: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    rows = [{"signal": np.ones((12, 200), dtype=np.int32)} for _ in range(8)]
    with pytest.raises(ValueError, match="microvolts belong into a column 'signal_uv'"):
        SslEcgTrainer(simclr, arguments(), train_dataset=rows).train()


AS_TABLE_OR_STREAM = pytest.mark.parametrize(
    "form", [lambda data: data, Dataset.to_iterable_dataset], ids=["table", "stream"]
)


@AS_TABLE_OR_STREAM
def test_fewer_recordings_than_a_batch_are_refused_in_pretraining(
    form: Callable[[Dataset], Any], simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    with pytest.raises(ValueError, match="7 recordings do not fill one batch of 8"):
        SslEcgTrainer(simclr, arguments(), train_dataset=form(own_dataset(7)))


@AS_TABLE_OR_STREAM
def test_a_small_evaluation_set_is_evaluated_all_the_same(
    form: Callable[[Dataset], Any], simclr: SslEcgForSimCLR, arguments: MakeArguments
) -> None:
    args = arguments(per_device_eval_batch_size=64)
    metrics = SslEcgTrainer(simclr, args, eval_dataset=form(own_dataset(5))).evaluate()
    assert math.isfinite(metrics["eval_loss"])


# ---- views ----


def collect_views(trainer: SslEcgTrainer, training: bool, micro_steps: int = 1) -> list[torch.Tensor]:
    trainer.model.train(training)
    batch = {"signal": torch.ones(2, 12, 200)}
    return [trainer._prepare_inputs(dict(batch))["views"] for _ in range(micro_steps)]


def test_views_are_a_function_of_seed_and_step(simclr: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    def views(seed: int, step: int) -> list[torch.Tensor]:
        trainer = SslEcgTrainer(simclr, arguments(seed=seed, num_views=3))
        trainer.state.global_step = step
        return collect_views(trainer, training=True, micro_steps=2)

    first = views(seed=0, step=5)
    assert first[0].shape == (2, 3, 12, 200)
    assert all(torch.equal(*pair) for pair in zip(first, views(seed=0, step=5), strict=True))
    others = [first[1], views(seed=0, step=6)[0], views(seed=1, step=5)[0]]
    assert not any(torch.equal(first[0], other) for other in others)


def test_every_evaluation_sees_the_same_views(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    args = arguments(learning_rate=0.0, eval_strategy="steps", eval_steps=1)
    simclr.eval()
    trainer = SslEcgTrainer(
        simclr, args, train_dataset=recordings["train"], eval_dataset=recordings["validation"]
    )
    first = trainer.evaluate()["eval_loss"]
    assert trainer.evaluate()["eval_loss"] == first
    seen: list[torch.Tensor] = []
    original = trainer._prepare_inputs

    def spy(inputs: dict[str, Any]) -> dict[str, Any]:
        prepared = original(inputs)
        if not trainer.model.training:
            seen.append(prepared["views"])
        return prepared

    trainer._prepare_inputs = spy
    trainer.train()
    batches = len(seen) // 3
    assert batches == len(recordings["validation"]) // 8 > 1
    for later in range(batches, len(seen)):
        assert torch.equal(seen[later], seen[later % batches])
    assert not torch.equal(seen[0][:, 0], seen[0][:, 1])


def test_a_classifier_is_augmented_in_training_alone(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(classifier, arguments(augmentations="light"))
    batch = {"signal": torch.randn(2, 12, 200), "labels": torch.zeros(2, 5)}
    classifier.eval()
    assert torch.equal(trainer._prepare_inputs(dict(batch))["input_values"], batch["signal"])
    classifier.train()
    assert not torch.equal(trainer._prepare_inputs(dict(batch))["input_values"], batch["signal"])


# ---- optimisation ----


def test_encoder_and_head_have_learning_rates_of_their_own(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    args = arguments(learning_rate=1e-2, encoder_learning_rate=1e-4, weight_decay=0.1)
    trainer = SslEcgTrainer(classifier, args, train_dataset=own_dataset())
    names = {id(parameter): name for name, parameter in classifier.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in trainer.create_optimizer().param_groups
        for parameter in group["params"]
    }
    assert set(found) == set(names.values())
    for name, (rate, decay) in found.items():
        assert rate == (1e-4 if name.startswith("encoder.") else 1e-2), name
        assert decay == (0.1 if name.endswith(("conv.weight", "classifier.weight")) else 0.0), name
    trainer.train()
    used = trainer.lr_scheduler.get_last_lr()
    assert max(used) <= 1e-2


def test_an_encoder_rate_of_zero_leaves_its_weights(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    before = copy.deepcopy(classifier.state_dict())
    SslEcgTrainer(classifier, arguments(encoder_learning_rate=0.0), train_dataset=own_dataset()).train()
    after = classifier.state_dict()
    assert torch.equal(after["encoder.blocks.0.conv.weight"], before["encoder.blocks.0.conv.weight"])
    assert not torch.equal(after["classifier.weight"], before["classifier.weight"])


def test_freezing_keeps_weights_and_statistics(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    before = copy.deepcopy(classifier.state_dict())
    args = arguments(freeze_encoder=True, eval_strategy="steps", eval_steps=1)
    SslEcgTrainer(classifier, args, train_dataset=own_dataset(), eval_dataset=own_dataset()).train()
    changed = {
        name for name, value in classifier.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"classifier.weight", "classifier.bias"}


def test_accumulated_gradients_are_those_of_the_whole_batch(
    classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    weights, losses = [], []
    for batch, steps in ((16, 1), (4, 4)):
        model = copy.deepcopy(classifier)
        args = arguments(
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=steps,
            max_steps=2,
            freeze_encoder=True,  # statistics of smaller batches would differ
            optim="sgd",
            learning_rate=1.0,
        )
        trainer = SslEcgTrainer(model, args, train_dataset=own_dataset())
        trainer.train()
        weights.append(model.classifier.weight.detach())
        losses.append(history(trainer, "loss"))
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_hook_after_each_optimizer_step(
    tiny_config: MakeConfig, arguments: MakeArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SslEcgForBYOL(tiny_config())
    told: list[float] = []
    original = SslEcgForBYOL.after_optimizer_step

    def spy(self: SslEcgForBYOL, progress: float) -> None:
        told.append(progress)
        original(self, progress)

    monkeypatch.setattr(SslEcgForBYOL, "after_optimizer_step", spy)
    args = arguments(max_steps=4, gradient_accumulation_steps=2, per_device_train_batch_size=4)
    trainer = SslEcgTrainer(model, args, train_dataset=own_dataset())
    trainer.train()
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert int(model.num_target_updates) == 4
    optimised = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert not any(
        id(parameter) in optimised
        for name, parameter in model.named_parameters()
        if name.startswith("target_")
    )


@pytest.mark.parametrize("name", ["weighted_bce", "class_balanced", "focal"])
def test_the_chosen_loss_is_used_with_the_counts_of_the_training_set(
    name: str, classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    data = own_dataset()
    args = arguments(classification_loss=name, learning_rate=0.0, max_steps=1, per_device_train_batch_size=16)
    trainer = SslEcgTrainer(copy.deepcopy(classifier), args, train_dataset=data, eval_dataset=data)
    labels = torch.as_tensor(data["labels"])
    with torch.no_grad():
        logits = classifier.eval()(torch.tensor(data["signal"])).logits
        expected = build_loss(name, labels)(logits, labels).item()
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("option", "value"), [("classification_loss", "focal"), ("sampler", "stratified")])
def test_options_that_count_labels_need_a_dataset(
    option: str, value: str, classifier: SslEcgForSequenceClassification, arguments: MakeArguments
) -> None:
    rows = [own_dataset()[0]] * 8
    with pytest.raises(ValueError, match=f"{option} needs the labels of the whole training set"):
        SslEcgTrainer(classifier, arguments(**{option: value}), train_dataset=rows).train()


def test_the_chosen_sampler_orders_the_recordings(
    classifier: SslEcgForSequenceClassification, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    train = labelled(recordings["train"])
    trainer = SslEcgTrainer(
        classifier, arguments(sampler="stratified", per_device_train_batch_size=40), train_dataset=train
    )
    prevalence = dataset_labels(train).mean(axis=0)
    batches = list(trainer.get_train_dataloader())
    assert sum(len(batch["labels"]) for batch in batches) == len(train)
    for batch in batches[:-1]:
        assert np.abs(batch["labels"].numpy().mean(axis=0) - prevalence).max() < 0.11


# ---- evaluation ----


def test_neighbours_are_asked_at_every_nth_evaluation(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(
        simclr,
        arguments(probe_every=2),
        eval_dataset=recordings["validation"],
        probe_dataset=labelled(recordings["train"]),
    )
    metrics = [trainer.evaluate() for _ in range(4)]
    assert ["eval_knn_auroc" in found for found in metrics] == [True, False, True, False]
    assert 0.3 < metrics[0]["eval_knn_auroc"] <= 1
    assert metrics[0]["eval_knn_auroc"] == metrics[2]["eval_knn_auroc"]


def test_collapse_shows_in_the_metrics(
    simclr: SslEcgForSimCLR, recordings: DatasetDict, arguments: MakeArguments
) -> None:
    trainer = SslEcgTrainer(simclr, arguments(), eval_dataset=recordings["validation"])
    alive = trainer.evaluate()
    with torch.no_grad():
        simclr.projector[3].weight.zero_()
        simclr.projector[3].bias.fill_(1.0)
    dead = trainer.evaluate()
    assert dead["eval_uniformity"] == pytest.approx(0, abs=1e-6)
    assert dead["eval_projection_effective_rank"] == 0
    assert alive["eval_uniformity"] < -0.05
    assert alive["eval_projection_effective_rank"] > 1.5


def test_bfloat16_training_stays_finite(simclr: SslEcgForSimCLR, arguments: MakeArguments) -> None:
    trainer = SslEcgTrainer(simclr, arguments(bf16=True), train_dataset=own_dataset())
    trainer.train()
    assert all(math.isfinite(loss) for loss in history(trainer, "loss"))
    assert simclr.encoder.blocks[0].conv.weight.dtype == torch.float32


def test_the_plain_trainer_of_transformers_continues_pretraining(
    simclr: SslEcgForSimCLR, tmp_path: Path
) -> None:
    one = torch.randn(2, 12, 200)
    losses = []
    for steps in (1, 2):
        args = TrainingArguments(
            str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=steps,
            learning_rate=0.0,
            eval_strategy="steps",
            eval_steps=2,
            save_strategy="no",
            logging_steps=1,
            use_cpu=True,
            disable_tqdm=True,
        )
        rows = [{"views": one + index} for index in range(16)]
        same = [{"views": one}] * 16
        trainer = Trainer(simclr, args, train_dataset=same, eval_dataset=rows)
        trainer.train()
        assert math.isfinite(history(trainer, "eval_loss")[0])
        losses.append(history(trainer, "loss"))
    # Four equal recordings: the loss must not grow with the number of accumulated batches.
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_plain_trainer_predicts_logits_alone(tmp_path: Path) -> None:
    model = SslEcgForSequenceClassification(SslEcgConfig(num_samples=200, num_labels=5))
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    rows = [
        {"input_values": torch.randn(12, 200), "labels": torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0])}
        for _ in range(3)
    ]
    found = Trainer(model=model, args=arguments).predict(rows).predictions
    assert np.argmax(found, axis=-1).shape == (3,)
    ours = SslEcgTrainer(model=model, args=arguments).predict(own_dataset(3)).predictions
    assert [part.shape for part in ours] == [(3, 5), (3, 256)]
