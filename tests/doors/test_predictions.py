"""The door of the predictions: round trip, and each invariant broken once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.predictions import (
    ensembles_of_set,
    read_predictions,
    runs_of_set,
    write_prediction_set,
    write_predictions,
)

Change = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    records = pd.DataFrame(
        {
            "record_id": ["r1", "r2", "r3"],
            "exam_id": ["e1", "e1", "e2"],
            "split": ["validation", "validation", "test"],
            "a": np.array([1, 3, 5], np.float32),
            "b": np.array([0.1, -0.1, 1e-9], np.float32),
        }
    )
    exams = pd.DataFrame(
        {
            "exam_id": ["e1", "e2"],
            "split": ["validation", "test"],
            "a": np.array([2, 5], np.float32),
            "b": np.array([0, 1e-9], np.float32),
        }
    )
    return records, exams


def written(folder: Path, records: pd.DataFrame, exams: pd.DataFrame) -> Path:
    made = {"settings": {}, "code": "c", "inputs": [], "facts": {"task": "t"}, "synthetic": False}
    return write_predictions(folder, records, exams, **made)


def test_predictions_come_back_bit_for_bit(tmp_path: Path) -> None:
    records, exams = tables()
    predictions = read_predictions(written(tmp_path, records, exams))
    pd.testing.assert_frame_equal(predictions.records, records)
    pd.testing.assert_frame_equal(predictions.exams, exams)
    assert predictions.classes == ("a", "b")
    assert predictions.manifest.facts["records"] == 3
    assert predictions.exam_logits("test").to_dict("index") == {"e2": {"a": 5.0, "b": np.float32(1e-9)}}


def other_class_order(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records, exams[["exam_id", "split", "b", "a"]]


def double_precision(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records.astype({"a": np.float64}), exams


def not_a_number(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records, exams.assign(a=np.array([np.nan, 1], np.float32))


def record_twice(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records.assign(record_id=["r1", "r1", "r3"]), exams


def exam_twice(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records, exams.assign(exam_id=["e1", "e1"])


def exam_missing(records: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return records, exams.iloc[:1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_class_order, "same classes in both tables"),
        (double_precision, "not float32"),
        (not_a_number, "1 logits are not finite; the first is nan of exam_id 'e1', class 'a'"),
        (record_twice, "record_id 'r1' occurs twice"),
        (exam_twice, "exam_id 'e1' occurs twice"),
        (exam_missing, "different exams"),
    ],
)
def test_broken_predictions_are_refused_and_nothing_is_written(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "run", *change(*tables()))
    assert not (tmp_path / "run").exists()


def test_two_swapped_class_columns_are_noticed(tmp_path: Path) -> None:
    manifest = written(tmp_path, *tables())
    swapped = {"a": "b", "b": "a"}
    other = written(tmp_path / "other", *(table.rename(columns=swapped) for table in tables()))
    told = other.read_text().replace('"classes_hash"', '"was"').replace('"task"', '"classes_hash"')
    other.write_text(told)
    with pytest.raises(ValueError, match="not in the checkpoint's order"):
        read_predictions(other)
    assert read_predictions(manifest).classes == ("a", "b")


def test_a_truncated_table_is_noticed(tmp_path: Path) -> None:
    manifest = written(tmp_path, *tables())
    path = tmp_path / "exams.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(IntegrityError, match=r"exams\.parquet: .* bytes, the manifest says"):
        read_predictions(manifest)


def test_ensembles_stand_beside_the_runs_of_a_set(tmp_path: Path) -> None:
    for name in ("a/seed0", "a/seed1", "a/ensemble"):
        written(tmp_path / name, *tables())
    said = {"settings": {}, "code": "c", "inputs": [], "synthetic": False}
    manifest = write_prediction_set(tmp_path, ["a/seed0", "a/seed1"], ensembles=["a/ensemble"], **said)
    assert [path.parent.name for path in runs_of_set(manifest)] == ["seed0", "seed1"]
    assert [path.parent.name for path in ensembles_of_set(manifest)] == ["ensemble"]
    (tmp_path / "a/ensemble/manifest.json").write_text("{}")
    with pytest.raises(IntegrityError, match="ensemble"):
        runs_of_set(manifest)
