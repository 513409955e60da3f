from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_ecg_hf.data import STANDARD_LEADS, read_upload
from ssl_ecg_hf.modeling.modeling_ssl_ecg import normalize
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline
from ssl_ecg_hf.space.analysis import analyse, load_classify
from ssl_ecg_hf.space.attribution import Attribution, attribute, integrated_gradients

pytest.importorskip("captum", reason="needs Captum: pip install 'ssl_ecg_hf[space]'")


@pytest.mark.parametrize("normalization", ["fixed", "zscore"])
def test_contributions_add_up_to_the_difference_from_flat_lines(
    make_release: Callable[..., Path], write_csv: Callable[..., Path], normalization: str
) -> None:
    classify = load_classify(make_release(normalization=normalization))
    prepared = analyse(classify, read_upload([write_csv(leads=STANDARD_LEADS[:6])])).prepared
    windows, mask, model = prepared["windows"][0], prepared["lead_mask"], classify.model
    parts = integrated_gradients(model, windows, mask, 2)
    assert parts.shape == (1, 12, 1000)
    assert parts[0, 6:].abs().max() == 0  # masked leads
    with torch.no_grad():
        flat = model(torch.zeros_like(windows), lead_mask=mask).logits[0, 2]
        expected = model(windows, lead_mask=mask).logits[0, 2] - flat
    assert parts.sum().item() == pytest.approx(expected.item(), rel=0.02, abs=1e-3)
    assert model.config.normalization == normalization  # untouched
    assert normalize(windows, model.config).shape == windows.shape


def test_a_long_recording_is_explained_by_its_windows(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    analysis = analyse(classify, read_upload([write_csv(seconds=25, rate=250)]))
    whole = attribute(classify.model, analysis, "MI", start=0, seconds=25)
    assert whole.pieces.shape == (12, 2500)
    part = attribute(classify.model, analysis, "MI", start=8, seconds=10)
    np.testing.assert_allclose(part.pieces, whole.pieces[:, 800:1800], atol=1e-9)
    assert (part.start, part.sampling_rate) == (8.0, 100.0)
    assert part.shares.sum() == pytest.approx(1)
    # Written out: a window's part is its share of the average, the piece the sum of the 8 samples around.
    windows, mask = analysis.prepared["windows"][0], analysis.prepared["lead_mask"].expand(4, -1)
    parts = integrated_gradients(classify.model, windows, mask, 1).double().numpy()
    total = np.zeros((12, 2500))
    for begin, values in zip((0, 500, 1000, 1500), parts, strict=True):
        total[:, begin : begin + 1000] += values / 4
    assert whole.pieces[3, 700] == pytest.approx(total[3, 696:704].sum(), abs=1e-9)


def test_a_short_recording_is_explained_up_to_its_end(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    analysis = analyse(classify, read_upload([write_csv(seconds=4)]))
    assert attribute(classify.model, analysis, "CD", start=0, seconds=10).pieces.shape == (12, 400)


def test_shading_is_relative_to_the_strongest_and_zero_outside() -> None:
    pieces = np.array([[0.0, 2.0, 0.0], [0.0, -4.0, 0.0]])
    found = Attribution(
        label="MI",
        leads=("I", "II"),
        pieces=pieces,
        shares=np.array([0.3, 0.7]),
        sampling_rate=2.0,
        start=1.0,
    )
    times = np.array([0.5, 1.0, 1.25, 1.5, 2.5])
    np.testing.assert_allclose(found.shading(("II",), times), [[0.0, 0.0, -0.5, -1.0, 0.0]])
    flat = Attribution(
        label="MI", leads=("I",), pieces=np.zeros((1, 3)), shares=np.zeros(1), sampling_rate=2.0, start=0.0
    )
    assert flat.shading(("I",), times).max() == 0
