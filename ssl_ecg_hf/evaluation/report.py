"""Predictions -> metrics.json: the only source of numbers for model cards, README and docs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_ecg_hf.evaluation.bootstrap import CONFIDENCE, DRAWS, bootstrap
from ssl_ecg_hf.evaluation.calibration import (
    BINS,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_curves,
)
from ssl_ecg_hf.evaluation.checks import check_class_names
from ssl_ecg_hf.evaluation.metrics import choose_thresholds, classification_metrics, undefined_classes
from ssl_ecg_hf.evaluation.predictions import Predictions
from ssl_ecg_hf.evaluation.weighted import (
    weighted_auprc,
    weighted_auroc,
    weighted_f1,
    weighted_sensitivity,
    weighted_specificity,
)
from ssl_ecg_hf.files import write_json

SCHEMA = 1
"""Version of the layout of metrics.json, described in docs/metrics.md."""

AGE_BANDS: dict[str, tuple[float, float]] = {
    "0 to 39": (0, 40),
    "40 to 59": (40, 60),
    "60 to 79": (60, 80),
    "80 and over": (80, math.inf),
}
"""Lower (included) and upper (excluded) age in years; capped ages, such as PTB-XL's 300, fall in the last."""


SMALLEST_GROUP = 20
"""Subgroups with fewer records are counted but not measured: their AUROC would be noise."""

EXACT = frozenset({"threshold", "thresholds"})
"""Keys whose numbers are not rounded: a threshold in fewer digits may call other records positive."""


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What is not measured but chosen, and on which records."""

    thresholds: NDArray[np.float64]
    temperature: float
    on: str
    not_chosen: list[str]


def _choose(validation: Predictions, names: list[str]) -> _Chosen:
    return _Chosen(
        thresholds=choose_thresholds(validation.labels, validation.scores),
        temperature=fit_temperature(validation.labels, validation.logits),
        on="validation",
        not_chosen=undefined_classes(validation.labels, class_names=names),
    )


def _chosen_before(frozen: Mapping[str, Any], names: list[str]) -> _Chosen:
    """What an earlier evaluation chose."""
    if names != list(frozen["classes"]):
        raise ValueError(f"the frozen thresholds are those of {frozen['classes']}, the classes are {names}")
    thresholds = frozen["thresholds"]
    return _Chosen(
        thresholds=np.array([thresholds["values"][name] for name in names], dtype=np.float64),
        temperature=frozen["calibration"]["temperature"],
        on=f"{thresholds['chosen_on']} of {frozen['run']['dataset']['name']}",
        not_chosen=list(thresholds["not_chosen"]),
    )


def evaluate_predictions(
    *,
    test: Predictions,
    validation: Predictions,
    class_names: Sequence[str],
    run: Mapping[str, Any],
    class_meanings: Mapping[str, str] | None = None,
    frozen: Mapping[str, Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a model on its test records; everything that is chosen is chosen on validation.

    Thresholds (highest F1) and the temperature are fitted on the validation records and frozen, or taken from
    an earlier evaluation, for an external test. Intervals are percentile bootstraps of the test records by
    patient.

    Args:
        test: predictions of the records that nothing was chosen on.
        validation: predictions of the records that choices are made on; with ``frozen`` they are only
            measured.
        class_names: one name a class.
        run: what was run; copied into the result under ``"run"``. It must say what the data are:
            ``{"dataset": {"name": str, "simulated": bool, ...}, ...}``.
        class_meanings: class -> what it stands for, where that is known.
        frozen: content of the metrics.json of the model's own data, whose thresholds and temperature are
            kept.
        draws: bootstrap draws.
        seed: of the bootstrap.

    Returns:
        The content of metrics.json, described in docs/metrics.md.

    Raises:
        ValueError: if classes do not fit together, test and validation share a record or a patient, a meaning
            is that of no class, ``frozen`` has other classes, or ``run`` does not say what the data are.
    """
    _check_run(run)
    names = check_class_names(class_names, test.labels.shape[1])
    check_class_names(class_names, validation.labels.shape[1])
    _check_apart(test, validation)
    meanings = dict(class_meanings or {})
    if unknown := sorted(meanings.keys() - set(names)):
        raise ValueError(f"class_meanings explain {unknown}; the classes are {names}")
    chosen = _choose(validation, names) if frozen is None else _chosen_before(frozen, names)
    thresholds = chosen.thresholds
    result = {
        "schema": SCHEMA,
        "run": dict(run),
        "classes": names,
        "class_meanings": meanings,
        "data": {"test": _describe(test), "validation": _describe(validation)},
        "thresholds": {
            "chosen_on": chosen.on,
            "rule": "highest F1",
            "values": dict(zip(names, thresholds.tolist(), strict=True)),
            "not_chosen": chosen.not_chosen,
        },
        "test": classification_metrics(test.labels, test.scores, class_names=names, thresholds=thresholds),
        "validation": classification_metrics(
            validation.labels, validation.scores, class_names=names, thresholds=thresholds
        ),
        "intervals": _intervals(test, names, thresholds, draws=draws, seed=seed),
        "calibration": _calibration(test, chosen, names),
        "subgroups": _subgroups(test, names, draws=draws, seed=seed),
    }
    return dict(_plain(result))


