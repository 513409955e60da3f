from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from ssl_ecg_hf.data import read_upload
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline
from ssl_ecg_hf.space import attribution
from ssl_ecg_hf.space.analysis import analyse

pytest.importorskip("gradio", reason="needs Gradio: pip install 'ssl_ecg_hf[space]'")
pytestmark = pytest.mark.slow

Ask = Callable[..., tuple[str, Any]]
UNSTATED = ("", "", "", False)


def test_its_api_answers_curl_with_what_the_model_says(
    page_url: str, ask: Ask, classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    path = write_csv()
    event, (answer,) = ask(page_url, path)
    assert event == "complete"
    assert answer == analyse(classify, read_upload([path])).as_json()


def test_its_api_takes_what_a_file_does_not_state(page_url: str, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(0, 500, (2, 1500)))
    event, answer = ask(page_url, path)
    assert event == "error"
    assert answer["error"].startswith("a.npy: the file does not state its sampling rate, lead names, unit")
    event, (answer,) = ask(page_url, path, stated=("150", "uV", "II, V2", False))
    assert event == "complete"
    assert (answer["sampling_rate"], answer["leads"], answer["format"]) == (150.0, ["II", "V2"], "NumPy")
    assert "missing or flat" in answer["notes"][0]
    event, answer = ask(page_url, path, stated=("quick", "uV", "II, V2", False))
    assert answer["error"] == "sampling rate 'quick' is no number; expected one in Hz, such as 500"


def test_its_api_refuses_what_is_no_recording_and_files_that_were_not_uploaded(
    page_url: str, ask: Any, tmp_path: Path
) -> None:
    (tmp_path / "junk.scp").write_bytes(np.random.default_rng(0).bytes(3000))
    event, answer = ask(page_url, tmp_path / "junk.scp")
    assert event == "error"
    assert answer["error"].startswith("junk.scp: ")
    assert "Traceback" not in answer["error"]
    assert str(tmp_path) not in answer["error"]
    assert ask.call(page_url, [[], *UNSTATED])[1]["error"] == "there is no file; drop a recording"
    private = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    event, answer = ask.call(page_url, [[private], *UNSTATED])
    assert event == "error"
    assert answer["error"] is None  # Gradio itself refuses; the page's code never sees it


def test_show_fills_the_page(
    classify: EcgClassificationPipeline,
    write_csv: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ssl_ecg_hf.space.page import FOREMOST, LAYOUTS, _Page

    page, (small, rows) = _Page(classify), LAYOUTS
    files = [str(write_csv(seconds=12))]
    message, findings, facts, image, explained = page.show(files, *UNSTATED, FOREMOST, small, 0)
    assert message == ""
    assert findings.count("<tr>") == 5
    assert "text table" in facts
    assert image is not None
    # 10 s: 270 mm of paper, 145 mm of three rows and a strip, 144 dots an inch.
    assert image.size == (1530, 822)
    if attribution.is_available():
        assert "speaks for" in explained
    later = page.show(files, *UNSTATED, "CD", rows, 2)
    assert later[3] is not None
    assert later[3].size[1] > image.size[1]
    if attribution.is_available():
        assert "speaks for CD" in later[4]
    monkeypatch.setattr(attribution, "is_available", lambda: False)
    plain = page.show(files, *UNSTATED, FOREMOST, small, None)
    assert "Captum is not installed" in plain[4]
    few = page.show([str(write_csv(leads=("I", "V1")))], *UNSTATED, FOREMOST, small, 99)
    assert few[3] is not None
    (tmp_path / "junk.scp").write_bytes(bytes(100))
    message, *rest = page.show([str(tmp_path / "junk.scp")], *UNSTATED, FOREMOST, small, 0)
    assert 'role="alert"' in message
    assert rest == ["", "", None, ""]
    assert page.show(None, *UNSTATED, FOREMOST, small, 0) == ("", "", "", None, "")


def test_uploads_are_deleted(
    serve: Callable[..., Any], ask: Ask, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    uploads = tmp_path / "uploads"
    with serve(uploads, delete_after=2) as address:
        assert ask(address, write_csv())[0] == "complete"
        end = time.monotonic() + 60
        while list(uploads.rglob("*.csv")):
            assert time.monotonic() < end, "an upload is still there"
            time.sleep(0.5)


def test_this_gradio_is_one_that_the_package_allows() -> None:
    import gradio

    from ssl_ecg_hf.space.folder import requirements

    (allowed,) = (one for one in map(Requirement, requirements(("space",))) if one.name == "gradio")
    assert gradio.__version__ in allowed.specifier
