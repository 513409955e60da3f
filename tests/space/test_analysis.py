from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_ecg_hf.data import STANDARD_LEADS, EcgRecord, read_upload
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline
from ssl_ecg_hf.space import text
from ssl_ecg_hf.space.analysis import Finding, analyse, drawn_leads, load_classify, with_gaps_interpolated


def test_it_says_what_the_pipeline_says(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    record = read_upload([write_csv()])
    analysis = analyse(classify, record)
    stated = {"sampling_rate": 100, "leads": "standard", "unit": "mV"}
    for entry, finding in zip(classify({"signal": record.signal, **stated}), analysis.findings, strict=True):
        assert (finding.label, finding.positive) == (entry["label"], entry["positive"])
        assert finding.probability == pytest.approx(entry["score"], abs=1e-6)
    plain = json.loads(json.dumps(analysis.as_json(), allow_nan=False))
    assert plain["predictions"][0]["threshold"] == 0.1
    assert (plain["format"], plain["sampling_rate"], plain["seconds"]) == ("text table", 100.0, 10.0)
    assert (plain["windows"], plain["padded_seconds"], plain["notes"]) == (1, 0.0, [])


def test_it_says_what_was_computed_left_out_cut_and_padded(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    eight = analyse(classify, read_upload([write_csv(leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))]))
    assert eight.derived == ("III", "aVR", "aVL", "aVF")
    assert (eight.masked, eight.unused, eight.notes) == ((), (), ())
    more = analyse(classify, read_upload([write_csv(leads=(*STANDARD_LEADS, "V7"))]))
    assert more.unused == ("V7",)
    leads, signal = drawn_leads(eight.record, STANDARD_LEADS)
    assert leads == STANDARD_LEADS
    np.testing.assert_allclose(signal[2], signal[1] - signal[0])
    two = analyse(classify, read_upload([write_csv(leads=("V2", "II"), seconds=4)]))
    assert two.masked == tuple(lead for lead in STANDARD_LEADS if lead not in ("V2", "II"))
    assert two.padded == 6.0
    assert ["missing" in note or "padded" in note for note in two.notes] == [True, True]
    assert drawn_leads(two.record, STANDARD_LEADS)[0] == ("II", "V2")
    long = analyse(classify, read_upload([write_csv(seconds=25)]))
    assert (long.windows, long.padded) == (4, 0.0)


def test_gaps_are_interpolated_on_request(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    record = read_upload([write_csv()])
    gappy = record.signal.copy()
    gappy[3, 100:105] = np.nan
    with pytest.raises(ValueError, match="lead aVR has 5 NaN"):
        analyse(classify, replace(record, signal=gappy))
    assert analyse(with_gaps_interpolated(classify), replace(record, signal=gappy)).findings
    assert classify.feature_extractor.nan_policy == "raise"


def test_foremost_is_the_most_probable_above_its_threshold(
    classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    analysis = analyse(classify, read_upload([write_csv()]))
    found = (
        Finding(label="a", probability=0.8, threshold=0.9),
        Finding(label="b", probability=0.3, threshold=0.2),
        Finding(label="c", probability=0.4, threshold=0.4),
    )
    assert replace(analysis, findings=found).foremost.label == "c"
    unlimited = tuple(replace(finding, threshold=None) for finding in found)
    assert replace(analysis, findings=unlimited).foremost.label == "a"


def test_single_label_models_have_no_thresholds(
    make_release: Callable[..., Path], write_csv: Callable[..., Path]
) -> None:
    classify = load_classify(make_release(problem_type="single_label_classification"))
    analysis = analyse(classify, read_upload([write_csv()]))
    assert sum(finding.probability for finding in analysis.findings) == pytest.approx(1.0)
    assert {finding.positive for finding in analysis.findings} == {None}
    assert "threshold" not in analysis.as_json()["predictions"][0]
    assert "threshold" not in text.findings_html(analysis.findings)


def test_what_a_file_says_cannot_become_code(classify: EcgClassificationPipeline) -> None:
    nasty = "<script>alert(1)</script>"
    signal = np.random.default_rng(0).normal(0, 0.5, (3, 1000)).astype(np.float32)
    record = EcgRecord(signal=signal, sampling_rate=100, leads=("I", "II", nasty), record_id=nasty)
    analysis = analyse(classify, record)
    for html in (text.facts_html(analysis), text.error_html(f"{nasty}: no")):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
    assert isinstance(analysis.prepared["windows"], torch.Tensor)
