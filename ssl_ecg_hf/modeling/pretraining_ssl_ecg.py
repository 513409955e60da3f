"""What the self-supervised objectives have in common: views in, a loss and embeddings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import TrainerCallback
from transformers.utils import ModelOutput

from .configuration_ssl_ecg import SslEcgConfig
from .encoder_base import Encoder, in_precision_of
from .modeling_ssl_ecg import SslEcgPreTrainedModel, checked_options
from .pooling_ssl_ecg import Pooling


def projection_head(in_size: int, hidden_size: int, out_size: int, *, layers: int = 2) -> nn.Sequential:
    """Return `layers` - 1 blocks Linear-BatchNorm-ReLU and a last Linear."""
    modules: list[nn.Module] = []
    size = in_size
    for _ in range(layers - 1):
        modules += [nn.Linear(size, hidden_size, bias=False), nn.BatchNorm1d(hidden_size), nn.ReLU()]
        size = hidden_size
    return nn.Sequential(*modules, nn.Linear(size, out_size))


def over_views(head: nn.Module, values: Tensor) -> Tensor:
    """Apply a head to (batch, num_views, size), views as if they were further recordings."""
    return head(in_precision_of(head, values.flatten(0, 1))).unflatten(0, values.shape[:2])


def check_views(views: Tensor, *, at_least: int) -> None:
    """Refuse what is no batch of views.

    Raises:
        ValueError: if `views` is not 4-D or holds too few views.
    """
    if views.dim() != 4 or views.shape[1] < at_least:
        raise ValueError(
            f"views has shape {tuple(views.shape)}; expected (batch, num_views >= {at_least}, leads, samples)"
        )


def check_projections(projections: Tensor) -> None:
    """Refuse what holds no two views to compare.

    Raises:
        ValueError: if `projections` is not 3-D or holds fewer than two views.
    """
    if projections.dim() != 3 or projections.shape[1] < 2:
        raise ValueError(
            f"projections have shape {tuple(projections.shape)}; expected (batch, views >= 2, size): this "
            "loss compares views of a recording"
        )


def view_groups(views: Tensor, *, separate: bool) -> list[Tensor]:
    """Divide views into those that pass through the network together and share batch statistics.

    Args:
        views: (batch, num_views, ...): signals or what a network made of them.
        separate: whether each view is a group of its own; else all are one.

    Returns:
        tensors (batch, views of the group, ...).
    """
    return list(views.split(1, dim=1)) if separate else [views]


def check_positive(options: Any, *names: str) -> None:
    """Refuse options that are not above zero.

    Raises:
        ValueError: naming them.
    """
    if wrong := {name: getattr(options, name) for name in names if not getattr(options, name) > 0}:
        raise ValueError(f"objective_options must be positive; got {wrong}")


@dataclass
class SslEcgForPreTrainingOutput(ModelOutput):
    """Output of the pretraining classes.

    Args:
        loss: scalar objective.
        projections: (batch, views, size), what the objective compares; the embeddings where it compares none.
        pooler_output: (batch, views, embedding_size), the embeddings under the head.
    """

    loss: Tensor | None = None
    projections: Tensor | None = None
    pooler_output: Tensor | None = None


class AfterOptimizerStep(TrainerCallback):
    """Lets a pretraining model do what its objective does between optimizer steps (BYOL's target)."""

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Call the hook with the fraction of training done; `state.global_step` is not yet advanced here."""
        del args, control
        model.after_optimizer_step((state.global_step + 1) / state.max_steps)


class SslEcgForPreTraining(SslEcgPreTrainedModel):
    """Base of the self-supervised classes: an encoder, the heads of one objective, a loss over views.

    `forward(views, return_loss=True)` takes `views` of shape (batch, num_views, leads, samples) in mV. The
    Trainer of this package makes the views; the plain one of Transformers trains these classes, too, if it is
    given `views` and `callbacks=model.trainer_callbacks()`.
    """

    main_input_name = "views"

    recordings_needed: ClassVar[int] = 1
    """Least batch, over all processes, that the loss learns from: 2 if it compares recordings."""

    views_needed: ClassVar[int] = 2
    """Augmented views of a recording that [`make_inputs`] must be given at least."""

    default_augmentations: ClassVar[str | None] = "default"
    """Preset of augmentations that makes the views where none is chosen; None: no augmentation."""

    @property
    def wanted_columns(self) -> dict[str, str]:
        """Arguments of `forward` beyond the views, and the integer columns of a dataset that fill them.

        By default none. The Trainer of this package delivers each as an int64 tensor whose first axis is the
        batch, a missing value as a negative number.
        """
        return {}

    def make_inputs(self, views: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Turn augmented views into the arguments of `forward`; by default they are its `views`.

        Here an objective draws what it needs at random, e.g. a mask, or divides views further.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            generator: on the device of `views`.
        """
        del generator
        return {"views": views}

    def embed_views(self, views: Tensor, encoder: Encoder, pooling: Pooling) -> Tensor:
        """Embed views in one pass.

        Args:
            views: (batch, num_views, leads, samples) in mV.
            encoder: the online or the target encoder.
            pooling: that goes with it.

        Returns:
            (batch, num_views, embedding_size) in float32.
        """
        return pooling(encoder(self.prepare(views.flatten(0, 1)))).unflatten(0, views.shape[:2])

    def after_optimizer_step(self, progress: float) -> None:
        """Do what the objective does between optimizer steps; by default nothing.

        Args:
            progress: fraction of training done, in [0, 1].
        """

    def trainer_callbacks(self) -> list[TrainerCallback]:
        """Return what a Trainer must be given as `callbacks`, so that [`after_optimizer_step`] is called."""
        return [AfterOptimizerStep()]


@dataclass(frozen=True, kw_only=True)
class ProjectionOptions:
    """Options that all objectives with a projection head have, given as `config.objective_options`.

    Args:
        hidden_size: width of the hidden layers of the projection head.
        projection_size: width of its output.
        projection_layers: linear layers of the projection head; 1 has no hidden layer.
        separate_views: whether each view passes through encoder and head alone, with batch statistics of its
            own; by default all views share them, which is one pass.
    """

    hidden_size: int = 2048
    projection_size: int = 128
    projection_layers: int = 2
    separate_views: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "hidden_size", "projection_size", "projection_layers")


