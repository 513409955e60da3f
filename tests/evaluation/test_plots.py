import re

import matplotlib.image
import numpy as np
import pytest

from ssl_ecg_hf.evaluation import plots
from ssl_ecg_hf.evaluation.ecg_plot import COLUMNS, _label_places, _strips, plot_ecg
from ssl_ecg_hf.evaluation.figures import new_figure, save_png
from ssl_ecg_hf.evaluation.plots import (
    _counts,
    _spread,
    plot_label_efficiency,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)

LEADS = [lead for column in COLUMNS for lead in column]
TRACE_MM = 15.0  # where a trace begins: margin and calibration pulse


def dark(path):
    """Pixels of ink: (rows, columns) of bool."""
    return matplotlib.image.imread(path)[..., :3].max(axis=-1) < 0.4


def ecg(samples=1000, leads=12):
    return np.zeros((leads, samples))


def predictions():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (80, 3))
    labels[:, 2] = 0
    return labels, np.clip(0.3 * labels + 0.7 * generator.random(labels.shape), 0, 1)


def rows():
    return [
        {"method": method, "fraction": fraction, "value": value, "low": value - 0.01, "high": value + 0.01}
        for method, shift in (("SimCLR", 0.0), ("scratch", -0.03))
        for fraction, value in ((1.0, 0.9 + shift), (0.1, 0.85 + shift))
    ]


def test_paper_has_true_scale(tmp_path):
    # 25.4 dots an inch: one pixel is one millimetre.
    path = plot_ecg(ecg(), sampling_rate=100, leads=LEADS, path=tmp_path / "e.png", dpi=25.4)
    height, width, _ = matplotlib.image.imread(path).shape
    assert width == 2 * 5 + 10 + 250
    assert height == 15 + 10 + 4 * 30
    path = plot_ecg(
        ecg(leads=3), sampling_rate=100, leads=["a", "b", "c"], path=path, layout="rows", dpi=25.4
    )
    assert matplotlib.image.imread(path).shape[0] == 15 + 10 + 3 * 20


def test_one_millivolt_is_ten_millimetres_and_one_second_twenty_five(tmp_path):
    signal = ecg(leads=1)
    signal[0, 600] = 1.0  # at 6 s: a peak of 1 mV
    dots = 10  # pixels a millimetre
    path = plot_ecg(
        signal, sampling_rate=100, leads=["II"], path=tmp_path / "e.png", layout="rows", dpi=dots * 25.4
    )
    ink = dark(path)
    column = ink[:, round((TRACE_MM + 6 * 25) * dots)]
    baseline = (15 + 10) * dots  # below the top: the header and half a row
    top = np.flatnonzero(column).min()
    # A mitred or rounded tip reaches beyond the peak by about half a line's width.
    assert (baseline - top) / dots == pytest.approx(10, abs=0.35)
    pulse = ink[:, round((5 + 4) * dots)]
    assert (baseline - np.flatnonzero(pulse).min()) / dots == pytest.approx(10, abs=0.35)


def test_a_lead_is_drawn_in_its_own_place_whatever_its_row(tmp_path):
    signal = ecg()
    signal[LEADS.index("V6"), 800:900] = 1.0
    order = list(reversed(range(12)))
    first = plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "a.png")
    second = plot_ecg(
        signal[order], sampling_rate=100, leads=[LEADS[i] for i in order], path=tmp_path / "b.png"
    )
    assert first.read_bytes() == second.read_bytes()
    dots = 150 / 25.4
    flat = plot_ecg(ecg(), sampling_rate=100, leads=LEADS, path=tmp_path / "c.png")
    changed = np.argwhere(dark(first) != dark(flat)) / dots  # millimetres from the top left corner
    assert changed[:, 0].min() > 15 + 2 * 30  # third row
    assert changed[:, 1].min() > TRACE_MM + 7.4 * 25  # fourth column


def test_baseline_offsets_and_gaps_do_no_harm(tmp_path):
    signal = np.sin(np.arange(12_000).reshape(12, 1000) / 9)
    plain = plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "a.png").read_bytes()
    moved = plot_ecg(signal + 64.0, sampling_rate=100, leads=LEADS, path=tmp_path / "b.png").read_bytes()
    assert plain == moved
    signal[3] = np.nan
    plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "c.png")


def test_only_ten_seconds_are_drawn_and_short_recordings_fill_a_quarter_a_lead(tmp_path):
    long = plot_ecg(ecg(3000), sampling_rate=100, leads=LEADS, path=tmp_path / "a.png", dpi=25.4)
    assert matplotlib.image.imread(long).shape[1] == 270
    short = plot_ecg(ecg(400), sampling_rate=100, leads=LEADS, path=tmp_path / "b.png", dpi=25.4)
    assert matplotlib.image.imread(short).shape[1] == 120


