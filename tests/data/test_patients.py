from __future__ import annotations

import pytest

from ssl_ecg_hf.data.patients import all_alike, patient_numbers, stated_patient, table_patient


def test_names_of_a_table() -> None:
    assert [table_patient(text) for text in ("7", "7.0", "12.000", "7.5", "07", "A.0", "P 7")] == [
        "7", "7", "12", "7.5", "07", "A.0", "P 7",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "n/a", "?", "UNKNOWN"])
def test_words_for_nobody_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names nobody; leave it empty where it is not known"):
        table_patient(text)


def test_names_of_files() -> None:
    known = [stated_patient(text) for text in ("4711", " P1 ", "10", "Müller")]
    assert known == ["4711", "P1", "10", "Müller"]
    assert {
        stated_patient(text) for text in (None, "", "  ", "X", "000", "0-0", "_", "Anonymous", "n/a")
    } == {None}


def test_a_name_in_all_files_is_a_placeholder() -> None:
    assert all_alike([3, None, 3])
    assert not all_alike([3, None, 4])
    assert not all_alike([3, None])
    assert not all_alike([None, None])


@pytest.mark.parametrize(
    ("of_table", "of_file", "expected"),
    [
        (["7", "9", "7", None], [None] * 4, [7, 9, 7, None]),
        (["b", "a", "b", "3"], [None] * 4, [0, 1, 0, 2]),
        ([None] * 4, [0, 1, 0, None], [0, 1, 0, None]),
        (["7", None, None], [0, 1, 1], [7, 9, 9]),  # numbers of files come behind those of the table
        (["7", None, None], [0, 0, None], [7, 7, None]),  # whom the table names elsewhere
        (["7", "8", None, None], [0, 0, 0, 1], [7, 8, None, 10]),  # a file that the table contradicts
        ([str(2**70), "1"], [None, None], [0, 1]),
        ([], [], []),
    ],
)
def test_numbers(of_table: list[str | None], of_file: list[int | None], expected: list[int | None]) -> None:
    assert patient_numbers(of_table, of_file) == expected
