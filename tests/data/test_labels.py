from pathlib import Path

import pytest

from ssl_ecg_hf.data import SUPERCLASS_MEANINGS, SUPERCLASSES, read_scp_statements, superclass_labels

STATEMENTS = {"NORM": "NORM", "IMI": "MI", "AMI": "MI", "NDT": "STTC", "LVH": "HYP", "LAFB": "CD"}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_order_of_superclasses_is_the_published_contract() -> None:
    assert SUPERCLASSES == ("NORM", "MI", "STTC", "HYP", "CD")
    assert list(SUPERCLASS_MEANINGS) == list(SUPERCLASSES)


def test_labels_by_presence_whatever_the_likelihood() -> None:
    codes = [
        {"NORM": 100.0, "SR": 0.0},
        {"IMI": 0.0, "AMI": 15.0},
        {"LVH": 50.0, "LAFB": 0.0, "NDT": 100.0},
        {"SR": 0.0},
        {},
    ]
    labels = superclass_labels(codes, STATEMENTS)
    assert labels.dtype == "int8"
    assert labels.tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_no_records_give_an_empty_table() -> None:
    assert superclass_labels([], STATEMENTS).shape == (0, 5)


def test_statements_keep_only_diagnostic_codes(tmp_path: Path) -> None:
    text = ",diagnostic,rhythm,diagnostic_class\nIMI,1.0,,MI\nSR,,1.0,\nNORM,1,,NORM\nODD,0.0,,MI\n"
    assert read_scp_statements(write(tmp_path / "s.csv", text)) == {"IMI": "MI", "NORM": "NORM"}


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="diagnostic_class"):
        read_scp_statements(write(tmp_path / "s.csv", ",diagnostic\nIMI,1.0\n"))


def test_unknown_superclass_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'RHYTHM'"):
        read_scp_statements(write(tmp_path / "s.csv", ",diagnostic,diagnostic_class\nX,1.0,RHYTHM\n"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(b"code,\xff\xfe\n")
    with pytest.raises(ValueError, match=r"s\.csv is no CSV table in UTF-8: .*; fetch it again"):
        read_scp_statements(tmp_path / "s.csv")
