"""Door of the targets: who belongs to which split, and the 0/1 truth of every class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest
from codeii.schema.labels import classes_hash
from codeii.schema.splits import SPLITS

TARGETS, DROPPED = "targets.parquet", "dropped.csv"
ID_COLUMNS = ("record_id", "exam_id", "patient_id", "split", "age_years", "sex")
FIRST_CLASS = "first_class"  # the class whose statement comes first in the source; "" where none has or it is unknown
DROPPED_REASONS = ("no_split", "too_short", "unlabelled")  # why a record of the source is no row; the first that holds
BEFORE_CLASSES = (*ID_COLUMNS, FIRST_CLASS)


@dataclass(frozen=True, slots=True)
class Targets:
    """Rows of one task: `table` has `BEFORE_CLASSES`, then one 0/1 column per class in label-set order."""

    manifest: Manifest
    table: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label-set order."""
        return tuple(self.table.columns[len(BEFORE_CLASSES) :])

    def of(self, split: str) -> pd.DataFrame:
        """Rows of one split, in the store's order."""
        return self.table[self.table["split"] == split]

    def matrix(self, split: str) -> np.ndarray:
        """(record, class) uint8 of one split."""
        return self.of(split)[list(self.classes)].to_numpy(np.uint8)


def write_targets(
    folder: Path,
    ids: pd.DataFrame,
    matrix: np.ndarray,
    classes: Iterable[str],
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
    dropped: pd.DataFrame | None = None,
    first_class: Iterable[str] | None = None,
) -> Path:
    """Write the targets of a task with positives per class and split in the manifest. Returns its path.

    ids : one row per record with `ID_COLUMNS`; matrix : (record, class) 0/1; dropped : `record_id` and `reason` (one
    of `DROPPED_REASONS`) of the source's other records, none where it is not given; first_class : of each record, where
    it is not given that of the records with one class.
    """
    names = list(classes)
    columns = pd.DataFrame(matrix.astype(np.uint8), columns=names, index=ids.index)
    first = _only_class(columns) if first_class is None else list(first_class)
    table = pd.concat([ids[list(ID_COLUMNS)].assign(**{FIRST_CLASS: first}), columns], axis=1)
    _check(table)
    _check_first(table)
    positives = {split: table[table["split"] == split][names].sum().astype(int).to_dict() for split in SPLITS}
    counted = {split: int((table["split"] == split).sum()) for split in SPLITS}
    made = {"classes": names, "classes_hash": classes_hash(names), "positives": positives, "records": counted}
    with whole_file(folder / TARGETS) as temporary:
        table.to_parquet(temporary, index=False)
    others = pd.DataFrame(columns=["record_id", "reason"]) if dropped is None else dropped
    with whole_file(folder / DROPPED) as temporary:
        others.to_csv(temporary, index=False, lineterminator="\n")
    return write_manifest(
        folder,
        "targets",
        files=[TARGETS, DROPPED],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, **made},
        synthetic=synthetic,
    )


def read_targets(manifest_path: Path) -> Targets:
    """Verify and read the targets of a task."""
    manifest = read_manifest(manifest_path, "targets")
    table = pd.read_parquet(manifest_path.parent / TARGETS)
    _check(table)
    targets = Targets(manifest, table)
    if classes_hash(targets.classes) != manifest.facts["classes_hash"]:
        raise ValueError(f"{manifest_path.parent}: class columns differ from the manifest's label set")
    _check_first(table)
    return targets


def _check(table: pd.DataFrame) -> None:
    found = list(table.columns[: len(BEFORE_CLASSES)])
    if tuple(found) != BEFORE_CLASSES:
        raise ValueError(f"targets have columns {found}, expected {list(BEFORE_CLASSES)}; make them again")
    if table["record_id"].duplicated().any():
        raise ValueError(f"record_id {table['record_id'][table['record_id'].duplicated()].iat[0]!r} occurs twice")
    odd = set(table["split"]) - set(SPLITS)
    if odd:
        raise ValueError(f"split {sorted(odd)} is not one of {SPLITS}")
    splits_of = table.groupby("patient_id")["split"].nunique()
    if (splits_of > 1).any():
        raise ValueError(f"patient {splits_of.index[splits_of > 1][0]!r} is in more than one split")
    values = table.iloc[:, len(BEFORE_CLASSES) :].to_numpy()
    if not np.isin(values, (0, 1)).all():
        raise ValueError("targets hold values other than 0 and 1")


def _check_first(table: pd.DataFrame) -> None:
    values = table.iloc[:, len(BEFORE_CLASSES) :].to_numpy()
    place = table.columns[len(BEFORE_CLASSES) :].get_indexer(pd.Index(table[FIRST_CLASS]))
    named = (table[FIRST_CLASS] != "").to_numpy()
    wrong = named & ((place < 0) | (values[np.arange(len(table)), place] == 0))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise ValueError(f"record {row['record_id']!r} has first_class {row[FIRST_CLASS]!r}, which is no class of it")


def _only_class(columns: pd.DataFrame) -> np.ndarray:
    """(record,) the class of a record that has one; "" for the others."""
    names = np.array([*columns.columns, ""], object)
    found: np.ndarray = names[np.where(columns.sum(axis=1) == 1, columns.to_numpy().argmax(axis=1), -1)]
    return found