class SslEcgForJointEmbedding(SslEcgForPreTraining):
    """Base of the objectives that compare projections: encoder, pooling, projection head.

    A subclass names its options, builds further parts in [`add_parts`], and has its loss in [`compare`]; one
    whose loss needs more than projections has a `forward` of its own.
    """

    options_class: ClassVar[type[ProjectionOptions]] = ProjectionOptions

    def __init__(self, config: SslEcgConfig) -> None:
        super().__init__(config)
        given = checked_options("objective_options", config.objective_options, self.options_class)
        self.options = self.options_class(**given)
        self.projector = self.new_projector()
        self.add_parts()
        self.post_init()

    def new_projector(self) -> nn.Sequential:
        """Return a projection head with random weights, as the options describe it."""
        return projection_head(
            self.embedding_size,
            self.options.hidden_size,
            self.options.projection_size,
            layers=self.options.projection_layers,
        )

    def add_parts(self) -> None:
        """Build what the objective has beyond these parts; by default nothing."""

    def project_views(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Embed and project views, together or each with batch statistics of its own.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.

        Returns:
            embeddings (batch, num_views, embedding_size) and projections (batch, num_views, projection_size).

        Raises:
            ValueError: if there are fewer than two views.
        """
        check_views(views, at_least=2)
        groups = view_groups(views, separate=self.options.separate_views)
        embeddings = [self.embed_views(group, self.encoder, self.pooling) for group in groups]
        projections = [over_views(self.projector, group) for group in embeddings]
        return torch.cat(embeddings, dim=1), torch.cat(projections, dim=1)

    def compare(self, projections: Tensor) -> Tensor:
        """Return the loss of (batch, num_views, projection_size)."""
        raise NotImplementedError

    def forward(self, views: Tensor, *, return_loss: bool = True) -> SslEcgForPreTrainingOutput:
        """Compare views.

        Args:
            views: (batch, num_views, leads, samples) in mV, at least two views.
            return_loss: whether to compute the loss.

        Returns:
            `loss`, `projections` (batch, num_views, projection_size) and `pooler_output` (batch, num_views,
            embedding_size).
        """
        embeddings, projections = self.project_views(views)
        loss = self.compare(projections) if return_loss else None
        return SslEcgForPreTrainingOutput(loss=loss, projections=projections, pooler_output=embeddings)


__all__ = [
    "AfterOptimizerStep",
    "ProjectionOptions",
    "SslEcgForJointEmbedding",
    "SslEcgForPreTraining",
    "SslEcgForPreTrainingOutput",
    "check_positive",
    "check_projections",
    "check_views",
    "over_views",
    "projection_head",
    "view_groups",
]
