"""What the objectives have in common that compare recordings and may know which are of one patient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .distributed_ssl_ecg import check_several, gather_batch, num_processes
from .pretraining_ssl_ecg import (
    ProjectionOptions,
    SslEcgForJointEmbedding,
    SslEcgForPreTrainingOutput,
    check_positive,
)


def all_patients(patient_ids: Tensor, local: Tensor) -> Tensor:
    """Gather the patient of each recording of all processes.

    Args:
        patient_ids: (batch,), integers; negative where the patient is unknown.
        local: (batch, ...), what is compared in this process.

    Returns:
        (batch * processes,) on the device of `local`; each unknown patient has a number of its own.

    Raises:
        ValueError: if `patient_ids` is not one integer a recording.
    """
    if patient_ids.shape != local.shape[:1] or patient_ids.is_floating_point():
        raise ValueError(
            f"patient_ids is {patient_ids.dtype} of shape {tuple(patient_ids.shape)}; expected one integer "
            f"a recording, shape {tuple(local.shape[:1])}, negative where the patient is unknown"
        )
    patients, _ = gather_batch(patient_ids.to(local.device, torch.int64))
    return torch.where(patients < 0, -1 - torch.arange(len(patients), device=patients.device), patients)


@dataclass(frozen=True, kw_only=True)
class ContrastiveOptions(ProjectionOptions):
    """Options that all contrastive objectives have; see also [`ProjectionOptions`].

    Args:
        temperature: divisor of the cosine similarities.
        patient_aware: whether the loss knows which recordings are of one patient. The model then needs
            `patient_ids`.
    """

    temperature: float = 0.1
    patient_aware: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "temperature")


class SslEcgForContrast(SslEcgForJointEmbedding):
    """Base of the contrastive objectives: a subclass names its options and has its loss in [`contrast`]."""

    recordings_needed = 2
    options_class = ContrastiveOptions
    options: ContrastiveOptions

    @property
    def wanted_columns(self) -> dict[str, str]:
        """The column `patient_id` as `patient_ids` for a patient-aware loss."""
        return {"patient_ids": "patient_id"} if self.options.patient_aware else {}

    def contrast(self, projections: Tensor, patient_ids: Tensor | None) -> Tensor:
        """Return the loss.

        Args:
            projections: (batch, num_views, projection_size).
            patient_ids: (batch,) for a patient-aware loss, else None.
        """
        raise NotImplementedError

    def forward(
        self, views: Tensor, patient_ids: Tensor | None = None, return_loss: bool = True
    ) -> SslEcgForPreTrainingOutput:
        """Compare views.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.
            patient_ids: (batch,), integers, negative where unknown: needed for the loss by the option
                `patient_aware`, ignored without it.
            return_loss: whether to compute the loss.

        Returns:
            `loss`, `projections` (batch, num_views, projection_size) and `pooler_output` (batch, num_views,
            embedding_size).

        Raises:
            ValueError: if the loss needs `patient_ids` and has none, or, in training, if there is one
                recording only: nothing could be learnt from it.
        """
        if return_loss and self.options.patient_aware and patient_ids is None:
            raise ValueError(
                "objective_options has patient_aware=True, but forward got no patient_ids: give a tensor "
                "(batch,) of integers, negative where the patient is unknown, or set patient_aware to False"
            )
        embeddings, projections = self.project_views(views)
        loss = None
        if return_loss:
            if self.training:
                check_several(len(views) * num_processes())
            loss = self.contrast(projections, patient_ids if self.options.patient_aware else None)
        return SslEcgForPreTrainingOutput(loss=loss, projections=projections, pooler_output=embeddings)


__all__ = ["ContrastiveOptions", "SslEcgForContrast", "all_patients"]
