"""What a card knows of public datasets, in the terms of TRIPOD+AI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssl_ecg_hf.model_card.references import PTBXL, PTBXL_BENCHMARK


@dataclass(frozen=True, kw_only=True)
class PublicDataset:
    """A public dataset; every sentence comes from what is cited.

    Args:
        license: its licence.
        url: where to get it.
        source: who recorded it, where, when and with what.
        participants: whose recordings they are, and what is not known of them.
        outcome: how its labels came about.
        label_rule: what makes a label of it, and which recordings have none.
        predictors: what was done to the signals before they were published.
        ethics: who approved it.
        limits: what a reader must keep in mind.
        label_limits: what a reader of its labels must keep in mind, too.
        bibtex: what to cite.
    """

    license: str
    url: str
    source: str
    participants: str
    outcome: str
    label_rule: str
    predictors: str
    ethics: str
    limits: tuple[str, ...]
    label_limits: tuple[str, ...]
    bibtex: tuple[str, ...]


DATASETS: dict[str, PublicDataset] = {
    "ptb-xl": PublicDataset(
        license="CC BY 4.0",
        url="https://physionet.org/content/ptb-xl/",
        source=(
            "Clinical 12-lead ECGs of 10 s, recorded between October 1989 and June 1996 at 51 sites with "
            "devices of Schiller AG and published by the Physikalisch-Technische Bundesanstalt (Wagner "
            "et al. 2020). The sites are not named; the reports are in German (71 %), English (28 %) and "
            "Swedish (1 %)."
        ),
        participants=(
            "Patients of all ages (0 to 95 years, median 62), 52 % of them men, some with several "
            "recordings. Criteria of inclusion, symptoms, treatment, ethnicity and social circumstances "
            "are not published."
        ),
        outcome=(
            "The labels are readings of the ECG itself, not an independent reference such as imaging, "
            "blood tests or what became of the patient. A cardiologist or the recording device wrote a "
            "report; it was turned into SCP-ECG statements; part of them was reviewed by a second "
            "cardiologist who saw the first reading. Of 26 % of the recordings no reading by a human is "
            "on record; none of these is in folds 9 and 10."
        ),
        label_rule=(
            "A recording has a label if its report makes any SCP-ECG statement of that class, whatever "
            "the stated likelihood: “cannot be excluded” counts as much as a firm diagnosis. Recordings "
            "without any diagnostic statement, mainly those with an active pacemaker, have no diagnostic "
            "label."
        ),
        predictors=(
            "The publishers cut the recordings to 10 s, removed spikes of switching the device on and "
            "off, and resampled them from 400 Hz to 500 Hz and 100 Hz."
        ),
        ethics=(
            "Its publishers state that an institutional ethics committee approved the publication of the "
            "anonymous data (PTB-2020-1)."
        ),
        limits=(
            "PTB-XL is decades old and was recorded with the devices of one manufacturer; filters, "
            "devices and patients of today differ.",
        ),
        label_limits=(
            "Labels of PTB-XL repeat readings, in part by a machine: a model learns to agree with them, not "
            "to find disease that they missed.",
            "The labels of folds 1 to 8 are less certain than those of folds 9 and 10.",
            "Its superclasses join findings of very different urgency, for example old and acute "
            "infarctions, or an incomplete bundle branch block and a complete AV block.",
        ),
        bibtex=(PTBXL, PTBXL_BENCHMARK),
    ),
}
"""Public datasets by what a description of recordings calls them under ``"public"``."""


def public_dataset(description: Mapping[str, Any]) -> PublicDataset | None:
    """What is known of the source of recordings; a name alone proves nothing.

    Args:
        description: of the recordings; who loads a public dataset notes its key in ``DATASETS``.
    """
    return DATASETS.get(description.get("public", ""))