def save_metrics(path: str | Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics as JSON: sorted keys, numbers in six significant digits, thresholds in all, in one step.

    Args:
        path: file to write; its folder must exist.
        metrics: nested dicts and lists of plain values; NaN and infinite numbers are refused, an undefined
            number is None.

    Raises:
        ValueError: if a number is NaN or infinite.
        TypeError: if a value is not plain.
    """
    write_json(path, _plain(metrics))


def load_metrics(path: str | Path) -> dict[str, Any]:
    """Read a metrics.json.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        ValueError: if it is not of this version of the layout.
    """
    metrics = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(metrics, dict) or metrics.get("schema") != SCHEMA:
        raise ValueError(
            f"{Path(path).name} is not a metrics file of schema {SCHEMA}; evaluate the checkpoint again"
        )
    return metrics


def _check_run(run: Mapping[str, Any]) -> None:
    dataset = run.get("dataset")
    if (
        not isinstance(dataset, Mapping)
        or not isinstance(dataset.get("name"), str)
        or not isinstance(dataset.get("simulated"), bool)
    ):
        raise ValueError(
            f"run['dataset'] is {dataset!r}; expected {{'name': str, 'simulated': bool}}: "
            "a number without its data cannot be published"
        )


def _check_apart(test: Predictions, validation: Predictions) -> None:
    for what in ("record_ids", "patient_ids"):
        mine, theirs = getattr(test, what), getattr(validation, what)
        if mine is None or theirs is None:
            continue
        if shared := sorted((set(mine.tolist()) & set(theirs.tolist())) - {""}):
            raise ValueError(
                f"test and validation share {len(shared)} {what}, e.g. {shared[:3]}; "
                "expected separate ones: split the data by patient"
            )


def _describe(predictions: Predictions) -> dict[str, Any]:
    ids = None if predictions.patient_ids is None else np.asarray(predictions.patient_ids)
    return {
        "records": len(predictions),
        "patients": None if ids is None else len(set(ids.tolist()) - {""}),
        "records_without_patient": len(predictions) if ids is None else int((ids == "").sum()),
        "records_without_label": int((predictions.labels.sum(axis=1) == 0).sum()),
    }


def _intervals(
    test: Predictions, names: list[str], thresholds: NDArray[np.float64], *, draws: int, seed: int
) -> dict[str, Any]:
    metrics = {
        "auroc": weighted_auroc,
        "auprc": weighted_auprc,
        "f1": weighted_f1(thresholds),
        "sensitivity": weighted_sensitivity(thresholds),
        "specificity": weighted_specificity(thresholds),
    }
    intervals: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "draws": draws,
        "seed": seed,
        "resampled": "records" if test.patient_ids is None else "patients",
    }
    for key, metric in metrics.items():
        found = bootstrap(
            test.labels,
            test.scores,
            metric=metric,
            patient_ids=test.patient_ids,
            draws=draws,
            generator=np.random.default_rng(seed),
        )
        intervals[key] = {
            "macro": found.macro.to_dict(),
            "per_class": {
                name: interval.to_dict() for name, interval in zip(names, found.per_class, strict=True)
            },
        }
    return intervals


def _calibration(test: Predictions, chosen: _Chosen, names: list[str]) -> dict[str, Any]:
    scaled = apply_temperature(test.logits, chosen.temperature)
    before = expected_calibration_error(test.labels, test.scores)
    after = expected_calibration_error(test.labels, scaled)
    curves = reliability_curves(test.labels, test.scores)
    return {
        "bins": BINS,
        "temperature": chosen.temperature,
        "fitted_on": chosen.on,
        "macro_ece": float(before.mean()),
        "macro_ece_with_temperature": float(after.mean()),
        "reliability": {
            name: {
                "mean_score": curve.mean_score.tolist(),
                "positive_rate": curve.positive_rate.tolist(),
                "count": curve.count.tolist(),
            }
            for name, curve in zip(names, curves, strict=True)
        },
    }


def _subgroups(test: Predictions, names: list[str], *, draws: int, seed: int) -> dict[str, Any]:
    groups: dict[str, dict[str, NDArray[np.bool_]]] = {}
    if test.sex is not None:
        sex = np.asarray(test.sex)
        groups["sex"] = {name: sex == name for name in ("female", "male")} | {"unknown": sex == ""}
    if test.age is not None:
        age = np.asarray(test.age)
        groups["age"] = {name: (age >= low) & (age < high) for name, (low, high) in AGE_BANDS.items()}
        groups["age"]["unknown"] = np.isnan(age)
    return {
        kind: {
            name: _subgroup(test, rows, names, draws=draws, seed=seed)
            for name, rows in members.items()
            if rows.any()
        }
        for kind, members in groups.items()
    }


def _subgroup(
    test: Predictions, rows: NDArray[np.bool_], names: list[str], *, draws: int, seed: int
) -> dict[str, Any]:
    metrics = classification_metrics(test.labels[rows], test.scores[rows], class_names=names)
    large = metrics["records"] >= SMALLEST_GROUP
    interval = None
    if large:
        patients = None if test.patient_ids is None else np.asarray(test.patient_ids)[rows]
        interval = bootstrap(
            test.labels[rows],
            test.scores[rows],
            patient_ids=patients,
            draws=draws,
            generator=np.random.default_rng(seed),
        ).macro.to_dict()
    return {
        "records": metrics["records"],
        "macro_auroc": metrics["macro"]["auroc"] if large else None,
        "macro_auroc_interval": interval,
        "auroc": {name: values["auroc"] if large else None for name, values in metrics["per_class"].items()},
        "support": {name: values["support"] for name, values in metrics["per_class"].items()},
        "undefined": metrics["undefined"] if large else names,
    }


def _plain(value: Any, *, exact: bool = False) -> Any:
    """Nested dicts, lists, strings, ints, None and floats of six significant digits; nothing else passes.

    Floats under a key of ``EXACT`` keep all digits.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(item, exact=exact or key in EXACT) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, exact=exact) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item(), exact=exact)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(
                f"metrics hold the number {value}; expected finite numbers, None for an undefined one"
            )
        return value if exact else float(f"{value:.6g}")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"metrics hold a {type(value).__name__}; expected dicts, lists, strings, numbers or None")
