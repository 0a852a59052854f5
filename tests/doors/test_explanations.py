"""Door of the explanations: what is written is read, and each broken invariant is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.explanations import ARRAYS, CASES, COLUMNS, read_explanations, write_explanations
from codeii.artifacts.manifest import IntegrityError

ROWS = [
    ("missed", "NA", "007", 1 / 3, 0.5, "007 MI", "", 0.01, 0.4),
    ("called rightly", "r2", "MI", 0.9, 0.5, *[""] * 2, 0.0, np.nan),
]
SIGNAL = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 7


def write(folder: Path, rows: Any = ROWS, signal: np.ndarray = SIGNAL, attribution: np.ndarray = -SIGNAL) -> Path:
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {"bound": 0.7}, "synthetic": True}
    return write_explanations(folder, pd.DataFrame(rows, columns=list(COLUMNS)), signal, attribution, **made)


def test_cases_and_arrays_come_back_whole_and_names_stay_text(tmp_path: Path) -> None:
    found = read_explanations(write(tmp_path))
    pd.testing.assert_frame_equal(found.cases, pd.DataFrame(ROWS, columns=list(COLUMNS)), check_exact=True)
    np.testing.assert_array_equal(found.signal, SIGNAL)
    np.testing.assert_array_equal(found.attribution, -SIGNAL)


@pytest.mark.parametrize("name", [CASES, ARRAYS])
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        read_explanations(manifest)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": SIGNAL[:1]}, "2 cases have signals"),
        ({"attribution": SIGNAL * np.nan}, "not finite"),
        ({"rows": [("maybe", *ROWS[0][1:]), ROWS[1]]}, "a case is 'maybe'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, **changes)