def test_rows_move_apart_for_tall_waves_but_not_for_artefacts(tmp_path):
    def height(signal):
        path = plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "e.png", dpi=25.4)
        return matplotlib.image.imread(path).shape[0]

    assert height(ecg()) == 145
    apart = ecg()
    apart[LEADS.index("V1"), 600] = -2.0  # down to 10 mm above the next baseline
    apart[LEADS.index("V5"), 850] = 2.0
    assert height(apart) == 145  # side by side they fit
    apart[LEADS.index("V2"), 601] = 1.5
    assert height(apart) == 145 + 10  # 20 mm and 15 mm and 2 mm between: the next line of the paper is at 40
    first = ecg()
    first[0, 100] = 3.1  # the title needs 15 mm
    assert height(first) == 145 + 20
    artefact = ecg()
    artefact[3, 300] = 1000.0
    assert height(artefact) == 145 + 35  # as for 5 mV


def test_labels_keep_off_the_traces(tmp_path):
    signal = ecg()
    signal[LEADS.index("V4"), 753:756] = 1.2  # a QRS complex where the label of V4 usually stands
    strips = _strips(signal, None, LEADS, sampling_rate=100, layout="3x4")
    baselines = np.array([115.0, 85.0, 55.0, 25.0])
    moved = {
        strip.lead: (x - strip.x[0], y - baselines[strip.row])
        for strip, (x, y) in zip(strips, _label_places(strips, baselines), strict=True)
    }
    assert moved["V5"] == pytest.approx((1.2, 9.0))
    assert moved["V4"] == pytest.approx((2.7, 9.0), abs=0.3)
    signal[LEADS.index("V4"), 750:] = 0.9  # no place there: above it
    strips = _strips(signal, None, LEADS, sampling_rate=100, layout="3x4")
    place = _label_places(strips, baselines)[[strip.lead for strip in strips].index("V4")]
    assert place[1] - baselines[0] == 13.0
    plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "e.png")


def test_a_drawing_begins_where_it_is_told_to(tmp_path):
    signal = np.sin(np.arange(12 * 3000).reshape(12, 3000) / 9)
    drawn = matplotlib.image.imread(
        plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "a.png", start=12.5)
    )
    cut = matplotlib.image.imread(
        plot_ecg(signal[:, 1250:], sampling_rate=100, leads=LEADS, path=tmp_path / "b.png")
    )
    footer = round(8 / 25.4 * 150)
    assert np.array_equal(drawn[:-footer], cut[:-footer])
    assert not np.array_equal(drawn, cut)  # it says so
    with pytest.raises(ValueError, match="start 30 s is not within the 30 s drawn"):
        plot_ecg(signal, sampling_rate=100, leads=LEADS, path=tmp_path / "c.png", start=30)


def test_shading_lies_behind_its_lead_at_its_time(tmp_path):
    shading = ecg()
    shading[LEADS.index("V6"), 800:900] = 1.0
    shading[LEADS.index("I"), 100:200] = -1.0
    image = matplotlib.image.imread(
        plot_ecg(
            ecg(), sampling_rate=100, leads=LEADS, path=tmp_path / "e.png", shading=shading, dpi=10 * 25.4
        )
    )
    red_over_blue = image[..., 0] - image[..., 2]
    orange, blue = np.argwhere(red_over_blue > 0.4) / 10, np.argwhere(red_over_blue < -0.3) / 10
    assert orange[:, 1].min() == pytest.approx(TRACE_MM + 8 * 25, abs=0.3)
    assert orange[:, 1].max() == pytest.approx(TRACE_MM + 9 * 25, abs=0.3)
    assert orange[:, 0].min() == pytest.approx(30 + 2 * 30 - 9, abs=0.2)
    assert orange[:, 0].max() == pytest.approx(30 + 2 * 30 + 9, abs=0.2)
    assert blue[:, 1].min() == pytest.approx(TRACE_MM + 25, abs=0.3)
    assert blue[:, 0].max() < 30 + 10
    with pytest.raises(ValueError, match=r"shading has shape \(1, 1000\)"):
        plot_ecg(ecg(), sampling_rate=100, leads=LEADS, path=tmp_path / "e.png", shading=shading[:1])


