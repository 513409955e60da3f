"""A table of experiments: the YAML file that `ssl-ecg reproduce` works through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_ecg_hf.cli.parsing import read_yaml, words_of

TABLE_KEYS = {
    "name", "seeds", "seeds_at", "label_fractions", "pretraining", "methods", "comparisons", "robustness",
    "data", "resplit",
}  # fmt: skip
RESPLIT_KEYS = {"shares"}
PRETRAINING_KEYS = {"recipe", "set", "seeds"}
ROBUSTNESS_KEYS = {"methods", "label_fraction", "seed"}
METHOD_KEYS = {"title", "row", "column", "recipe", "set", "at", "pretrained"}


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """One pretraining that cells of a table share.

    Args:
        key: its name in the table.
        seed: of weights, order and views.
        words: recipe and options of `ssl-ecg pretrain`, without data, seed and output folder.
        data_words: options of the data.
    """

    key: str
    seed: int
    words: tuple[str, ...]
    data_words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"pretrained-{self.key}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a table: a method at a label fraction with a seed.

    Args:
        key: name of the method in the table.
        method: its title.
        label_fraction: share of the labels.
        seed: of the label subset and of training.
        words: recipe and options of `ssl-ecg finetune`, without data, model, seeds, fraction, output folder.
        data_words: options of the data.
        pretraining: whose encoder is taken; None: a random one.
        robustness: whether it is also measured on bad recordings.
    """

    key: str
    method: str
    label_fraction: float
    seed: int
    words: tuple[str, ...]
    data_words: tuple[str, ...]
    pretraining: Pretraining | None
    robustness: bool = False

    @property
    def name(self) -> str:
        """Name of its folder and its JSON file."""
        return f"{self.key}-{100 * self.label_fraction:g}pct-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class ExperimentTable:
    """All runs of a table.

    Args:
        name: of its folders.
        cells: seed by seed, so that an unfinished table compares all methods.
        comparisons: pairs of titles (method, control).
        shares: of train, validation and test, into which each seed divides the recordings anew; None: all
            seeds have the same test recordings.
        places: title of a method -> its row and column, where the methods form a grid.
    """

    name: str
    cells: tuple[Cell, ...]
    comparisons: tuple[tuple[str, str], ...]
    shares: tuple[float, ...] | None
    places: Mapping[str, tuple[str, str]]


def _checked(entry: Any, known: set[str], *, needed: set[str], where: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} must be a mapping with {sorted(needed)}; got {entry!r}")
    if missing := needed - set(entry):
        raise ValueError(f"{where} lacks {sorted(missing)}")
    if unknown := set(entry) - known:
        raise ValueError(f"{where} has unknown keys {sorted(unknown)}; known are {sorted(known)}")
    return dict(entry)


def _check_known(found: Iterable[Any], known: Collection[Any], *, where: str) -> None:
    if unknown := [entry for entry in found if entry not in known]:
        raise ValueError(f"{where} names {unknown}; known are {list(known)}")


def _method(entry: Any, *, where: str) -> dict[str, Any]:
    """Check a method; its place in a grid is its title, where it has one."""
    if isinstance(entry, Mapping) and ("row" in entry or "column" in entry):
        method = _checked(entry, METHOD_KEYS - {"title"}, needed={"row", "column", "recipe"}, where=where)
        return {"title": f"{method['row']}, {method['column']}", **method}
    return _checked(entry, METHOD_KEYS, needed={"title", "recipe"}, where=where)


