"""Tables of metadata: damage is named with file and line, cells mean one thing."""

import math
from pathlib import Path

import pytest

from codeii.formats.table import column_names, read_table, sex_of, truth_of, whole_number_of, years_of
from codeii.formats.tracing import appearance, within
from codeii.schema.record import RecordFault


def rows_of(path: Path, *columns: str) -> list[dict[str, str]]:
    return list(read_table(path, columns, "fetch it"))


def test_rows_come_as_text_with_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffid,report\n1,"a, ""b""\nc"\n2,ärztlich\n', encoding="utf-8")
    assert rows_of(path, "id") == [{"id": "1", "report": 'a, "b"\nc'}, {"id": "2", "report": "ärztlich"}]
    assert column_names(path, "fetch it") == ["id", "report"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "column id is missing; the file has no header line"),
        (b"name,age\n1,2\n", "column id is missing; the file has name, age"),
        (b"id,age\n1,2\n3\n", "line 3: 1 cells, the header line has 2"),
        (b"id,age\n1,2\n3,4,5\n", "line 3: 3 cells"),
        (b'id,age\n1,"2', "not a CSV table"),
        (b"id,age\n1,\xff\n", "not UTF-8"),
        (b"id\n" + b"x" * 1_000_001, "a line is longer"),
    ],
)
def test_a_damaged_table_is_named_with_its_fault(tmp_path: Path, raw: bytes, words: str) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    with pytest.raises(ValueError, match=r"t\.csv") as caught:
        rows_of(tmp_path / "t.csv", "id")
    assert words in str(caught.value)


def test_an_absent_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"t\.csv is not there; fetch it"):
        rows_of(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"t\.csv is not there; fetch it"):
        column_names(tmp_path / "t.csv", "fetch it")


@pytest.mark.parametrize(("text", "years"), [("56.0", 56.0), ("0", 0.0), (" 104 ", 104.0)])
def test_an_age_is_read(text: str, years: float) -> None:
    assert years_of(text) == (years, ())


@pytest.mark.parametrize("text", ["", "NaN", "-1", "300", "inf", "57Y"])
def test_what_is_no_age_is_unknown_and_flagged(text: str) -> None:
    years, flags = years_of(text)
    assert math.isnan(years)
    assert flags == ("age_unknown",)


def test_sex_has_many_spellings_and_an_unknown_one_is_unknown() -> None:
    assert [sex_of(text) for text in ("Male", "F", " female", "m", "", "Unknown", "0")] == [
        "male", "female", "female", "male", "unknown", "unknown", "unknown",
    ]  # fmt: skip


def test_truths_and_whole_numbers_are_read_or_refused() -> None:
    assert [truth_of(text, "x") for text in ("1", "True", "0.0", "FALSE")] == [True, True, False, False]
    assert [whole_number_of(text, "x") for text in ("15709.0", "7")] == [15709, 7]
    for bad in ("", "2", "yes", "nan"):
        with pytest.raises(RecordFault, match="x: found"):
            truth_of(bad, "x")
    for bad in ("", "1.5", "nan", "inf", "seven"):
        with pytest.raises(RecordFault, match="x: found"):
            whole_number_of(bad, "x")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../../b", "~/a", "..\\a", "C:\\a", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordFault):
        within(tmp_path, name)


def test_a_name_below_the_folder_is_kept(tmp_path: Path) -> None:
    assert within(tmp_path, "records/7_1") == tmp_path / "records" / "7_1"


def test_bytes_are_described() -> None:
    assert appearance(b"") == "an empty file"
    assert appearance(b"\n <!DOCTYPE html>") == "a web page"
    assert appearance(b"\x01\x02") == "bytes b'\\x01\\x02'"
