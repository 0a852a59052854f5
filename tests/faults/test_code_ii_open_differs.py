"""CODE-II-open absent, partial, or with other columns than declared: the difference is named, never a KeyError."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.schema.record import Exclusion, Record
from codeii.sources.code_ii_open import read_records
from codeii.synthetic.declared_files import statement_names
from codeii.synthetic.population import population
from codeii.synthetic.writers.code_ii_open import write

LAYOUT = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())["sources"]["code_ii_open"]["layout"]
CLASSES = statement_names("code_ii_open")
STRICT = LAYOUT | {"statements": {"after": "tracings", "columns": list(CLASSES)}}
EXAMS = 8


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up release with nothing wrong in it."""
    folder = tmp_path_factory.mktemp("open")
    write(population("code_ii_open", EXAMS, 1), folder, {}, {"layout": LAYOUT})
    return folder


def changed(release: Path, tmp_path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> Path:
    """A copy of the release with another table."""
    folder = tmp_path / "copy"
    shutil.copytree(release, folder)
    with (folder / "exams.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with (folder / "exams.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(change(rows))
    return folder


def read(folder: Path, layout: dict[str, Any] = LAYOUT) -> list[Record | Exclusion]:
    return list(read_records(folder, layout))


def renamed(old: str, new: str) -> Callable[[list[list[str]]], list[list[str]]]:
    return lambda rows: [[new if name == old else name for name in rows[0]], *rows[1:]]


def with_column(name: str) -> Callable[[list[list[str]]], list[list[str]]]:
    return lambda rows: [[*rows[0], name], *([*row, "0"] for row in rows[1:])]


def test_the_release_as_declared_is_read_in_both_ways_to_declare_its_classes(release: Path) -> None:
    found = read(release)
    assert found and all(isinstance(item, Record) for item in found)
    assert [item.record_id for item in read(release, STRICT)] == [item.record_id for item in found]


def test_an_extra_class_is_a_difference_in_both_ways(release: Path, tmp_path: Path) -> None:
    folder = changed(release, tmp_path, with_column("NEW_CLASS"))
    with pytest.raises(ValueError, match=r"expected 66 classes right of 'tracings', found 67 columns \(.* NEW_CLASS\)"):
        read(folder)
    with pytest.raises(ValueError, match=r"found 'NEW_CLASS' right of 'tracings', which is not declared"):
        read(folder, STRICT)


def test_a_missing_class_is_a_difference_in_both_ways(release: Path, tmp_path: Path) -> None:
    folder = changed(release, tmp_path, lambda rows: [row[:-1] for row in rows])
    with pytest.raises(ValueError, match="expected 66 classes right of 'tracings', found 65 columns"):
        read(folder)
    with pytest.raises(ValueError, match=rf"statements.columns: expected column '{CLASSES[-1]}', found none"):
        read(folder, STRICT)


def test_a_renamed_class_is_named_with_what_it_may_have_become(release: Path, tmp_path: Path) -> None:
    folder = changed(release, tmp_path, renamed("LBBB", "LBBB_"))
    with pytest.raises(ValueError, match=r"expected column 'LBBB', found none \(was it renamed to 'LBBB_'\?\)"):
        read(folder, STRICT)


@pytest.mark.parametrize("column", [name for name in LAYOUT["columns"].values() if name])
def test_a_renamed_column_is_named_with_its_key(release: Path, tmp_path: Path, column: str) -> None:
    folder = changed(release, tmp_path, renamed(column, f"{column}_v2"))
    sentence = rf"columns\.{column}: expected column '{column}', found none \(was it renamed to '{column}_v2'\?\)"
    with pytest.raises(ValueError, match=sentence) as caught:
        read(folder)
    assert "exams.csv is not as sources.code_ii_open.layout declares it" in str(caught.value)


def test_several_differences_are_told_at_once(release: Path, tmp_path: Path) -> None:
    folder = changed(release, tmp_path, lambda rows: renamed("age", "years")(renamed("sex", "gender")(rows)))
    with pytest.raises(ValueError, match=r"columns\.age: expected .*; columns\.sex: expected"):
        read(folder)


def test_a_column_that_is_there_twice_is_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column 'LBBB': expected once, found 2 times"):
        read(changed(release, tmp_path, with_column("LBBB")))


def test_a_part_of_the_release_is_read_and_what_is_missing_is_absent(release: Path, tmp_path: Path) -> None:
    folder = changed(release, tmp_path, lambda rows: rows)
    gone = sorted((folder / "records").glob("*_1.hea"))[:3]
    for header in gone:
        header.unlink()
    found = read(folder)
    reasons = Counter(item.reason for item in found if isinstance(item, Exclusion))
    assert reasons == {"absent": 3}
    assert len(found) == len(read(release))
    shorter = changed(release, tmp_path / "rows", lambda rows: rows[: 1 + EXAMS // 2])
    assert {item.exam_id for item in read(shorter) if isinstance(item, Record)} < {
        item.exam_id for item in read(release) if isinstance(item, Record)
    }


def test_a_release_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"exams\.csv is not there; fetch the source"):
        read(tmp_path)


HEADER = [*[name for name in LAYOUT["columns"].values() if name], "STEMI", "LBBB"]
SMALL = deepcopy(LAYOUT) | {"statements": {"after": "tracings", "columns": ["STEMI", "LBBB"]}}


@settings(max_examples=80)
@given(
    header=st.lists(st.sampled_from([*HEADER, "new", "", " age", "AGE"]), max_size=10),
    cells=st.lists(st.sampled_from(["", "1", "0", "x", "-1", "2.5"]), min_size=10, max_size=10),
)
def test_no_table_ends_in_another_error_than_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], cells: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = [",".join(header), ",".join(cells[: len(header)])]
    (folder / "exams.csv").write_text("\n".join(lines) + "\n")
    try:
        found = read(folder, SMALL)
    except ValueError as error:
        assert "exams.csv" in str(error)
    else:
        assert all(isinstance(item, Exclusion) for item in found)
