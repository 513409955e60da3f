"""A classifier checkpoint and its test split in, metrics.json, predictions and pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset
from numpy.typing import NDArray

from ssl_ecg_hf.data.source import DataArguments
from ssl_ecg_hf.data.splits import dataset_labels
from ssl_ecg_hf.evaluation.inference import predict_logits, require_labelled
from ssl_ecg_hf.evaluation.loading import load_classifier
from ssl_ecg_hf.evaluation.pictures import draw_results
from ssl_ecg_hf.evaluation.predictions import Predictions, save_predictions
from ssl_ecg_hf.evaluation.recipe import (
    RECIPE,
    check_own_metrics,
    check_same_split,
    read_recipe,
    same_dataset,
)
from ssl_ecg_hf.evaluation.report import evaluate_predictions, load_metrics, save_metrics
from ssl_ecg_hf.evaluation.robustness import measure_robustness
from ssl_ecg_hf.evaluation.robustness_plot import plot_robustness
from ssl_ecg_hf.evaluation.run_information import run_information

METRICS, TEST_PREDICTIONS = "metrics.json", "predictions_test.npz"
ROBUSTNESS = "robustness.json"
SHOWN_CLASSES = 8  # in messages


@dataclass
class EvaluationArguments:
    """What is evaluated."""

    model: str = field(
        metadata={"help": "Classifier checkpoint; results on the data of its training go into its folder."}
    )
    output_dir: str | None = field(
        default=None,
        metadata={
            "help": "Another folder for the results; needed for recordings other than those of the training "
            "(an external test), which are measured with the thresholds and the temperature in the "
            "checkpoint's metrics.json."
        },
    )
    other_data: bool = field(
        default=False,
        metadata={
            "help": "Make an external test of what looks like a mistake: simulated recordings for a model of "
            "real ones or the reverse, another split, other recordings under the same name."
        },
    )
    pictures: bool = field(
        default=True, metadata={"help": "Draw ROC, precision-recall and reliability curves."}
    )
    robustness: bool = field(
        default=False,
        metadata={
            "help": "Also measure it on noisy, interrupted, incomplete and wrongly wired recordings: some "
            "thirty times as long."
        },
    )


def with_logits(known: Dataset, logits: NDArray[Any]) -> Predictions:
    """Put logits (records, classes) beside what is known of labelled recordings."""
    columns = {
        name: list(known[column])
        for name, column in (
            ("patient_ids", "patient_id"),
            ("record_ids", "ecg_id"),
            ("age", "age"),
            ("sex", "sex"),
        )
        if column in known.column_names
    }
    return Predictions(labels=dataset_labels(known), logits=logits, **columns)


def predict(model: Any, dataset: Dataset) -> Predictions:
    """Return the predictions of a classifier for the labelled recordings of a split.

    Raises:
        ValueError: if there are none.
    """
    known = require_labelled(dataset)
    return with_logits(known, predict_logits(model, known))


def _described(names: Sequence[str], description: dict[str, Any]) -> str:
    """Say which classes there are, not all of them where they are many."""
    listed = ", ".join([*names[:SHOWN_CLASSES], *(["..."] if len(names) > SHOWN_CLASSES else [])])
    label_set = f", label set {description['label_set']}" if "label_set" in description else ""
    return f"{len(names)} classes ({listed}{label_set})"


def results_folder(what: EvaluationArguments) -> Path:
    """Return where the results of an evaluation go."""
    return Path(what.model if what.output_dir is None else what.output_dir)


def _named(description: dict[str, Any]) -> str:
    """Name recordings; simulated ones of another seed are others."""
    return f"{description['name']!r}" + (f" (seed {description['seed']})" if "seed" in description else "")


def _check_place(
    what: EvaluationArguments, trained_on: dict[str, Any], given: dict[str, Any], *, external: bool
) -> None:
    """Refuse to put results into the folder of a checkpoint that are not those of its own data."""
    if external and what.output_dir is None:
        raise ValueError(
            f"the model was trained on {_named(trained_on)}, these recordings are {_named(given)}: this is "
            f"an external test, name a folder for its results with --output_dir; {what.model} keeps those of "
            "the model's own data"
        )
    target = results_folder(what)
    own = target.resolve() == Path(what.model).resolve()
    if (target / RECIPE).is_file() and (external or not own):
        raise ValueError(
            f"--output_dir {target} is the folder of a checkpoint, which holds the results on its own data; "
            "name another"
        )


def _own_metrics(folder: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of a checkpoint's own data, whose thresholds an external test keeps."""
    if not (folder / METRICS).is_file():
        raise ValueError(
            f"{folder} has no {METRICS}, which an external test takes its thresholds and temperature from; "
            f"first evaluate it on its own data: ssl-ecg evaluate --model {folder} --data DIR, with "
            f"{recipe['dataset']['name']!r} in DIR"
        )
    metrics = load_metrics(folder / METRICS)
    check_own_metrics(recipe, metrics)
    return metrics