def _check_names(table: Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse fractions and methods that the table does not have: their options would never apply."""
    fractions = table["label_fractions"]
    _check_known(table.get("seeds_at", {}), fractions, where="seeds_at")
    for key, method in methods.items():
        _check_known(method.get("at", {}), fractions, where=f"'at' of method {key!r}")
    for pair in table.get("comparisons", []):
        _check_known(pair, methods, where="comparisons")
    if len({method["title"] for method in methods.values()}) < len(methods):
        raise ValueError("two methods have the same title; results are summarised by it")


def _robust(table: Mapping[str, Any], methods: Collection[str]) -> set[tuple[str, float, int]]:
    """(method, label fraction, seed) of the cells that are also measured on bad recordings."""
    where = "robustness"
    if where not in table:
        return set()
    robust = _checked(table[where], ROBUSTNESS_KEYS, needed=ROBUSTNESS_KEYS, where=where)
    fraction, seed = robust["label_fraction"], robust["seed"]
    _check_known(robust["methods"], methods, where=where)
    _check_known([fraction], table["label_fractions"], where=where)
    _check_known([seed], _seeds(table, fraction), where=where)
    return {(key, fraction, seed) for key in robust["methods"]}


def _shares(table: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Into which shares each seed divides the recordings anew, if it does."""
    if "resplit" not in table:
        return None
    shares = _checked(table["resplit"], RESPLIT_KEYS, needed=RESPLIT_KEYS, where="resplit")["shares"]
    if not (isinstance(shares, list) and len(shares) == 3 and min(shares) > 0):
        raise ValueError(f"resplit has shares {shares!r}; expected those of train, validation and test")
    if fewer := [key for key, entry in table["pretraining"].items() if "seeds" in entry]:
        raise ValueError(
            f"pretraining {fewer} has seeds of its own; with resplit every seed has other train recordings "
            "and needs its own pretraining, or test recordings would be pretrained on"
        )
    return tuple(float(share) for share in shares)


def _data_words(table: Mapping[str, Any], seed: int) -> tuple[str, ...]:
    """Options of the data of a seed, for pretraining, training and evaluation."""
    shares = _shares(table)
    division = {} if shares is None else {"split_seed": seed, "split_shares": list(shares)}
    return tuple(words_of({**table.get("data", {}), **division}))


def _pretrainings(table: Mapping[str, Any], place: Path) -> dict[str, dict[int, Pretraining]]:
    """Per key the pretraining that each seed of the table starts from."""
    found: dict[str, dict[int, Pretraining]] = {}
    for key, entry in table["pretraining"].items():
        where = f"pretraining {key!r}"
        entry = {"recipe": entry} if isinstance(entry, str) else entry
        entry = _checked(entry, PRETRAINING_KEYS, needed={"recipe"}, where=where)
        words = (str(place / entry["recipe"]), *words_of(entry.get("set", {})))
        seeds = entry.get("seeds") or table["seeds"]
        found[key] = {
            seed: Pretraining(
                key=key,
                seed=seeds[position % len(seeds)],
                words=words,
                data_words=_data_words(table, seed),
            )
            for position, seed in enumerate(table["seeds"])
        }
    return found


def _seeds(table: Mapping[str, Any], fraction: float) -> Sequence[int]:
    seeds: Sequence[int] = table.get("seeds_at", {}).get(fraction, table["seeds"])
    if unknown := set(seeds) - set(table["seeds"]):
        raise ValueError(f"seeds_at {fraction} has seeds {sorted(unknown)} that are not among seeds")
    return seeds


def read_table(path: Path) -> ExperimentTable:
    """Read a table's YAML file.

    Its keys: `name`; `seeds` and `label_fractions`, every method is run with each pair of them; `seeds_at`
    (optional), fewer seeds at some fractions; `pretraining`, per key a recipe, or a mapping of `recipe`,
    `set` (options that differ from it) and `seeds` (fewer pretrainings than seeds, used in turn); `methods`,
    per key `title`, `recipe`, and optionally `pretrained` (key of a pretraining), `set`, and `at` (options
    that differ at a label fraction), with `row` and `column` in place of the title where the methods form a
    grid, such as encoders against what is done with them; `comparisons`, pairs of methods; `robustness`, the
    `methods` that are also measured on bad recordings, at one `label_fraction` and `seed`; `data`, options of
    the data for all runs and their evaluation, such as `label_set`; `resplit`, the `shares` of train,
    validation and test into which every seed divides the patients anew (repeated random sub-sampling), for
    its pretrainings, too.
    Recipes are named relative to it.

    Args:
        path: see `recipes/tables/` for examples.

    Raises:
        ValueError: if the file is missing, lacks a key or has one that is unknown.
    """
    content = read_yaml(path, what="table", expected="a mapping, see recipes/tables/")
    needed = TABLE_KEYS - {"seeds_at", "comparisons", "robustness", "data", "resplit"}
    table = _checked(content, TABLE_KEYS, needed=needed, where=f"table {path}")
    pretrainings = _pretrainings(table, path.parent)
    methods = {key: _method(entry, where=f"method {key!r}") for key, entry in table["methods"].items()}
    for key, method in methods.items():
        if (wanted := method.get("pretrained")) not in {None, *pretrainings}:
            raise ValueError(f"method {key!r} wants pretraining {wanted!r}; known are {sorted(pretrainings)}")
    _check_names(table, methods)
    robust = _robust(table, methods)
    cells = tuple(
        Cell(
            key=key,
            method=method["title"],
            label_fraction=fraction,
            seed=seed,
            words=(
                str(path.parent / method["recipe"]),
                *words_of({**method.get("set", {}), **method.get("at", {}).get(fraction, {})}),
            ),
            data_words=_data_words(table, seed),
            pretraining=(
                None if method.get("pretrained") is None else pretrainings[method["pretrained"]][seed]
            ),
            robustness=(key, fraction, seed) in robust,
        )
        for seed in table["seeds"]
        for fraction in table["label_fractions"]
        if seed in _seeds(table, fraction)
        for key, method in methods.items()
    )
    comparisons = tuple(
        (methods[first]["title"], methods[second]["title"]) for first, second in table.get("comparisons", [])
    )
    places = {
        method["title"]: (method["row"], method["column"]) for method in methods.values() if "row" in method
    }
    return ExperimentTable(
        name=table["name"], cells=cells, comparisons=comparisons, shares=_shares(table), places=places
    )
