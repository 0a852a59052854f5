"""The physiology tables of `synthetic/physiology`: what is known of leads, QRS shapes and territories, as data."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from codeii.schema.leads import EIGHT

TABLES = Path(__file__).with_name("physiology")


@dataclass(frozen=True, slots=True)
class QrsShape:
    """One way the ventricles activate: a sum of Gaussian heart vectors (x left, y foot, z back)."""

    peak_s: np.ndarray  # (part,) after the start of QRS
    width_s: np.ndarray  # (part,) standard deviation
    vector_mv: np.ndarray  # (part, 3)
    turns: np.ndarray  # (part,) how far the part follows the heart's own axis, 0 to 1
    duration_s: float


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of `physiology/<name>.csv`; lines that start with `#` are comments.

    Raises ValueError on an unknown table or on a row with a missing or surplus cell.
    """
    path = TABLES / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TABLES.glob("*.csv")))
        raise ValueError(f"table {name!r} does not exist; there are {known}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"{path.name}: data row {number} has a missing or surplus cell: {row}")
    return rows


def _frozen(values: object) -> np.ndarray:
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


@cache
def lead_field() -> np.ndarray:
    """(8, 3) voltage of each of `EIGHT` per unit heart vector: Dower, Machado and Osborne 1980."""
    rows = {row["lead"]: [float(row[axis]) for axis in "xyz"] for row in read_rows("lead_field")}
    return _frozen([rows[lead] for lead in EIGHT])


@cache
def qrs_shapes() -> Mapping[str, QrsShape]:
    """Every shape of `qrs_shapes.csv` by name."""
    rows = read_rows("qrs_shapes")
    shapes = {}
    for name in dict.fromkeys(row["shape"] for row in rows):
        parts = [row for row in rows if row["shape"] == name]
        peak, width = (_frozen([float(row[key]) / 1000 for row in parts]) for key in ("peak_ms", "width_ms"))
        vector = _frozen([[float(row[axis]) for axis in "xyz"] for row in parts])
        turns = _frozen([float(row["turns"]) for row in parts])
        shapes[name] = QrsShape(peak, width, vector, turns, float((peak + 2.2 * width).max()))
    return MappingProxyType(shapes)


@cache
def patterns() -> Mapping[str, np.ndarray]:
    """(8,) weights of each territory or wave of `patterns.csv` over `EIGHT`, by name."""
    return MappingProxyType(
        {row["pattern"]: _frozen([float(row[lead]) for lead in EIGHT]) for row in read_rows("patterns")}
    )


@cache
def lead_swaps() -> Mapping[str, np.ndarray]:
    """(8, 8) matrix that turns the eight leads into those of misplaced electrodes or a mirrored heart, by name."""
    rows = read_rows("lead_swaps")
    names = dict.fromkeys(row["swap"] for row in rows)
    of = {(row["swap"], row["lead"]): [float(row[lead]) for lead in EIGHT] for row in rows}
    return MappingProxyType({name: _frozen([of[name, lead] for lead in EIGHT]) for name in names})
