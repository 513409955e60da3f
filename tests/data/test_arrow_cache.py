from __future__ import annotations

from pathlib import Path
from typing import Any

from ssl_ecg_hf.data.arrow_cache import ArrowCache, open_cache


class Store:
    """Recordings of which some cannot be read, and how often each was tried."""

    def __init__(self, cache: Path, bad: dict[str, str]) -> None:
        self.cache, self.bad = cache, bad
        self.builds, self.tried = 0, ""

    def write(self, target: Path) -> dict[str, Any]:
        self.builds += 1
        (target / "x.arrow").write_bytes(b"content" + bytes(self.builds - 1))
        return {"bad": list(self.bad.items()), "notes": {"a": ["b"]}}

    def read_again(self, file: str) -> str | None:
        self.tried += file
        return self.bad.get(file)

    def open(self) -> ArrowCache:
        return open_cache(self.cache / "name", self.write, self.read_again)


def test_what_was_read_is_not_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path, {})
    notes = {"bytes": {"x.arrow": 7}, "bad": [], "notes": {"a": ["b"]}}
    assert store.open() == store.open() == (tmp_path / "name", notes)
    assert (store.builds, store.tried) == (1, "")


def test_what_was_not_read_is_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path, {"1": "missing module", "2": "damaged"})
    assert store.open().notes["bad"] == [("1", "missing module"), ("2", "damaged")]
    store.bad["1"] = "damaged, too"
    first = store.open()
    assert first.notes["bad"] == [("1", "damaged, too"), ("2", "damaged")]
    assert (store.builds, store.tried) == (1, "12")
    del store.bad["2"]
    second = store.open()
    assert second.notes["bad"] == [("1", "damaged, too")]
    assert store.builds == 2
    assert (second.folder / "bad_records.txt").read_text() == "1\tdamaged, too\n"
    # Others may have the first one open.
    assert (first.folder.name, second.folder.name) == ("name", "name-2")
    assert (first.folder / "x.arrow").read_bytes() == b"content"
    assert (second.folder / "x.arrow").read_bytes() == b"content\0"
    assert store.open() == second
    store.bad.clear()
    assert store.open().folder.name == "name-3"


def test_names_that_are_no_text_are_kept_readable(tmp_path: Path) -> None:
    store = Store(tmp_path, {"Aufn\udce4hme.csv": "damaged"})
    folder, notes = store.open()
    assert notes["bad"] == [("Aufn\udce4hme.csv", "damaged")]
    assert (folder / "bad_records.txt").read_text() == "Aufn\\udce4hme.csv\tdamaged\n"
    assert store.open().notes["bad"] == notes["bad"]


def test_a_cache_that_lost_something_is_built_anew(tmp_path: Path) -> None:
    store = Store(tmp_path, {})
    store.open()
    (tmp_path / "name" / "x.arrow").write_bytes(b"con")
    assert store.open().folder == tmp_path / "name"
    assert store.builds == 2
    (tmp_path / "name" / "manifest.json").write_text("{")
    assert store.open().folder == tmp_path / "name"
    assert store.builds == 3
