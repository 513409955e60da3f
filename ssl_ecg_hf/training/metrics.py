"""What the Trainer measures at every evaluation, beyond the loss."""

from __future__ import annotations

import numpy as np
import torch
from transformers import EvalPrediction

from ssl_ecg_hf.evaluation.metrics import macro_auroc
from ssl_ecg_hf.evaluation.representation import alignment, effective_rank, uniformity

MAX_MONITORED = 2000  # recordings; pairwise distances need memory of the square of it


def representation_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Tell whether representation collapses, from the outputs of a pretraining model.

    Args:
        prediction: `predictions` is (projections, embeddings), each (recordings, views, size).

    Returns:
        `alignment` (of two views or more) and `uniformity` of the projections (Wang & Isola 2020),
        `effective_rank` of projections and of embeddings. Collapse shows as a uniformity near 0 and an
        effective rank near 1.
    """
    projections, embeddings = (values[:MAX_MONITORED] for values in prediction.predictions)
    several = projections.shape[1] > 1
    return {
        **({"alignment": alignment(projections[:, 0], projections[:, 1])} if several else {}),
        "uniformity": uniformity(projections[:, 0]),
        "effective_rank": effective_rank(embeddings[:, 0]),
        "projection_effective_rank": effective_rank(projections[:, 0]),
    }


def macro_auroc_metric(prediction: EvalPrediction) -> dict[str, float]:
    """Macro AUROC of a classifier's outputs against multi-hot labels; absent where it is undefined."""
    logits = torch.as_tensor(prediction.predictions[0]).float()
    value = macro_auroc(prediction.label_ids, logits.sigmoid().numpy())
    return {} if value is None else {"macro_auroc": value}


def single_label_macro_auroc_metric(prediction: EvalPrediction) -> dict[str, float]:
    """Macro AUROC of each class against all others, from class indices; absent where it is undefined."""
    scores = torch.as_tensor(prediction.predictions[0]).float().softmax(dim=-1).numpy()
    value = macro_auroc(np.eye(scores.shape[1], dtype=np.int8)[prediction.label_ids], scores)
    return {} if value is None else {"macro_auroc": value}
