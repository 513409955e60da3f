"""Description and counts of recordings -> README.md of a dataset; no number in it is typed in by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from ssl_ecg_hf.model_card.datasets import public_dataset
from ssl_ecg_hf.model_card.markdown import markdown_table

TEMPLATE = Path(__file__).with_name("dataset_template.md")
TAGS: tuple[str, ...] = ("ecg", "electrocardiogram", "time-series", "medical", "ssl_ecg")
MEANINGS: dict[str, str] = {
    "signal_uv": "the recording, (leads, samples), in microvolts",
    "signal": "the recording, (leads, samples), in millivolts",
    "labels": "one 0 or 1 a class; all 0: none of them",
    "ecg_id": "number of the recording in its source",
    "patient_id": "number of the patient; null where it is unknown",
    "age": "years; null where it is unknown",
    "sex": "male, female or null",
    "fold": "stratified fold of the source",
    "sampling_rate": "Hz",
}
"""What the columns of a dataset of recordings hold."""

_SNIPPET = """\
import numpy as np
from datasets import load_dataset

repo = "{repo_id}"
recording = next(iter(load_dataset(repo, split="{split}", streaming=True)))
signal = np.array(recording["{column}"], dtype=np.float32){scale}  # {shape} in mV
print(signal.shape, signal.min(), signal.max())
"""

_LABELS = """\
classes = {classes}
print([name for name, label in zip(classes, recording["labels"]) if label])
"""


def render_dataset_card(
    *,
    repo_id: str,
    description: Mapping[str, Any],
    licence: str,
    leads: Sequence[str],
    shape: tuple[int, int],
    columns: Mapping[str, str],
    splits: Mapping[str, Mapping[str, Any]],
    class_meanings: Mapping[str, str],
    dataset_info: Mapping[str, Any],
) -> str:
    """Write the README.md of a dataset.

    Args:
        repo_id: the repository's id on the Hub, ``owner/name``.
        description: ``name``, ``simulated``, ``sampling_rate`` (Hz) and, where known, ``public``, ``split``,
            ``label_set`` and ``note``.
        licence: as the Hub names it, e.g. ``"cc-by-4.0"``.
        leads: names, in the order of the signals.
        shape: of a signal, (leads, samples).
        columns: name of a column -> its type.
        splits: name -> ``records``, ``patients`` (None where they are unknown), ``unlabelled`` and
            ``classes``, the records of each class.
        class_meanings: class -> what it stands for, in the order of ``labels``; empty without labels.
        dataset_info: ``features``, ``splits`` and sizes as `datasets` wants them in the header.

    Returns:
        Markdown with a YAML header that the Hub and `datasets` understand.
    """
    header = DatasetCardData(
        license=licence,
        pretty_name=repo_id.split("/")[-1],
        tags=list(TAGS),
        dataset_info=dict(dataset_info),
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": f"data/{name}-*"} for name in splits],
            }
        ],
    )
    known = public_dataset(description)
    card = DatasetCard.from_template(
        header,
        template_path=str(TEMPLATE),
        name=repo_id.split("/")[-1],
        data=description,
        known=known,
        licence=licence if known is None else known.license,
        leads=leads,
        seconds=f"{shape[1] / description['sampling_rate']:g}",
        snippet=_snippet(repo_id, next(iter(splits)), columns, shape, list(class_meanings)),
        columns=_column_table(columns),
        splits=_split_table(splits),
        classes=_class_table(splits, class_meanings) if class_meanings else "",
    )
    return str(card).rstrip() + "\n"


def _snippet(
    repo_id: str, split: str, columns: Mapping[str, str], shape: tuple[int, int], classes: list[str]
) -> str:
    microvolts = "signal_uv" in columns
    code = _SNIPPET.format(
        repo_id=repo_id,
        split=split,
        column="signal_uv" if microvolts else "signal",
        scale=" / 1000" if microvolts else "",
        shape=shape,
    )
    return code + (_LABELS.format(classes=classes) if classes else "")


def _column_table(columns: Mapping[str, str]) -> str:
    rows = [[f"`{name}`", f"`{kind}`", MEANINGS.get(name, "")] for name, kind in columns.items()]
    return markdown_table(["Column", "Type", "Meaning"], rows, align="lll")


def _split_table(splits: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            str(counts["records"]),
            "unknown" if counts["patients"] is None else str(counts["patients"]),
            str(counts["unlabelled"]),
        ]
        for name, counts in splits.items()
    ]
    return markdown_table(["Split", "Recordings", "Patients", "Without a label"], rows, align="lrrr")


def _class_table(splits: Mapping[str, Mapping[str, Any]], meanings: Mapping[str, str]) -> str:
    rows = [
        [name, meaning, *(str(counts["classes"][name]) for counts in splits.values())]
        for name, meaning in meanings.items()
    ]
    return markdown_table(["Class", "Meaning", *splits], rows, align="ll" + "r" * len(splits))
