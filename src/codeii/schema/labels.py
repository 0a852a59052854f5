"""Label sets: the classes a task predicts, and which raw statements mean each."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "label_sets"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Classes in their fixed order, and the classes each raw statement stands for."""

    name: str
    classes: tuple[str, ...]
    classes_of: Mapping[str, tuple[str, ...]]


def label_set_names() -> list[str]:
    """Names of the label sets that exist: one CSV of `label_sets/` each."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def label_set_file(name: str) -> Path:
    """The CSV of a label set. Raises ValueError on a name that has none, with those that exist."""
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"label set {name!r} does not exist; there are {', '.join(label_set_names())}")
    return path


def read_label_set(name: str) -> LabelSet:
    """Read `label_sets/<name>.csv` (columns `statement,class`; class order is that of first appearance).

    Raises ValueError on an unknown name, a missing column, an empty cell or a row given twice.
    """
    path = label_set_file(name)
    classes_of: dict[str, tuple[str, ...]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not {"statement", "class"} <= set(reader.fieldnames):
            raise ValueError(f"{path.name}: columns {reader.fieldnames}, expected statement,class")
        for row in reader:
            statement, of_class = row["statement"].strip(), row["class"].strip()
            if not statement or not of_class or of_class in classes_of.get(statement, ()):
                raise ValueError(f"{path.name} line {reader.line_num}: empty cell or row given twice: {row}")
            classes_of[statement] = (*classes_of.get(statement, ()), of_class)
    classes = tuple(dict.fromkeys(name for names in classes_of.values() for name in names))
    return LabelSet(name, classes, classes_of)


def classes_hash(classes: Iterable[str]) -> str:
    """Short hash of the class names in their order; equal only when columns mean the same."""
    return hashlib.sha256("\n".join(classes).encode()).hexdigest()[:16]


def to_targets(label_set: LabelSet, statements: Iterable[Mapping[str, object]]) -> np.ndarray:
    """(record, class) uint8 of 0 and 1. A statement counts whatever its likelihood; unknown ones give no class."""
    column = {name: index for index, name in enumerate(label_set.classes)}
    rows = list(statements)
    targets = np.zeros((len(rows), len(label_set.classes)), np.uint8)
    for index, row in enumerate(rows):
        for statement in row:
            for name in label_set.classes_of.get(statement, ()):
                targets[index, column[name]] = 1
    return targets


def first_classes(label_set: LabelSet, statements: Iterable[Mapping[str, object]]) -> list[str]:
    """The class that each record's statements name first, "" where they name none of the label set."""
    return [
        next((name for statement in row for name in label_set.classes_of.get(statement, ())), "") for row in statements
    ]
