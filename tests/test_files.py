from __future__ import annotations

from pathlib import Path

import pytest

from ssl_ecg_hf.files import parse_mapping, replacing


def test_a_mapping_is_read_from_json() -> None:
    assert parse_mapping('{"a": [1, null]}', what="--x", expected="a mapping") == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"--x is '{', no JSON \(.*\); expected a mapping"),
        ("[1]", r"--x is '\[1\]'; expected a mapping"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_mapping(text, what="--x", expected="a mapping")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]
