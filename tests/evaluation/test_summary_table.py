from __future__ import annotations

from ssl_ecg_hf.evaluation.summary_table import overview_table, summary_table

MEANS = [
    "Test macro AUROC, mean over seeds:",
    "",
    "| labels | 1 % | 10 % |",
    "|---|---|---|",
    "| seeds | 1 | 3 |",
    "| SimCLR fine-tuned |  | **0.8800** |",
    "| From scratch | **0.7500** |  |",
]


def test_a_summary_without_runs() -> None:
    summary = {"rows": [], "comparisons": [], "data": [], "unfinished": 7}
    text = "None of the 7 runs of this table is finished yet.\n"
    assert summary_table(summary) == overview_table(summary) == text


def test_summary_as_markdown() -> None:
    one = {"mean": 0.75, "std": None, "low": None, "high": None}
    three = {"mean": 0.88, "std": 0.0034, "low": 0.87151, "high": 0.88844}
    summary = {
        "rows": [
            {"method": "SimCLR fine-tuned", "label_fraction": 0.1, "seeds": [0, 1, 2], "test_auroc": three,
             "validation_auroc": three, "test_f1": one, "test_records": 2158},
            {"method": "From scratch", "label_fraction": 0.01, "seeds": [0], "test_auroc": one,
             "validation_auroc": one, "test_f1": one, "test_records": 2158},
        ],
        "comparisons": [
            {"method": "SimCLR fine-tuned", "control": "From scratch", "label_fraction": 0.1,
             "difference": 0.0123, "low": 0.001, "high": 0.02, "p_holm": 0.0345, "verdict": "better",
             "effect_size": 1.25},
            {"method": "A", "control": "B", "label_fraction": 0.01, "difference": -0.001, "low": -0.1,
             "high": 0.1, "p_holm": 1.0, "verdict": "not distinguishable", "effect_size": None},
        ],
        "data": ["Half of fold 10."],
        "pretrainings": [
            {"name": "simclr-seed0", "seconds": 600.0},
            {"name": "byol-seed0", "seconds": 60.0, "encoder_parameters": 538_624},
        ],
    }  # fmt: skip
    lines = summary_table(summary).splitlines()
    assert lines[:7] == MEANS
    lines = lines[10:]
    assert (
        lines[3] == "| SimCLR fine-tuned | 10 % | 3 | 0.8800 ± 0.0034 | 0.8715 to 0.8884 | 0.750 | 0.8800 |"
    )
    assert lines[2] == "| From scratch | 1 % | 1 | 0.7500 |  | 0.750 | 0.7500 |"
    assert lines[-6:-4] == [
        "- 10 % of the labels: *SimCLR fine-tuned* is **better than** *From scratch*: +0.0123 "
        "[+0.0010, +0.0200], p = 0.0345, d = 1.2",
        "- 1 % of the labels: *A* is **not distinguishable from** *B*: -0.0010 [-0.1000, +0.1000], p = 1",
    ]
    assert lines[-3] == "Labelled test records: 2,158. Half of fold 10."
    assert lines[-1] == (
        "Time of each pretraining on the machine of these runs, encoders of 538,624 parameters: simclr-seed0 "
        "10 min, byol-seed0 1 min."
    )
    summary["pretrainings"][0]["encoder_parameters"] = 1000
    assert summary_table(summary).splitlines()[-1] == (
        "Time of each pretraining on the machine of these runs: simclr-seed0 (1,000 parameters) 10 min, "
        "byol-seed0 (538,624 parameters) 1 min."
    )
    columns = {line.count("|") for line in lines[:4]}
    assert columns == {8}
    summary["comparisons"].append(
        {"method": "C", "control": "B", "label_fraction": 0.1, "difference": 0.5, "low": None, "high": None,
         "p_holm": None, "verdict": "not measured", "effect_size": None}
    )  # fmt: skip
    assert (
        "- 10 % of the labels: *C* less *B*: +0.5000, **without a verdict**, since a class is missing in "
        "more than half of the draws"
    ) in summary_table(summary)
    summary["unfinished"] = 3
    assert overview_table(summary).splitlines() == [
        *MEANS,
        "",
        "Differences over the seeds that both have, with 95 % intervals; bold: not by chance "
        "(p < 0.05 after Holm's correction):",
        "",
        "| | 1 % | 10 % |",
        "|---|---|---|",
        "| SimCLR fine-tuned − From scratch |  | **+0.0123** [+0.0010, +0.0200] |",
        "| A − B | -0.0010 [-0.1000, +0.1000] |  |",
        "| C − B |  | +0.5000 |",
        "",
        "Labelled test records: 2,158. Half of fold 10.",
        "",
        "3 further runs of this table are not finished yet.",
    ]


def test_a_table_over_splits_says_how_it_was_made() -> None:
    five = {"mean": 0.88, "std": 0.01, "low": 0.864, "high": 0.896}
    summary = {
        "rows": [
            {"method": "A", "label_fraction": 0.1, "seeds": [0, 1, 2, 3, 4], "test_auroc": five,
             "validation_auroc": five, "test_f1": five, "test_records": 2140},
        ],
        "comparisons": [
            {"method": "A", "control": "B", "label_fraction": 0.1, "difference": 0.01, "low": 0.001,
             "high": 0.019, "p_holm": 0.04, "verdict": "better", "effect_size": 2.0},
        ],
        "data": ["All of it."],
        "resplit": {"shares": [0.8, 0.1, 0.1], "overlap": 0.125, "test_records": [2130, 2150]},
    }  # fmt: skip
    lines = summary_table(summary).splitlines()
    assert "95 % interval (Student t, corrected)" in lines[0]
    assert lines[4].startswith(
        "Differences of the mean test macro AUROC; interval and p from the corrected resampled t-test over "
        "the splits (Nadeau and Bengio 2003), p corrected by Holm, too; d is Cohen's"
    )
    assert lines[-1] == (
        "Repeated random sub-sampling: each seed divides the patients anew into 80/10/10 % train, validation "
        "and test. The splits overlap, so intervals and p take the variance of a mean over K of them as 1/K "
        "+ 0.125 (test over train) times that of one, in place of 1/K. Labelled test records: 2,130 to 2,150 "
        "a split. All of it."
    )
