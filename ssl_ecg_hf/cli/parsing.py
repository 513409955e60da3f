"""Command lines that start from a YAML recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from transformers import HfArgumentParser


def recipe_words(path: Path) -> list[str]:
    """Return a YAML recipe as command-line words, so that words after them override it.

    Args:
        path: a mapping of option names to values; mappings become JSON text, lists several words.

    Raises:
        ValueError: if the file is missing or is no mapping.
    """
    if not path.is_file():
        raise ValueError(f"recipe {path} does not exist")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"recipe {path} must be a mapping of options to values")
    words = []
    for name, value in content.items():
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        words.append(f"--{name}")
        words.extend(json.dumps(item) if isinstance(item, dict | bool) else str(item) for item in values)
    return words


def parse(verb: str, dataclasses: Sequence[type], argv: Sequence[str], *, example: str = "") -> tuple[Any, ...]:
    """Parse `[RECIPE.yaml] [--option value ...]` into dataclasses; the command line wins over the recipe.

    Args:
        verb: for the help text.
        dataclasses: what to parse into.
        argv: words after the verb.
        example: a command to show in the help text.

    Raises:
        ValueError: if the recipe cannot be read or a value does not fit.
    """
    words = list(argv)
    if words and not words[0].startswith("-"):
        words = recipe_words(Path(words[0])) + words[1:]
    parser = HfArgumentParser(
        dataclasses,
        prog=f"ssl-ecg {verb}",
        usage=f"ssl-ecg {verb} [RECIPE.yaml] [--option value ...]",
        epilog=f"Example: {example}" if example else None,
        allow_abbrev=False,
    )
    return tuple(parser.parse_args_into_dataclasses(words))
