"""Door of the analyses: what is written is read, and each broken invariant is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scores import analyses

from codeii.artifacts.analyses import COLUMNS, read_analyses
from codeii.artifacts.manifest import IntegrityError

MADE: dict[str, Any] = {"code": "c", "inputs": [], "synthetic": True}
ARM = ("transfer", "m", "scratch", 1.0, 0, "ensemble")
NAN = float("nan")
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "calibration": [(*ARM, "as trained", "NA", 0, 12, 4, 1 / 3, 0.3, 0.1, 0.5)],
    "recalibration": [(*ARM, 1.5, "brier", 0.2, 0.1, -0.1, -0.2, 0.0, 40)],
    "subgroups": [
        (*ARM, "sex", "female", "auroc", "macro", 0.8, 0.7, 0.9, 20, 19, 5, 2, 0.1, -0.1, 0.2, 2, ""),
        (*ARM, "age", "unknown", "auroc", "macro", NAN, NAN, NAN, 2, 2, 0, 0, NAN, NAN, NAN, 0, "2 exams"),
    ],
    "confusion": [(*ARM, "NA", "MI", 10, 3, 0.3, 20, 1, 0.05)],
}


def test_every_table_comes_back_to_the_last_digit_and_a_class_may_be_called_na(tmp_path: Path) -> None:
    found = read_analyses(analyses(tmp_path, ROWS, **MADE))
    for name, columns in COLUMNS.items():
        for at, said in enumerate(ROWS[name]):
            row = getattr(found, name).iloc[at]
            for column, value in zip(columns, said, strict=True):
                assert row[column] == value or (np.isnan(value) and np.isnan(row[column])), (name, column)
    assert found.manifest.synthetic


@pytest.mark.parametrize("name", COLUMNS)
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    manifest = analyses(tmp_path, ROWS, **MADE)
    path = tmp_path / f"{name}.csv"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        read_analyses(manifest)


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("calibration", "observed", 1.2, r"a share of calibration lies outside \[0, 1\]"),
        ("confusion", "elsewhere", -0.1, r"a share of confusion lies outside \[0, 1\]"),
        ("recalibration", "temperature", 0.0, "a temperature is not above 0"),
        ("subgroups", "value", NAN, "a group has no score and no reason why"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, table: str, column: str, value: float, message: str) -> None:
    row = list(ROWS[table][0])
    row[COLUMNS[table].index(column)] = value
    with pytest.raises(ValueError, match=message):
        analyses(tmp_path, ROWS | {table: [tuple(row)]}, **MADE)
