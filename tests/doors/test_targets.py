"""The door of the targets: what goes in comes out, and nothing else goes through."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.manifest import IntegrityError, read_manifest, write_manifest
from codeii.artifacts.targets import ID_COLUMNS, TARGETS, Targets, read_targets, write_targets

MATRIX = np.array([[1, 0], [0, 1], [0, 0]], np.uint8)


def ids(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "record_id": ["r1", "r2", "r3"],
            "exam_id": ["e1", "e2", "e3"],
            "patient_id": ["p1", "p2", "p3"],
            "split": ["train", "validation", "test"],
            "age_years": [60.0, np.nan, 18.0],
            "sex": ["male", "female", "unknown"],
        }
    )
    return table.assign(**changes)


def write(folder: Path, table: pd.DataFrame, matrix: np.ndarray = MATRIX) -> Path:
    return write_targets(
        folder, table, matrix, ["AF", "SR"], settings={}, code="c", inputs=[], facts={"source": "x"}, synthetic=True
    )


def alter(manifest: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Change targets.parquet and sign it again, as a faulty writer would."""
    folder, old = manifest.parent, read_manifest(manifest, "targets")
    change(pd.read_parquet(folder / TARGETS)).to_parquet(folder / TARGETS, index=False)
    return write_manifest(
        folder, "targets", files=[TARGETS], settings={}, code="c", inputs=[], facts=old.facts, synthetic=True
    )


def test_targets_come_back_as_they_were(tmp_path: Path) -> None:
    targets = read_targets(write(tmp_path, ids()))
    assert isinstance(targets, Targets) and targets.classes == ("AF", "SR")
    np.testing.assert_array_equal(targets.table[["AF", "SR"]].to_numpy(), MATRIX)
    pd.testing.assert_frame_equal(targets.table[list(ID_COLUMNS)], ids())
    np.testing.assert_array_equal(targets.matrix("validation"), [[0, 1]])
    assert targets.of("test")["record_id"].tolist() == ["r3"]


def test_positives_and_records_are_counted_by_split(tmp_path: Path) -> None:
    facts = read_targets(write(tmp_path, ids())).manifest.facts
    assert facts["positives"]["train"] == {"AF": 1, "SR": 0}
    assert facts["records"] == {"train": 1, "validation": 1, "test": 1} and facts["source"] == "x"


@pytest.mark.parametrize(
    ("table", "matrix", "message"),
    [
        (ids(record_id="r1"), MATRIX, "record_id 'r1' occurs twice"),
        (ids(split="valid"), MATRIX, r"split \['valid'\] is not one of"),
        (ids(patient_id=["p", "p", "q"]), MATRIX, "patient 'p' is in more than one split"),
        (ids(), MATRIX * 2, "values other than 0 and 1"),
    ],
)
def test_targets_that_break_the_form_are_not_written(
    tmp_path: Path, table: pd.DataFrame, matrix: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, table, matrix)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"AF": "SR", "SR": "AF"}), "class columns differ from the manifest's label set"),
        (lambda t: t.drop(columns="SR"), "class columns differ"),
        (lambda t: t.drop(columns="sex"), "targets have columns"),
        (lambda t: t.drop(columns="first_class"), r"targets have columns.*; make them again"),
        (lambda t: t.assign(first_class="AF"), "record 'r2' has first_class 'AF', which is no class of it"),
        (lambda t: t.assign(AF=2), "values other than 0 and 1"),
        (lambda t: t.assign(split=""), r"split \[''\] is not one of"),
        (lambda t: t.assign(record_id="r1"), "occurs twice"),
        (lambda t: t.assign(patient_id="p"), "in more than one split"),
    ],
)
def test_targets_that_break_the_form_are_not_read(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    manifest = alter(write(tmp_path, ids()), change)
    with pytest.raises(ValueError, match=message):
        read_targets(manifest)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    manifest = write(tmp_path, ids())
    content = bytearray((tmp_path / TARGETS).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / TARGETS).write_bytes(content)
    with pytest.raises(IntegrityError, match=r"targets\.parquet: content changed"):
        read_targets(manifest)


def test_the_first_class_of_a_record_is_kept(tmp_path: Path) -> None:
    both = np.array([[1, 1], [0, 1], [0, 0]], np.uint8)
    said: dict[str, object] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    path = write_targets(tmp_path, ids(), both, ["AF", "SR"], first_class=["SR", "SR", ""], **said)
    assert read_targets(path).table["first_class"].tolist() == ["SR", "SR", ""]
    assert read_targets(path).classes == ("AF", "SR")


def test_the_first_class_of_a_record_with_one_is_that_one(tmp_path: Path) -> None:
    both = np.array([[1, 1], [0, 1], [0, 0]], np.uint8)
    assert read_targets(write(tmp_path, ids(), both)).table["first_class"].tolist() == ["", "SR", ""]


@pytest.mark.parametrize("first", ["SR", "other", "record_id"])
def test_a_first_class_that_the_record_does_not_have_is_refused(tmp_path: Path, first: str) -> None:
    said: dict[str, object] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    with pytest.raises(ValueError, match=f"record 'r1' has first_class '{first}', which is no class of it"):
        write_targets(tmp_path, ids(), MATRIX, ["AF", "SR"], first_class=[first, "SR", ""], **said)
    assert list(tmp_path.iterdir()) == []
