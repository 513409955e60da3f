"""SimCLR: agreement between views of one recording, against all other recordings of the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .configuration_ssl_ecg import SslEcgConfig
from .distributed_ssl_ecg import gather_batch
from .modeling_ssl_ecg import (
    SslEcgForPreTraining,
    SslEcgForPreTrainingOutput,
    build_encoder,
    checked_options,
    over_views,
    projection_head,
)

# More similarities than these (64 MiB in float32) are computed in chunks, and again in the backward pass.
CHUNK_SIMILARITIES = 2**24


def _all_patients(patient_ids: Tensor, local: Tensor) -> Tensor:
    """Return the patient of each recording of all processes; an unknown one equals no other."""
    if patient_ids.shape != local.shape[:1] or patient_ids.is_floating_point():
        raise ValueError(
            f"patient_ids is {patient_ids.dtype} of shape {tuple(patient_ids.shape)}; expected one integer "
            f"a recording, shape {tuple(local.shape[:1])}, negative where the patient is unknown"
        )
    patients, _ = gather_batch(patient_ids.to(local.device, torch.int64))
    return torch.where(patients < 0, -1 - torch.arange(len(patients), device=patients.device), patients)


def _anchor_losses(
    anchors: Tensor,
    candidates: Tensor,
    patients: Tensor | None,
    first_id: int,
    views: int,
    temperature: float,
) -> Tensor:
    """The loss of each anchor; anchor k is candidate `first_id` + k, views of a recording are neighbours."""
    anchor_id = first_id + torch.arange(len(anchors), device=anchors.device).unsqueeze(-1)
    similarity = (anchors @ candidates.T / temperature).scatter(1, anchor_id, -torch.inf)
    positive_id = anchor_id // views * views + torch.arange(views, device=anchors.device)
    positives = similarity.gather(1, positive_id).masked_fill(positive_id == anchor_id, 0.0)
    if patients is not None:
        recording = anchor_id // views
        left_out = (patients[recording] == patients).scatter(1, recording, False)
        similarity = similarity.masked_fill(left_out.repeat_interleave(views, dim=1), -torch.inf)
    return similarity.logsumexp(dim=-1) - positives.sum(dim=-1) / (views - 1)


def nt_xent_loss(
    projections: Tensor, *, temperature: float = 0.1, patient_ids: Tensor | None = None
) -> Tensor:
    """Normalised temperature-scaled cross-entropy over the batches of all processes, in float32.

    For an anchor the positives are the other views of the same recording, the negatives all views of all
    other recordings; each positive is scored against all candidates but the anchor itself, and
    anchors and positives are averaged. With two views this is equation 1 of the paper. The matrix of
    similarities is never held whole for large batches, which bounds memory and changes no result.

    With `patient_ids`, other recordings of the anchor's patient are no negatives: their similarities are left
    out of the denominator. Positives stay the views of the same recording alone. This is less than what PCLR
    (Diamant et al. 2022) and CLOCS (Kiyasseh et al. 2021) do, which make a patient's recordings, or parts
    of them, positives of each other: here the model is free to tell them apart, or not.

    Args:
        projections: (batch, views, size) with at least two views, the same batch size in every process.
        temperature: divisor of the cosine similarities, > 0.
        patient_ids: (batch,), integers; negative where the patient is unknown, who then is nobody else. In
            every process or in none.

    Returns:
        Scalar, the mean over the anchors of this process; the mean over processes is the loss of the whole
        batch. An anchor without any negative, and with one positive, costs nothing.

    Raises:
        ValueError: if `patient_ids` is not one integer a recording.

    Reference:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.
        Diamant et al., Patient Contrastive Learning: a Performant, Expressive, and Practical Approach to
        Electrocardiogram Modeling, PLOS Computational Biology 2022.
        Kiyasseh et al., CLOCS: Contrastive Learning of Cardiac Signals Across Space, Time, and Patients,
        ICML 2021.

    Example:
        >>> identical = torch.eye(4).unsqueeze(1).repeat(1, 2, 1)
        >>> bool(nt_xent_loss(identical, temperature=0.05) < 1e-6)
        True
        >>> collapsed = torch.ones(3, 2, 8)  # the logarithm of 5 candidates for each anchor
        >>> round(nt_xent_loss(collapsed).exp().item(), 3)
        5.0
        >>> round(nt_xent_loss(collapsed, patient_ids=torch.tensor([7, 7, 7])).exp().item(), 3)
        1.0
    """
    with torch.autocast(projections.device.type, enabled=False):
        local = F.normalize(projections.float(), dim=-1)
        everything, first = gather_batch(local)
        patients = None if patient_ids is None else _all_patients(patient_ids, local)
        views = local.shape[1]
        anchors, candidates = local.flatten(0, 1), everything.flatten(0, 1)
        rows = max(1, CHUNK_SIMILARITIES // len(candidates))
        losses = []
        for start in range(0, len(anchors), rows):
            inputs = (anchors[start : start + rows], candidates, patients)
            settings = (first * views + start, views, temperature)
            if rows < len(anchors):
                losses.append(checkpoint(_anchor_losses, *inputs, *settings, use_reentrant=False))
            else:
                losses.append(_anchor_losses(*inputs, *settings))
        return torch.cat(losses).mean()


@dataclass(frozen=True, kw_only=True)
class SimCLROptions:
    """Options of [`SslEcgForSimCLR`], given as `config.objective_options`.

    Args:
        temperature: divisor of the cosine similarities.
        hidden_size: width of the hidden layers of the projection head.
        projection_size: width of its output.
        projection_layers: linear layers of the projection head: 1 has no hidden layer, 2 is the paper's, 3
            that of its successor, SimCLRv2.
        separate_views: whether each view passes through encoder and head alone, with batch statistics of its
            own; by default all views share them, which is one pass.
        patient_aware: whether recordings of one patient are no negatives of each other. The model then needs
            `patient_ids`; see [`nt_xent_loss`] for what this does and does not do.
    """

    temperature: float = 0.1
    hidden_size: int = 2048
    projection_size: int = 128
    projection_layers: int = 2
    separate_views: bool = False
    patient_aware: bool = False

    def __post_init__(self) -> None:
        if min(self.temperature, self.hidden_size, self.projection_size, self.projection_layers) <= 0:
            raise ValueError(
                "temperature, hidden_size, projection_size and projection_layers must be positive; "
                f"got {self}"
            )


class SslEcgForSimCLR(SslEcgForPreTraining):
    """Encoder, projection head (by default Linear-BatchNorm-ReLU-Linear) and the NT-Xent loss.

    Reference:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.
        Chen et al., Big Self-Supervised Models are Strong Semi-Supervised Learners, NeurIPS 2020 (SimCLRv2).

    Example:
        >>> model = SslEcgForSimCLR(SslEcgConfig(objective_options={"temperature": 0.2}))
        >>> model(torch.randn(4, 2, 12, 250)).projections.shape
        torch.Size([4, 2, 128])
    """

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        self.options = SimCLROptions(
            **checked_options("objective_options", config.objective_options, SimCLROptions)
        )
        self.encoder = build_encoder(config)
        self.projector = projection_head(
            self.embedding_size,
            self.options.hidden_size,
            self.options.projection_size,
            layers=self.options.projection_layers,
        )
        self.post_init()

    @property
    def wanted_columns(self) -> dict[str, str]:
        """The column `patient_id` as `patient_ids` for a patient-aware loss."""
        return {"patient_ids": "patient_id"} if self.options.patient_aware else {}

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
            ValueError: if the loss needs `patient_ids` and has none.
        """
        if return_loss and self.options.patient_aware and patient_ids is None:
            raise ValueError(
                "objective_options has patient_aware=True, but forward got no patient_ids: give a tensor "
                "(batch,) of integers, negative where the patient is unknown, or set patient_aware to False"
            )
        groups = self.view_groups(views, separate=self.options.separate_views)
        embeddings = [self.embed_views(group, self.encoder) for group in groups]
        projections = torch.cat([over_views(self.projector, group) for group in embeddings], dim=1)
        loss = None
        if return_loss:
            loss = nt_xent_loss(
                projections,
                temperature=self.options.temperature,
                patient_ids=patient_ids if self.options.patient_aware else None,
            )
        return SslEcgForPreTrainingOutput(
            loss=loss, projections=projections, pooler_output=torch.cat(embeddings, dim=1)
        )


__all__ = ["SimCLROptions", "SslEcgForSimCLR", "nt_xent_loss"]
