"""CLOCS: agreement across time, leads and the recordings of a patient, against all other patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from .configuration_ssl_ecg import SslEcgConfig
from .contrastive_ssl_ecg import ContrastiveOptions, SslEcgForContrast, all_patients
from .distributed_ssl_ecg import gather_batch
from .pretraining_ssl_ecg import check_projections


def clocs_loss(projections: Tensor, *, temperature: float = 0.1, patient_ids: Tensor | None = None) -> Tensor:
    """Patient-specific noise-contrastive loss over the batches of all processes, in float32.

    For two views A and B, each recording in A is compared with all recordings in B. Its positives are itself
    in B (equation 2 of the paper, the diagonal of the matrix of similarities) and, with `patient_ids`, the
    other recordings of its patient in B (equation 3, off the diagonal). Each positive is scored against all
    recordings in B, other positives among them. The two kinds are averaged apart and their means added,
    so a single pair of recordings of one patient weighs as much as the whole diagonal; a batch without such a
    pair has the diagonal alone. The sum is averaged over all ordered pairs of different views: half of
    equation 1, whose two directions are added.

    Args:
        projections: (batch, views, size) with at least two views, the same batch size in every process.
        temperature: divisor of the cosine similarities, > 0 (equation 4).
        patient_ids: (batch,), integers; negative where the patient is unknown, who then is nobody else. In
            every process or in none. Default: every recording is a patient of its own.

    Returns:
        Scalar, the loss of the recordings of this process; the mean over processes is the loss of the whole
        batch.

    Raises:
        ValueError: if there are fewer than two views, or `patient_ids` is not one integer a recording.

    Reference:
        Kiyasseh, Zhu and Clifton, CLOCS: Contrastive Learning of Cardiac Signals Across Space, Time, and
        Patients, ICML 2021, equations 1-4.

    Example:
        >>> identical = torch.eye(4).unsqueeze(1).repeat(1, 2, 1)
        >>> bool(clocs_loss(identical, temperature=0.05) < 1e-6)
        True
        >>> collapsed = torch.ones(3, 2, 8)  # the logarithm of 3 candidates, for one or both kinds
        >>> round(clocs_loss(collapsed).exp().item(), 3)
        3.0
        >>> round(clocs_loss(collapsed, patient_ids=torch.tensor([7, 7, 8])).exp().item(), 3)
        9.0
    """
    check_projections(projections)
    with torch.autocast(projections.device.type, enabled=False):
        local = F.normalize(projections.float(), dim=-1)
        everything, first = gather_batch(local)
        batch, views, _ = local.shape
        own = first + torch.arange(batch, device=local.device).unsqueeze(-1)
        share = local.new_zeros(batch, len(everything)).scatter(1, own, 1 / batch)
        if patient_ids is not None:
            patients = all_patients(patient_ids, local)
            siblings = (patients.unsqueeze(-1) == patients).float().fill_diagonal_(0)
            processes = len(everything) / batch
            share = share + siblings[first : first + batch] * processes / siblings.sum().clamp_min(1)
        similarity = torch.einsum("ivd,jwd->vwij", local, everything) / temperature
        costs = -(similarity.log_softmax(dim=-1) * share).sum(dim=(-2, -1))
        different = ~torch.eye(views, dtype=torch.bool, device=costs.device)
        return costs[different].mean()


def time_segments(views: Tensor, count: int) -> Tensor:
    """Divide views into adjacent segments of equal length that do not overlap.

    Args:
        views: (batch, num_views, leads, samples) in mV.
        count: segments per view; a rest of fewer samples at the end is left out.

    Returns:
        (batch, num_views * count, leads, samples // count) in mV, segments of a view beside each other.

    Raises:
        ValueError: if there are fewer samples than segments.

    Example:
        >>> time_segments(torch.arange(5.0).view(1, 1, 1, 5), 2).tolist()
        [[[[0.0, 1.0]], [[2.0, 3.0]]]]
    """
    length = views.shape[-1] // count
    if length == 0:
        raise ValueError(f"{views.shape[-1]} samples cannot be divided into {count} segments")
    parts = views[..., : count * length].unflatten(-1, (count, length))
    return parts.movedim(3, 2).flatten(1, 2)


def single_leads(views: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """Draw leads without replacement and make a view of each: it stays in its row, the others are absent.

    Flat leads are drawn only where there are too few others.

    Args:
        views: (batch, num_views, leads, samples) in mV.
        count: leads drawn for each view.
        generator: on the device of `views`.

    Returns:
        (batch, num_views * count, leads, samples) in mV, zero in all leads but one.

    Example:
        >>> views = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]])
        >>> single_leads(views, 2, generator=torch.Generator().manual_seed(0)).tolist()
        [[[[1.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]]
    """
    order = torch.rand(views.shape[:3], device=views.device, generator=generator)
    flat = views.amax(dim=-1) == views.amin(dim=-1)
    drawn = (order + flat).argsort(dim=-1)[..., :count]
    kept = F.one_hot(drawn, views.shape[2]).to(views.dtype)
    return (views.unsqueeze(2) * kept.unsqueeze(-1)).flatten(1, 2)


@dataclass(frozen=True, kw_only=True)
class CLOCSOptions(ContrastiveOptions):
    """Options of [`SslEcgForCLOCS`], given as `config.objective_options`; see also [`ContrastiveOptions`].

    By default the loss is `patient_aware`, as in the paper; without it the views of a recording are its
    only positives, and no patient ids are needed.

    Args:
        variant: what the views of a recording are: `"cmsc"` segments of its time, `"cmlc"` single leads,
            `"cmsmlc"` segments of single leads.
        segments: into which `"cmsc"` and `"cmsmlc"` divide time; 2 in the paper.
        leads_drawn: of each recording by `"cmlc"` and `"cmsmlc"`; the paper takes all of its 4 or 12 leads.
    """

    variant: Literal["cmsc", "cmlc", "cmsmlc"] = "cmsc"
    segments: int = 2
    leads_drawn: int = 4
    patient_aware: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant not in ("cmsc", "cmlc", "cmsmlc"):
            raise ValueError(
                f"objective_options: unknown variant {self.variant!r}; known are 'cmsc', 'cmlc', 'cmsmlc'"
            )
        if min(self.segments, self.leads_drawn) < 2:
            raise ValueError(
                "objective_options: segments and leads_drawn must be at least 2; got "
                f"{self.segments} and {self.leads_drawn}"
            )

    @property
    def divides_time(self) -> bool:
        """Whether views are segments."""
        return self.variant in ("cmsc", "cmsmlc")

    @property
    def divides_leads(self) -> bool:
        """Whether views are single leads."""
        return self.variant in ("cmlc", "cmsmlc")


class SslEcgForCLOCS(SslEcgForContrast):
    """Encoder, projection head and the patient-specific contrastive loss; one recording gives the views.

    [`make_inputs`] divides each view that it is given; `forward` compares whatever views it gets. All views
    of a recording are compared with each other: two segments of one lead, two leads of one segment, leads
    of different segments.

    What differs from the paper: its encoder reads one lead, ours reads all leads at once, so `"cmsc"`
    compares segments of all leads, and a single lead stands in its row with the others absent (zero). The
    paper compares the output of its encoder; we compare that of a projection head, which is not used later.
    Set `separate_views` for batch statistics of each view alone, as in the authors' code.

    Raises:
        ValueError: if more leads are to be drawn than there are, or segments of a spectrum are asked for.

    Reference:
        Kiyasseh, Zhu and Clifton, CLOCS: Contrastive Learning of Cardiac Signals Across Space, Time, and
        Patients, ICML 2021.

    Example:
        >>> model = SslEcgForCLOCS(SslEcgConfig(objective_options={"variant": "cmsmlc"}))
        >>> recordings = torch.randn(4, 1, 12, 250)
        >>> inputs = model.make_inputs(recordings, generator=torch.Generator())
        >>> inputs["views"].shape  # two segments of each of four leads
        torch.Size([4, 8, 12, 125])
        >>> bool(model(**inputs, patient_ids=torch.tensor([7, 7, 8, -1])).loss > 0)
        True
    """

    views_needed = 1
    default_augmentations = None
    options_class = CLOCSOptions
    options: CLOCSOptions

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        if self.options.divides_leads and self.options.leads_drawn > config.num_leads:
            raise ValueError(
                f"objective_options: cannot draw {self.options.leads_drawn} of {config.num_leads} leads; "
                "choose a smaller leads_drawn"
            )
        if self.options.divides_time and config.input_domain == "frequency":
            raise ValueError(
                f"variant {self.options.variant!r} divides time, and the spectrum of a segment has other "
                "frequencies than that of a whole recording: choose input_domain 'time' or variant 'cmlc'"
            )

    def make_inputs(self, views: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Divide each view into segments, single leads or both.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            generator: on the device of `views`.

        Returns:
            `views`, with `segments` and `leads_drawn` times as many views, as the variant says.
        """
        if self.options.divides_leads:
            views = single_leads(views, self.options.leads_drawn, generator=generator)
        if self.options.divides_time:
            views = time_segments(views, self.options.segments)
        return {"views": views}

    def contrast(self, projections: Tensor, patient_ids: Tensor | None) -> Tensor:
        """Return the loss of (batch, num_views, projection_size)."""
        return clocs_loss(projections, temperature=self.options.temperature, patient_ids=patient_ids)


__all__ = ["CLOCSOptions", "SslEcgForCLOCS", "clocs_loss", "single_leads", "time_segments"]
