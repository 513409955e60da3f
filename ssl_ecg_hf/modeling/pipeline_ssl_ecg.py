"""The task "ecg-classification": recordings in, labels with probabilities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import Pipeline

REQUIRED = ("signal", "sampling_rate", "leads", "unit")


class EcgClassificationPipeline(Pipeline):
    """Classifies ECG recordings as they come: any unit, lead order, sampling rate and length.

    A multi-label model gives every label its own probability (sigmoid); the labels of a single-label model
    share one (softmax). Where thresholds are known, from the call or from the model's configuration, every
    label of a multi-label model is also called positive or not.

    Args of a call:
        inputs: a mapping, or a list of mappings, with ``signal`` of shape (leads, samples), ``sampling_rate``
            in Hz, ``leads`` (one name per row, or "standard") and ``unit`` ("mV", "uV" or "V").
        top_k: how many labels to give, the most probable first; default all, in the order of the model.
        threshold: probability from which a label is positive, one number for all labels or one per label;
            default ``config.thresholds``. For multi-label models only.

    Returns of a call:
        Per recording a list of ``{"label": str, "score": float}``, and ``"positive": bool`` where there is a
        threshold. One such list for a mapping, a list of them for a list.

    Raises:
        ValueError: if a recording does not state what it must, or the threshold does not fit the model.
    """

    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = True
    _load_tokenizer = False

    def _sanitize_parameters(
        self, *, top_k: int | None = None, threshold: float | Sequence[float] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        given = {"top_k": top_k, "threshold": threshold}
        return {}, {}, {name: value for name, value in given.items() if value is not None}

    def preprocess(self, input_: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Prepare one recording: ``input_values`` (1, leads, samples) in mV and ``lead_mask`` (1, leads)."""
        if not isinstance(input_, Mapping) or not all(key in input_ for key in REQUIRED):
            given = sorted(map(str, input_)) if isinstance(input_, Mapping) else f"a {type(input_).__name__}"
            raise ValueError(
                f"a recording is given as {given}; expected a mapping with signal (leads, samples), "
                "sampling_rate in Hz, leads (one name per row, or 'standard') and unit ('mV', 'uV' or 'V')"
            )
        stated = {key: input_[key] for key in REQUIRED}
        return dict(self.feature_extractor(**stated, return_tensors="pt"))

    def _forward(self, input_tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"logits": self.model(**input_tensors).logits}

    def postprocess(
        self,
        model_outputs: dict[str, torch.Tensor],
        top_k: int | None = None,
        threshold: float | Sequence[float] | None = None,
    ) -> list[dict[str, Any]]:
        """Turn the logits of one recording, shape (1, labels), into labels with probabilities."""
        config = self.model.config
        logits = model_outputs["logits"][0].float()
        # As in the model's loss: labels are independent unless the model says otherwise.
        multi_label = config.problem_type != "single_label_classification"
        scores = (logits.sigmoid() if multi_label else logits.softmax(dim=-1)).tolist()
        results: list[dict[str, Any]] = [
            {"label": config.id2label[index], "score": score} for index, score in enumerate(scores)
        ]
        if threshold is not None and not multi_label:
            raise ValueError(
                "a threshold was given, but the model is single-label: take its most probable label"
            )
        threshold = config.thresholds if threshold is None else threshold
        if threshold is not None and multi_label:
            limits = [threshold] * len(scores) if isinstance(threshold, (int, float)) else list(threshold)
            if len(limits) != len(scores):
                raise ValueError(f"{len(limits)} thresholds for {len(scores)} labels; give one per label")
            for result, limit in zip(results, limits, strict=True):
                result["positive"] = result["score"] >= limit
        if top_k is not None:
            results = sorted(results, key=lambda result: -result["score"])[:top_k]
        return results


__all__ = ["EcgClassificationPipeline"]
