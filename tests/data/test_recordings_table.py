from __future__ import annotations

from pathlib import Path

import pytest

from ssl_ecg_hf.data.recordings_table import TableRow, read_recordings_table


def write(folder: Path, text: str) -> Path:
    path = folder / "recordings.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns_are_understood(tmp_path: Path) -> None:
    text = (
        "AF,file,patient_id,age,sex,sampling_rate,leads,unit,MI\n"
        "1,a/one.npy,P7,63.5,F,500,standard,uV,0\n"
        "0.0,two.csv,,,,,,,1.0\n"
    )
    table = read_recordings_table(write(tmp_path, text))
    assert (table.class_names, table.split_column) == (("AF", "MI"), None)
    first, second = table.rows
    assert first == TableRow(
        line=2, file="a/one.npy", labels=(1, 0), patient="P7", age=63.5, sex="female", split=None, fold=None,
        sampling_rate=500.0, leads="standard", unit="uV",
    )  # fmt: skip
    assert second[2:] == ((0, 1), None, None, None, None, None, None, None, None)


def test_class_names_choose_and_order_the_labels(tmp_path: Path) -> None:
    path = write(tmp_path, "file,AF,device,MI\na,1,GE,0\n")
    table = read_recordings_table(path, class_names=["MI", "AF"])
    assert (table.class_names, table.rows[0].labels) == (("MI", "AF"), (0, 1))
    with pytest.raises(ValueError, match=r"line 2: column 'device' holds 'GE'; a label is 0 or 1.*--class_n"):
        read_recordings_table(path)
    with pytest.raises(ValueError, match=r"has no column \['CD'\]; expected 'file', one column of 0 and 1"):
        read_recordings_table(path, class_names=["CD"])


def test_labels_may_be_absent(tmp_path: Path) -> None:
    table = read_recordings_table(write(tmp_path, "file,age\na,50\n"))
    assert (table.class_names, table.rows[0].labels) == ((), ())


def test_no_finding_is_a_label_and_nothing_is_none(tmp_path: Path) -> None:
    table = read_recordings_table(write(tmp_path, "file,A,B\na,0,0\nb,,\nc,1,0\n"))
    assert [row.labels for row in table.rows] == [(0, 0), None, (1, 0)]
    with pytest.raises(ValueError, match=r"line 2: column 'B' is empty where others are not"):
        read_recordings_table(write(tmp_path, "file,A,B\na,0,\n"))


def test_strata_do_not_depend_on_the_classes_that_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "file,A,note,B,age\na,1,x,0,5\nb,,1,,5\nc,0,0,1.0,5\n")
    for names in (["A"], ["B", "A"], ["B"]):
        assert read_recordings_table(path, class_names=names).strata.tolist() == [[1, 0], [0, 0], [0, 1]]


def test_folds_are_those_of_ptbxl(tmp_path: Path) -> None:
    lines = "".join(f"{fold},f{fold},1\n" for fold in range(1, 11))
    table = read_recordings_table(write(tmp_path, f"fold,file,X\n{lines}"))
    assert table.split_column == "fold"
    assert [row.split for row in table.rows] == [*["train"] * 8, "validation", "test"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"recordings.csv lists no recordings"),
        ("file,A\n", r"lists no recordings; expected a header and a line for each"),
        ("path,A\na,1\n", r"has no column \['file'\]; .* found \['path', 'A'\]"),
        ("file;A\na;1\n", r"has no column \['file', "),
        ("file,A,A\na,1,1\n", r"has more than one column \['A'\]"),
        ("file,A\na,1,0\n", r"recordings.csv, line 2: 3 cells, the header has 2"),
        (
            "file,A\na,2\nb,x\n",
            r"2 of 2 rows of .* not valid:\n  line 2: .* '2'.*\n  line 3: column 'A' holds 'x'",
        ),
        ("file,A\n,1\n", r"line 2: file is empty"),
        ("file,A\na,1\n\na,0\n", r"line 4: a is the recording of line 2 \(a\) already"),
        ("file,A\na,1\n./b/../a,0\n", r"line 3: ./b/../a is the recording of line 2 \(a\) already"),
        ("file,patient_id\na,NaN\nb,\n", r"line 2: patient_id 'NaN' names nobody; leave it empty"),
        ("file,patient_id\na,7.0\nb,8\nc,07\n", r"line 4: patient '07' here and '7' in line 2 may be one or"),
        ("file,age\na,old\n", r"line 2: age 'old' is no positive number"),
        ("file,sampling_rate\na,0\n", r"line 2: sampling_rate '0' is no positive number"),
        ("file,sex\na,1\n", r"line 2: sex '1' is none of \['male', 'm', 'female', 'f'\]"),
        ("file,split\na,val\n", r"line 2: split 'val' is not one of \['train', 'validation', 'test'\]"),
        ("file,fold\na,11\n", r"line 2: fold '11' is not one of 1..10 \(1-8 train, 9 validation, 10 test\)"),
        ("file,split\na,\n", r"line 2: split and fold are empty"),
        ("file,split,fold\na,test,10\n", r"has both 'split' and 'fold'"),
        ("file,split\na,train\nb,test\n", r"no row of .* is in \['validation'\] by its column 'split'"),
        (
            "file,split,patient_id\na,train,7\nb,test,7\nc,validation,8\n",
            r"1 of 3 rows .*\n  line 3: patient '7' is in 'test' here and in 'train' in line 2",
        ),
        (
            "file,split,patient_id\na,train,7\nb,test,7.0\nc,validation,8\n",
            r"line 3: patient '7' is in 'test' here and in 'train' in line 2",
        ),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    names = ["A"] if text.startswith("file;") else []
    with pytest.raises(ValueError, match=message):
        read_recordings_table(write(tmp_path, text), class_names=names)


def test_columns_of_other_use_are_no_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--class_names names \['sex'\], which .* uses otherwise"):
        read_recordings_table(write(tmp_path, "file,sex\na,\n"), class_names=["sex"])


def test_only_the_first_twenty_lines_are_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"25 of 25 rows (.|\n)*line 21: (.|\n)*and 5 more$"):
        read_recordings_table(write(tmp_path, "file,A\n" + "".join(f"f{k},x\n" for k in range(25))))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes(b"file,\xff\n")
    with pytest.raises(ValueError, match=r"recordings.csv is no CSV table in UTF-8"):
        read_recordings_table(path)
