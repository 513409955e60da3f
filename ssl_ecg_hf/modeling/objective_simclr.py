"""SimCLR: agreement between views of one recording, against all other recordings of the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .contrastive_ssl_ecg import ContrastiveOptions, SslEcgForContrast, all_patients
from .distributed_ssl_ecg import gather_batch
from .pretraining_ssl_ecg import check_projections

# More similarities than these (64 MiB in float32) are computed in chunks, and again in the backward pass.
CHUNK_SIMILARITIES = 2**24


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
        ValueError: if there are fewer than two views, or `patient_ids` is not one integer a recording.

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
    check_projections(projections)
    with torch.autocast(projections.device.type, enabled=False):
        local = F.normalize(projections.float(), dim=-1)
        everything, first = gather_batch(local)
        patients = None if patient_ids is None else all_patients(patient_ids, local)
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
class SimCLROptions(ContrastiveOptions):
    """Options of [`SslEcgForSimCLR`], given as `config.objective_options`; see also [`ContrastiveOptions`].

    A projection head of 2 layers is the paper's, of 3 that of its successor, SimCLRv2. A loss that is
    `patient_aware` takes recordings of one patient for no negatives of each other; see [`nt_xent_loss`] for
    what this does and does not do.
    """


class SslEcgForSimCLR(SslEcgForContrast):
    """Encoder, projection head (by default Linear-BatchNorm-ReLU-Linear) and the NT-Xent loss.

    Reference:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.
        Chen et al., Big Self-Supervised Models are Strong Semi-Supervised Learners, NeurIPS 2020 (SimCLRv2).

    Example:
        >>> from ssl_ecg_hf.modeling import SslEcgConfig
        >>> model = SslEcgForSimCLR(SslEcgConfig(objective_options={"temperature": 0.2}))
        >>> model(torch.randn(4, 2, 12, 250)).projections.shape
        torch.Size([4, 2, 128])
    """

    options_class = SimCLROptions
    options: SimCLROptions

    def contrast(self, projections: Tensor, patient_ids: Tensor | None) -> Tensor:
        """Return the NT-Xent loss of (batch, num_views, projection_size)."""
        return nt_xent_loss(projections, temperature=self.options.temperature, patient_ids=patient_ids)


__all__ = ["SimCLROptions", "SslEcgForSimCLR", "nt_xent_loss"]
