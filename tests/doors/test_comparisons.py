"""Door of the comparisons: what is written is read, and each broken invariant is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scores import comparisons

from codeii.artifacts.comparisons import COLUMNS, RESAMPLES, read_comparisons, read_resamples
from codeii.artifacts.manifest import IntegrityError

MADE: dict[str, Any] = {"code": "c", "inputs": [], "synthetic": True}
PAIR = ("transfer", "m", "NA", "transfer", "m", "scratch", 0.1, 0)
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "comparisons": [(*PAIR, "auroc", "macro", 1 / 3, 0.1, 0.4, 0.2, 0.5, 0.02, 0.04, 2, 40, 3, 3)],
    "delong": [(*PAIR, "0", "NA", 0.9, 0.8, 0.1, 0.0, 0.2, 2.0, 0.046, 0.046, 1, 40, 4, 38)],
    "curves": [("transfer", "m", "NA", 0.1, 0, "auroc", "macro", 1 / 3, 0.1, 0.4, 0.1, float("nan"), 1, 40)],
    "fits": [("transfer", "m", "NA", "fraction", "auroc", "macro", "", "", *[float("nan")] * 3, 2, "2 amounts")],
    "efficiency": [("m", "NA", "scratch", 0.1, 0, "auroc", "macro", 3.0, 1.0, 10.0, "", "at most", "", 2)],
}


def test_every_table_comes_back_to_the_last_digit_and_a_start_may_be_called_na(tmp_path: Path) -> None:
    found = read_comparisons(comparisons(tmp_path, "a_task", ROWS, **MADE))
    for name, columns in COLUMNS.items():
        row = getattr(found, name).iloc[0]
        for column, said in zip(columns, ROWS[name][0], strict=True):
            assert row[column] == said or (np.isnan(said) and np.isnan(row[column])), (name, column)
    assert found.manifest.facts["task"] == "a_task" and found.manifest.synthetic


def test_resamples_are_kept_whole(tmp_path: Path) -> None:
    manifest = comparisons(tmp_path, "a_task", **MADE)
    assert (read_resamples(manifest) == np.ones((2, 3), np.uint16)).all()


@pytest.mark.parametrize("name", [*(f"{name}.csv" for name in COLUMNS), RESAMPLES])
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    manifest = comparisons(tmp_path, "a_task", ROWS, **MADE)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        read_comparisons(manifest)


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("comparisons", "p", 1.2, r"a p value of comparisons lies outside \[0, 1\]"),
        ("comparisons", "p_holm", 0.001, "corrected p value of comparisons is smaller"),
        ("delong", "p", -0.1, r"a p value of delong lies outside \[0, 1\]"),
        ("comparisons", "versus", "NA", "compared with itself"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, table: str, column: str, value: Any, message: str) -> None:
    row = list(ROWS[table][0])
    row[COLUMNS[table].index(column)] = value
    with pytest.raises(ValueError, match=message):
        comparisons(tmp_path, "a_task", ROWS | {table: [tuple(row)]}, **MADE)