def test_ecg_errors(tmp_path):
    path = tmp_path / "e.png"
    with pytest.raises(ValueError, match="one name a row"):
        plot_ecg(ecg(), sampling_rate=100, leads=["I"], path=path)
    with pytest.raises(ValueError, match=r"\['V6'\] are missing .* layout='rows'"):
        plot_ecg(ecg(leads=11), sampling_rate=100, leads=LEADS[:11], path=path)
    with pytest.raises(ValueError, match="layout '6x2'"):
        plot_ecg(ecg(), sampling_rate=100, leads=LEADS, path=path, layout="6x2")
    with pytest.raises(ValueError, match="sampling rate 0 Hz"):
        plot_ecg(ecg(), sampling_rate=0, leads=LEADS, path=path)
    with pytest.raises(ValueError, match=r"not named \.png"):
        plot_ecg(ecg(), sampling_rate=100, leads=LEADS, path=tmp_path / "e.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall, plot_reliability])
def test_figures_are_the_same_bytes_on_every_run(plot, tmp_path):
    labels, scores = predictions()
    first, second = (
        plot(labels, scores, class_names=["A", "B", "never"], path=tmp_path / f"{i}.png").read_bytes()
        for i in "ab"
    )
    assert first == second
    assert b"Software" not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    with pytest.raises(ValueError, match="do not name 3 classes"):
        plot(labels, scores, class_names=["A"], path=tmp_path / "c.png")


def test_thresholds_are_dots_on_the_curves(tmp_path):
    labels, scores = predictions()
    names = ["A", "B", "never"]
    for plot in (plot_roc, plot_precision_recall):
        plain = plot(labels, scores, class_names=names, path=tmp_path / "a.png").read_bytes()
        dotted = plot(labels, scores, class_names=names, path=tmp_path / "b.png", thresholds=[0.5, 0.4, 0.5])
        assert dotted.read_bytes() != plain
        # Nothing is flagged: there is no precision, and no dot.
        none = plot(labels, scores, class_names=names, path=tmp_path / "c.png", thresholds=[2.0, 2.0, 2.0])
        assert (none.read_bytes() == plain) == (plot is plot_precision_recall)


def test_dots_lie_where_literal_counts_say():
    labels, scores = np.array([[1], [1], [1], [0], [0]]), np.array([[0.9], [0.5], [0.2], [0.6], [0.1]])
    found = _counts(labels, scores, [0.5], names=["A"])["A"]
    assert (found.flagged, found.found) == (3, 2)
    assert (found.sensitivity, found.specificity) == (2 / 3, 1 / 2)


def test_of_many_classes_the_worst_calibrated_are_drawn(tmp_path):
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, (60, 20)), generator.random((60, 20))
    names = [f"C{column}" for column in range(20)]
    few = plot_reliability(labels[:, :6], scores[:, :6], class_names=names[:6], path=tmp_path / "a.png")
    many = plot_reliability(
        labels, scores, class_names=names, path=tmp_path / "b.png", subtitle="records " * 30
    )
    assert matplotlib.image.imread(many).shape == matplotlib.image.imread(few).shape


def test_a_line_that_ends_early_says_where(tmp_path, figures_of):
    drawn = figures_of(plots)
    points = [("A", 0.1, 0.8), ("A", 1.0, 0.9), ("B", 0.1, 0.7)]
    plot_label_efficiency(
        [{"method": method, "fraction": fraction, "value": value} for method, fraction, value in points],
        path=tmp_path / "a.png",
    )
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["A  0.900", "B  0.700 (with 10 %)"]


def test_label_efficiency_needs_no_interval_and_takes_one_fraction(tmp_path):
    many = plot_label_efficiency(rows(), path=tmp_path / "a.png").read_bytes()
    assert many == plot_label_efficiency(rows(), path=tmp_path / "b.png").read_bytes()
    plot_label_efficiency([{"method": "A", "fraction": 0.1, "value": 0.8}], path=tmp_path / "c.png")
    with pytest.raises(ValueError, match="0 rows"):
        plot_label_efficiency([], path=tmp_path / "d.png")
    with pytest.raises(ValueError, match=re.escape("(0, 1]")):
        plot_label_efficiency([{"method": "A", "fraction": 10, "value": 0.8}], path=tmp_path / "d.png")


def test_labels_are_moved_apart_in_order():
    moved = _spread(np.array([0.9, 0.5, 0.91]), gap=0.1)
    assert moved[1] < moved[0] < moved[2]
    assert moved[2] - moved[0] == pytest.approx(0.1)
    assert moved.mean() == pytest.approx(np.mean([0.9, 0.5, 0.91]))


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_png(new_figure(1, 1), tmp_path / "absent" / "a.png")
    assert list(tmp_path.iterdir()) == []
