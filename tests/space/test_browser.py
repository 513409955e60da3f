"""The page in a real Chromium: one that Playwright finds, or the one at CHROMIUM_CDP_URL (its DevTools)."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from ssl_ecg_hf.data import read_upload
from ssl_ecg_hf.modeling.pipeline_ssl_ecg import EcgClassificationPipeline
from ssl_ecg_hf.space import attribution
from ssl_ecg_hf.space.analysis import analyse

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright: pip install playwright && playwright install chromium"
)
pytestmark = pytest.mark.slow

PATIENCE = 120_000  # ms


@pytest.fixture(scope="module")
def tab() -> Iterator[Any]:
    """A tab of a browser; ``tab.hosts`` are the hosts that it asked."""
    with playwright_api.sync_playwright() as playwright:
        try:
            if address := os.environ.get("CHROMIUM_CDP_URL"):
                browser = playwright.chromium.connect_over_cdp(address)
                page = browser.contexts[0].pages[0]
            else:
                names = ("chromium", "chromium-browser", "google-chrome")
                found = next(filter(None, map(shutil.which, names)), None)
                browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
                page = browser.new_page()
        except playwright_api.Error as error:
            pytest.skip(f"needs Chromium, e.g. playwright install chromium: {str(error).splitlines()[0]}")
        page.set_default_timeout(PATIENCE)
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.hosts = set()
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).hostname))
        yield page
        browser.close()


@pytest.fixture
def page(tab: Any, page_url: str) -> Any:
    """The page, freshly loaded."""
    tab.goto(page_url)
    tab.wait_for_selector("input[type=file]", state="attached")
    return tab


def drop(page: Any, *files: Path) -> None:
    page.set_input_files("input[type=file]", [str(file) for file in files])


def picture(page: Any) -> np.ndarray[Any, Any]:
    """The pixels of the ECG as the browser shows it, (height, width, 3)."""
    page.wait_for_function("[...document.images].some(i => i.complete && i.naturalWidth > 1000)")
    script = """() => {
        const image = [...document.images].find(i => i.naturalWidth > 1000);
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/png");
    }"""
    content = base64.b64decode(page.evaluate(script).partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def shown(page: Any) -> dict[str, str]:
    rows = page.query_selector_all(".ecg-findings tr")
    cells = [[cell.inner_text() for cell in row.query_selector_all("td")] for row in rows]
    return {row[0].split()[0]: row[1] for row in cells}


def test_a_dropped_file_is_drawn_and_classified(
    page: Any, classify: EcgClassificationPipeline, write_csv: Callable[..., Path]
) -> None:
    path = write_csv(leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), rate=500)
    assert "Not a medical device" in page.inner_text("body")
    drop(page, path)
    page.wait_for_selector(".ecg-findings")
    analysis = analyse(classify, read_upload([path]))
    assert shown(page) == {finding.label: f"{finding.probability:.3f}" for finding in analysis.findings}
    facts = page.inner_text(".ecg-facts")
    for said in ("text table", "10 s at 500 Hz, in mV", "I, II, V1", "III, aVR, aVL, aVF"):
        assert said in facts
    pixels = picture(page)
    assert (pixels.max(axis=-1) < 100).sum() > 5000  # ink
    if attribution.is_available():
        red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
        assert (red - blue > 60).sum() > 1000  # orange
        assert f"speaks for {analysis.foremost.label}" in page.inner_text("body")
    assert page.hosts == {"127.0.0.1"}  # no fonts, no counters


def test_a_class_and_a_layout_are_chosen(page: Any, write_csv: Callable[..., Path]) -> None:
    drop(page, write_csv())
    page.wait_for_selector(".ecg-findings")
    height = len(picture(page))
    page.get_by_label("all leads, whole time").check()
    page.wait_for_function(f"[...document.images].some(i => i.naturalHeight > {height})")
    if attribution.is_available():
        page.get_by_label("Show what mattered for").click()
        page.get_by_role("option", name="HYP").click()
        page.wait_for_selector("text=speaks for HYP")


def test_a_file_that_states_nothing_is_classified_once_it_is_stated(page: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.random.default_rng(0).normal(0, 0.5, (12, 1000)))
    drop(page, tmp_path / "plain.npy")
    page.wait_for_selector("[role=alert]")
    said = page.inner_text("[role=alert]")
    assert "plain.npy: the file does not state its sampling rate" in said
    assert "The fields below the file are for that." in said
    page.get_by_label("Sampling rate in Hz").fill("100")
    page.get_by_label("Leads", exact=True).first.fill("standard")
    page.get_by_label("Unit").click()
    page.get_by_role("option", name="mV", exact=True).click()
    page.get_by_role("button", name="Classify").click()
    page.wait_for_selector(".ecg-findings")
    assert page.query_selector("[role=alert]") is None


def test_a_bad_file_gives_a_message_and_takes_the_last_answer_away(
    page: Any, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    drop(page, write_csv())
    page.wait_for_selector(".ecg-findings")
    (tmp_path / "junk<b>.scp").write_bytes(np.random.default_rng(0).bytes(3000))
    page.get_by_label("Clear").first.click()
    page.wait_for_selector(".ecg-findings", state="detached")
    drop(page, tmp_path / "junk<b>.scp")
    page.wait_for_selector("[role=alert]")
    said = page.inner_text("[role=alert]")
    assert said.startswith("Not classified.")
    assert "Traceback" not in page.inner_text("body")
    assert page.query_selector(".ecg-findings") is None
