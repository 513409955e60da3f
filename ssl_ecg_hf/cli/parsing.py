"""Command lines that start from a YAML recipe."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from transformers import HfArgumentParser
from transformers.utils import logging

USUAL = (
    "output_dir", "num_train_epochs", "max_steps", "per_device_train_batch_size",
    "per_device_eval_batch_size", "gradient_accumulation_steps", "activation_checkpointing", "learning_rate",
    "weight_decay", "warmup_steps", "lr_scheduler_type", "bf16", "use_cpu", "torch_compile", "eval_strategy",
    "eval_steps", "save_strategy", "save_steps", "save_total_limit", "logging_steps", "seed",
    "dataloader_num_workers", "report_to",
)  # fmt: skip
"""Fields of Transformers' `TrainingArguments` that a help text shows; the others are known as well."""


def words_of(options: Mapping[str, Any]) -> list[str]:
    """Return options as command-line words; mappings become JSON text, lists several words, None is left out.

    Example:
        >>> words_of({"bf16": True, "leads": ["I", "II"], "seed": None})
        ['--bf16', 'true', '--leads', 'I', 'II']
    """
    words = []
    for name, value in options.items():
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        words.append(f"--{name}")
        words.extend(json.dumps(item) if isinstance(item, dict | bool) else str(item) for item in values)
    return words


def data_words(data: Any) -> str:
    """Return the options of `DataArguments` that differ from their defaults, for a command line to copy."""
    from ssl_ecg_hf.evaluation.recipe import changed_arguments

    return shlex.join(words_of({"data": data.data, **changed_arguments(data)}))


def recipe_words(path: Path) -> list[str]:
    """Return a YAML recipe as command-line words, so that words after them override it.

    Args:
        path: a mapping of option names to values.

    Raises:
        ValueError: if the file is missing or is no mapping.
    """
    return words_of(read_yaml(path, what="recipe", expected="a mapping of options to values"))


def read_yaml(path: Path, *, what: str, expected: str) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Args:
        path: the file.
        what: its purpose, for the messages.
        expected: what it should hold, for the messages.

    Raises:
        ValueError: if the file is missing, no YAML or no mapping.
    """
    if not path.is_file():
        raise ValueError(f"{what} {path} does not exist")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{what} {path} is no YAML: {reason}; expected {expected}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{what} {path} must be {expected}")
    return content


def parse(
    verb: str, dataclasses: Sequence[type], argv: Sequence[str], *, example: str = ""
) -> tuple[Any, ...]:
    """Parse `[RECIPE.yaml] [--option value ...]` into dataclasses; the command line wins over the recipe.

    Args:
        verb: for the help text.
        dataclasses: what to parse into.
        argv: words after the verb.
        example: a command to show in the help text.

    Raises:
        ValueError: if the recipe cannot be read, an option is unknown or a value does not fit.
    """
    # Here, since it imports PyTorch, which those who only read a table need not wait for.
    from transformers import TrainingArguments

    logging.disable_progress_bar()  # loading a few megabytes is no news
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
    if issubclass(dataclasses[-1], TrainingArguments):
        _shorten_help(parser, TrainingArguments, all_options="--help_all" in words)
        words = ["--help" if word == "--help_all" else word for word in words]
    *parsed, rest = parser.parse_args_into_dataclasses(words, return_remaining_strings=True)
    if rest:
        known = [option for action in parser._actions for option in action.option_strings]
        similar = get_close_matches(rest[0], known, n=1)
        advice = f"did you mean {similar[0]}?" if similar else f"see ssl-ecg {verb} --help"
        raise ValueError(f"unknown option {' '.join(rest)}; {advice}")
    return tuple(parsed)


def _shorten_help(parser: HfArgumentParser, known: type, *, all_options: bool) -> None:
    """Give options one spelling each in the help text, and leave out those of `known` that few need."""
    unusual = {field.name for field in fields(known)} - set(USUAL)
    for action in parser._actions:
        action.option_strings = [word for word in action.option_strings if "-" not in word.strip("-")]
        if action.dest.removeprefix("no_") in unusual and not all_options:
            action.help = argparse.SUPPRESS
    if not all_options:
        hidden = f"And {len(unusual)} more of Transformers' TrainingArguments: --help_all shows them."
        parser.epilog = "  ".join(filter(None, (hidden, parser.epilog)))