def evaluate(what: EvaluationArguments, data: DataArguments) -> dict[str, Any]:
    """Evaluate a classifier: thresholds and temperature from validation, everything else from test.

    Writes `metrics.json`, `predictions_{validation,test}.npz` and, if wanted, `roc.png`,
    `precision_recall.png` and `reliability.png`; with `what.robustness` also `robustness.json` and, with
    pictures, `robustness.png`. The checkpoint's folder has them for the data of its training. On other
    recordings it is an external test: thresholds and temperature stay those of the checkpoint's metrics.json,
    and the files go to `what.output_dir`.

    Returns:
        The content of metrics.json.

    Raises:
        ValueError: if the folder has no recipe or no classifier, or the classes of model and recordings
            differ, or the recordings are divided otherwise than those of its training, or an external test
            has no folder of its own or no thresholds to keep.
    """
    folder = Path(what.model)
    recipe = read_recipe(folder)
    if recipe is None:
        raise ValueError(f"{folder} has no {RECIPE}; expected a checkpoint written by `ssl-ecg finetune`")
    model = load_classifier(folder)
    recordings = data.load()
    trained_on, given = recipe["dataset"], recordings.description
    # Simulated recordings are what is used where --data was forgotten.
    if trained_on["simulated"] != given["simulated"] and not what.other_data:
        raise ValueError(
            f"the model was trained on {trained_on['name']!r}, these recordings are {given['name']!r}; name "
            "its data with --data, or pass --other_data true and an --output_dir to measure it on others"
        )
    if not what.other_data:
        check_same_split(recipe, given)
    external = what.other_data or not same_dataset(trained_on, given)
    _check_place(what, trained_on, given, external=external)
    frozen = _own_metrics(folder, recipe) if external else None
    names = [model.config.id2label[index] for index in range(model.config.num_labels)]
    if names != list(recordings.class_names):
        raise ValueError(
            f"the model has {_described(names, trained_on)}, the recordings have "
            f"{_described(recordings.class_names, given)}; give the --label_set or --class_names that it was "
            "trained with"
        )
    validation = predict(model, recordings.splits["validation"])
    test = predict(model, recordings.splits["test"])
    run = {**recipe, "dataset": given, "environment": run_information()}
    if external:
        run["trained_on"] = trained_on
    metrics = evaluate_predictions(
        test=test,
        validation=validation,
        class_names=names,
        class_meanings=recordings.class_meanings,
        run=run,
        frozen=frozen,
    )
    target = results_folder(what)
    target.mkdir(parents=True, exist_ok=True)
    save_predictions(target / "predictions_validation.npz", validation)
    save_predictions(target / TEST_PREDICTIONS, test)
    if what.pictures:
        draw_results(target, test, metrics)
    save_metrics(target / METRICS, metrics)
    if what.robustness:
        robustness = measure_robustness(model, recordings.splits["test"], progress=True)
        save_metrics(target / ROBUSTNESS, {**robustness, "run": run})
        if what.pictures:
            plot_robustness({folder.resolve().name: robustness}, path=target / "robustness.png")
    return metrics
