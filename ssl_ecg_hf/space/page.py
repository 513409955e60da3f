"""The Gradio page of a release, and its API."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ssl_ecg_hf.data import READERS
from ssl_ecg_hf.data.upload import MAX_BYTES, read_upload
from ssl_ecg_hf.evaluation.ecg_plot import COLUMNS, STRIP_SECONDS, Layout, plot_ecg
from ssl_ecg_hf.modeling import EcgClassificationPipeline
from ssl_ecg_hf.space import attribution, text
from ssl_ecg_hf.space.analysis import Analysis, analyse, drawn_leads, load_classify, with_gaps_interpolated
from ssl_ecg_hf.space.fields import parse_leads, parse_rate

if TYPE_CHECKING:
    import gradio as gr

LAUNCH_OPTIONS: dict[str, Any] = {
    "max_file_size": MAX_BYTES,
    "css": text.STYLE,
    "footer_links": ["api"],
    "run_history": False,
    "enable_monitoring": False,
    "ssr_mode": False,
}
"""For ``launch``: what cannot be stated of a page before it runs."""

DELETE_CACHE = (300, 900)
"""Every so many seconds files older than so many seconds are deleted."""

FOREMOST = "the main finding"
LAYOUTS: dict[str, Layout] = {"3 x 4 and rhythm strip": "3x4", "all leads, whole time": "rows"}
SCREEN_DPI = 144

Answer = tuple[str, str, str, Image.Image | None, str]


def picture(
    analysis: Analysis,
    shown: attribution.Attribution | None,
    *,
    wanted: tuple[str, ...],
    layout: Layout,
    start: float,
) -> Image.Image:
    """Draw a recording on ECG paper, shaded by what the model used.

    Args:
        analysis: of the recording.
        shown: what the model used, None for no shading.
        wanted: leads of the model.
        layout: ``"3x4"`` becomes ``"rows"`` where it lacks a lead.
        start: time in s at which the drawing begins.
    """
    record = analysis.record
    leads, signal = drawn_leads(record, wanted)
    complete = all(lead in leads for column in COLUMNS for lead in column)
    times = np.arange(signal.shape[1]) / record.sampling_rate
    with tempfile.TemporaryDirectory(prefix="ecg-") as name:
        path = plot_ecg(
            signal,
            sampling_rate=record.sampling_rate,
            leads=leads,
            path=Path(name) / "ecg.png",
            title=record.record_id,
            layout=layout if complete else "rows",
            start=start,
            shading=None if shown is None else shown.shading(leads, times),
            note="" if shown is None else f"orange: for {shown.label}, blue: against it",
            dpi=SCREEN_DPI,
        )
        with Image.open(path) as image:
            return image.convert("RGB")


class _Page:
    """What the buttons of the page do."""

    def __init__(self, classify: EcgClassificationPipeline) -> None:
        self.classify = classify
        self.classify_with_gaps = with_gaps_interpolated(classify)
        self.wanted = tuple(classify.feature_extractor.leads)

    def analyse(
        self, files: Sequence[str], sampling_rate: str | None, unit: str | None, leads: str | None, gaps: bool
    ) -> Analysis:
        record = read_upload(
            files,
            sampling_rate=parse_rate(sampling_rate or ""),
            leads=parse_leads(leads or ""),
            unit=unit or None,
        )
        return analyse(self.classify_with_gaps if gaps else self.classify, record)

    def show(
        self,
        files: Sequence[str] | None,
        sampling_rate: str | None,
        unit: str | None,
        leads: str | None,
        gaps: bool,
        label: str,
        layout: str,
        start: float | None,
    ) -> Answer:
        """Fill the page: message, findings, facts, picture, how to read it."""
        if not files:
            return "", "", "", None, ""
        try:
            analysis = self.analyse(files, sampling_rate, unit, leads, gaps)
            chosen = analysis.foremost.label if label == FOREMOST else label
            begin = min(start or 0.0, max(0.0, analysis.record.duration - 1.0))
            shown = None
            if attribution.is_available():
                shown = attribution.attribute(
                    self.classify.model, analysis, chosen, start=begin, seconds=STRIP_SECONDS
                )
            drawn = picture(analysis, shown, wanted=self.wanted, layout=LAYOUTS[layout], start=begin)
        except ValueError as error:
            return text.error_html(str(error)), "", "", None, ""
        explained = text.NO_CAPTUM if shown is None else text.attribution_html(shown)
        return (
            "",
            text.findings_html(analysis.findings),
            text.facts_html(analysis),
            drawn,
            explained,
        )

    def predict(
        self,
        files: Sequence[str] | None,
        sampling_rate: str | None,
        unit: str | None,
        leads: str | None,
        gaps: bool,
    ) -> dict[str, Any]:
        """Return probabilities, thresholds and what was read."""
        try:
            return self.analyse(files or [], sampling_rate, unit, leads, gaps).as_json()
        except ValueError as error:
            from gradio import Error

            raise Error(str(error), print_exception=False) from error


def build_app(model: str | Path, *, examples: Sequence[Path] = (), name: str | None = None) -> gr.Blocks:
    """Build the page; nothing is served yet.

    Args:
        model: folder, or repository on the Hub, of a classifier.
        examples: recordings to offer, each a file that states everything.
        name: of the model, on the page; default ``model``, of a folder its last part.

    Returns:
        the page; ``launch(**LAUNCH_OPTIONS)`` serves it.

    Raises:
        ValueError: if the model is no classifier, or cannot be loaded, or Gradio is not installed.
    """
    try:
        import gradio as gr
    except ImportError as error:
        raise ValueError(
            f"the page needs Gradio ({error}); install it with: pip install 'ssl_ecg_hf[space]'"
        ) from error
    page = _Page(load_classify(model))
    config = page.classify.model.config
    title = name or (Path(model).name if Path(model).is_dir() else str(model))
    labels = [config.id2label[index] for index in range(config.num_labels)]
    with gr.Blocks(title=f"{title}: ECG", analytics_enabled=False, delete_cache=DELETE_CACHE) as app:
        gr.Markdown(
            f"# {title}\n**{text.DISCLAIMER}** The model reads {config.num_leads} leads in windows of "
            f"{config.num_samples / config.sampling_rate:g} s. Files are deleted within "
            f"{sum(DELETE_CACHE) / 60:g} minutes and not kept otherwise."
        )
        with gr.Row():
            with gr.Column(scale=1):
                files = gr.File(
                    file_count="multiple", label="A recording (of WFDB the header and the data)", height=140
                )
                gr.Markdown(f"Formats: {', '.join(READERS)}.")
                if examples:
                    offered = [[[str(path)]] for path in examples]
                    gr.Examples(offered, inputs=[files], label="Simulated recordings")
                with gr.Accordion("What the file does not state", open=True):
                    with gr.Row():
                        # Not a number field: an empty one arrives as 0.
                        rate = gr.Textbox(
                            "", label="Sampling rate in Hz", placeholder="500", max_lines=1, min_width=120
                        )
                        unit = gr.Dropdown(
                            [("as in the file", ""), "mV", "uV", "V"], value="", label="Unit", min_width=120
                        )
                        leads = gr.Textbox(
                            "", label="Leads", placeholder="standard, or I II V1", max_lines=1, min_width=120
                        )
                    gaps = gr.Checkbox(False, label="Interpolate missing samples")
                again = gr.Button("Classify", variant="primary")
            with gr.Column(scale=1):
                message, findings, facts = gr.HTML(), gr.HTML(), gr.HTML()
        with gr.Row():
            label = gr.Dropdown([FOREMOST, *labels], value=FOREMOST, label="Show what mattered for")
            layout = gr.Radio(list(LAYOUTS), value=next(iter(LAYOUTS)), label="Drawn as")
            start = gr.Number(0, label="Drawn from second", minimum=0)
        image = gr.Image(
            label="ECG, 25 mm/s and 10 mm/mV",
            show_label=False,  # it would cover the title
            type="pil",
            format="png",
            interactive=False,
            buttons=["fullscreen", "download"],
        )
        explained = gr.HTML()
        stated: list[Any] = [files, rate, unit, leads, gaps]
        # One at a time: warnings are collected for the whole process.
        shared: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
        gr.on(
            [files.change, again.click, label.change, layout.change, start.submit, start.blur],
            page.show,
            [*stated, label, layout, start],
            [message, findings, facts, image, explained],
            api_visibility="private",
            show_progress_on=image,
            trigger_mode="always_last",
            **shared,
        )
        answer = gr.JSON(visible=False)
        gr.Button(visible=False).click(page.predict, stated, answer, api_name="predict", **shared)
    return app
