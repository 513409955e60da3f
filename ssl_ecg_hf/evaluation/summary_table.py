"""A summary of runs as Markdown: all of it, and what a reader wants first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssl_ecg_hf.evaluation.bootstrap import COMPARISON_DRAWS
from ssl_ecg_hf.evaluation.grid_table import grid_table
from ssl_ecg_hf.evaluation.summary import FEWEST_SEEDS


def label_fractions(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the shares of the labels that a summary's rows have, in ascending order."""
    return sorted({row["label_fraction"] for row in rows})


def _by_fraction(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Methods against label fractions: mean over seeds, the highest in bold."""
    fractions = label_fractions(rows)
    means = {(row["method"], row["label_fraction"]): row["test_auroc"]["mean"] for row in rows}
    best = {fraction: max(mean for (_, f), mean in means.items() if f == fraction) for fraction in fractions}
    seeds = {
        fraction: "/".join(
            str(count)
            for count in sorted({len(row["seeds"]) for row in rows if row["label_fraction"] == fraction})
        )
        for fraction in fractions
    }
    lines = [
        "Test macro AUROC, mean over seeds:",
        "",
        "| labels | " + " | ".join(f"{100 * fraction:g} %" for fraction in fractions) + " |",
        "|---|" + "---|" * len(fractions),
        "| seeds | " + " | ".join(seeds[fraction] for fraction in fractions) + " |",
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for fraction in fractions:
            mean = means.get((method, fraction))
            text = "" if mean is None else f"{mean:.4f}"
            cells.append(f"**{text}**" if mean is not None and mean == best[fraction] else text)
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _tested_on(summary: Mapping[str, Any]) -> str:
    """Say how many records were tested on, and whether all runs had the same ones."""
    resplit = summary.get("resplit")
    if resplit is None:
        records = {row["test_records"] for row in summary["rows"]}
        return f"Labelled test records: {', '.join(f'{count:,}' for count in sorted(records))}."
    parts = "/".join(f"{100 * share:g}" for share in resplit["shares"])
    least, most = resplit["test_records"]
    return (
        f"Repeated random sub-sampling: each seed divides the patients anew into {parts} % train, validation "
        "and test. The splits overlap, so intervals and p take the variance of a mean over K of them as "
        f"1/K + {resplit['overlap']:.3g} (test over train) times that of one, in place of 1/K. Labelled test "
        f"records: {least:,}{'' if least == most else f' to {most:,}'} a split."
    )


def _times(pretrainings: Sequence[Mapping[str, Any]]) -> str:
    """How long each pretraining took, and how large the encoders are: once, if all have one size."""
    sizes = {entry["encoder_parameters"] for entry in pretrainings if "encoder_parameters" in entry}
    shared = f", encoders of {sizes.pop():,} parameters" if len(sizes) == 1 else ""
    each = []
    for entry in pretrainings:
        size = None if shared else entry.get("encoder_parameters")
        more = "" if size is None else f" ({size:,} parameters)"
        each.append(f"{entry['name']}{more} {entry['seconds'] / 60:.0f} min")
    return f"Time of each pretraining on the machine of these runs{shared}: {', '.join(each)}."


def _unfinished(summary: Mapping[str, Any]) -> list[str]:
    unfinished = summary.get("unfinished")
    return ["", f"{unfinished} further runs of this table are not finished yet."] if unfinished else []


def overview_table(summary: Mapping[str, Any]) -> str:
    """Return a summary of runs as short Markdown: means and differences, a column per share of the labels.

    Args:
        summary: as `summarize` returns it.
    """
    if not summary["rows"]:
        return summary_table(summary)
    lines = _by_fraction(summary["rows"])
    found = {
        (entry["method"], entry["control"], entry["label_fraction"]): entry
        for entry in summary["comparisons"]
    }
    if found:
        fractions = label_fractions(summary["rows"])
        lines += [
            "",
            "Differences over the seeds that both have, with 95 % intervals; bold: not by chance "
            "(p < 0.05 after Holm's correction):",
            "",
            "| | " + " | ".join(f"{100 * fraction:g} %" for fraction in fractions) + " |",
            "|---|" + "---|" * len(fractions),
        ]
        for method, control in dict.fromkeys(key[:2] for key in found):
            cells = [_difference(found.get((method, control, fraction))) for fraction in fractions]
            lines.append(f"| {method} − {control} | " + " | ".join(cells) + " |")
    lines += ["", " ".join([_tested_on(summary), *summary["data"]]), *_unfinished(summary)]
    return "\n".join(lines) + "\n"


def _difference(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    value = f"{entry['difference']:+.4f}"
    if entry["low"] is None:
        return value
    shown = value if entry["verdict"] == "not distinguishable" else f"**{value}**"
    return f"{shown} [{entry['low']:+.4f}, {entry['high']:+.4f}]"


def _sentence(entry: Mapping[str, Any]) -> str:
    """What came of one comparison."""
    where, difference = f"- {100 * entry['label_fraction']:g} % of the labels", f"{entry['difference']:+.4f}"
    if entry["p_holm"] is None:
        return (
            f"{where}: *{entry['method']}* less *{entry['control']}*: {difference}, **without a verdict**, "
            "since a class is missing in more than half of the draws"
        )
    relation = (
        "not distinguishable from"
        if entry["verdict"] == "not distinguishable"
        else f"{entry['verdict']} than"
    )
    effect = "" if entry["effect_size"] is None else f", d = {entry['effect_size']:.1f}"
    return (
        f"{where}: *{entry['method']}* is **{relation}** *{entry['control']}*: {difference} "
        f"[{entry['low']:+.4f}, {entry['high']:+.4f}], p = {entry['p_holm']:.3g}{effect}"
    )


def summary_table(summary: Mapping[str, Any]) -> str:
    """Return a summary of runs as Markdown: a table of methods and a list of comparisons.

    Args:
        summary: as `summarize` returns it.
    """
    if not summary["rows"]:
        return f"None of the {summary.get('unfinished', 0)} runs of this table is finished yet.\n"
    resplit = summary.get("resplit")
    lines = []
    if summary.get("grid"):
        lines = [grid_table(summary), "Each method by itself:", ""]
    elif len(label_fractions(summary["rows"])) > 1:
        lines = [*_by_fraction(summary["rows"]), "", "Each method and fraction by itself:", ""]
    lines += [
        "| method | labels | seeds | test macro AUROC, mean ± std over seeds "
        f"| 95 % interval (Student t{', corrected' if resplit else ''}) "
        "| macro F1 (thresholds of validation) | validation macro AUROC |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(summary["rows"], key=lambda row: row["label_fraction"]):
        auroc, f1, validation = row["test_auroc"], row["test_f1"], row["validation_auroc"]
        spread = "" if auroc["std"] is None else f" ± {auroc['std']:.4f}"
        few = auroc["low"] is None or len(row["seeds"]) < FEWEST_SEEDS
        interval = "" if few else f"{auroc['low']:.4f} to {auroc['high']:.4f}"
        lines.append(
            f"| {row['method']} | {100 * row['label_fraction']:g} % | {len(row['seeds'])} "
            f"| {auroc['mean']:.4f}{spread} | {interval} | {f1['mean']:.3f} | {validation['mean']:.4f} |"
        )
    if summary["comparisons"]:
        how = (
            f"a paired bootstrap of the test patients, p corrected by Holm ({COMPARISON_DRAWS:,} draws "
            f"cannot show less than {2 / (COMPARISON_DRAWS + 1):.4f} before the correction)"
            if resplit is None
            else "the corrected resampled t-test over the splits (Nadeau and Bengio 2003), p corrected by "
            "Holm, too"
        )
        lines += [
            "",
            f"Differences of the mean test macro AUROC; interval and p from {how}; d is Cohen's, of the "
            "paired seeds:",
            "",
        ]
    lines += [_sentence(entry) for entry in summary["comparisons"]]
    lines += ["", " ".join([_tested_on(summary), *summary["data"]])]
    lines += _unfinished(summary)
    if spent := summary.get("pretrainings"):
        lines += ["", _times(spent)]
    return "\n".join(lines) + "\n"
