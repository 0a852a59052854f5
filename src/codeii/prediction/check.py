"""Checks a predictions file for a blind test against its card and the exams of the test set, and names every fault."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.submission import EXAM_ID, SubmissionCard

SHOWN = 3  # names a fault gives as examples
FEW_VALUES = 0.05  # of the exams; a class with fewer distinct probabilities was rounded


def check_file(path: Path, card: SubmissionCard, exam_ids: Sequence[str] | None) -> list[str]:
    """What a checked predictions file is, in sentences; what is odd but no fault among them.

    Raises ValueError with every fault, one on a line.
    """
    if faults := faults_of(path, card, exam_ids):
        raise ValueError("\n  ".join([f"{path}: {len(faults)} faults", *faults]))
    said = [f"{path}: {card.exams:,} exams, {len(card.classes)} classes (order {card.classes_hash}), no fault"]
    if exam_ids is None:
        said.append(f"The exams of {card.source} are not here: their ids were not checked; name a CSV with --exams")
    if coarse := coarse_classes(pd.read_csv(path), card.classes):
        said.append(f"{_named(coarse)} classes have few distinct probabilities: rounded ones lose ranks in ties")
    if card.synthetic:
        said.append("SYNTHETIC DATA: this file is no answer to the blind test")
    return said


def exams_at_hand(file: Path | None, card: SubmissionCard) -> list[str] | None:
    """The exams of the test set: from a CSV, else from the records of it that a study made here, else None.

    Raises ValueError where the CSV has no column exam_id, and OSError where it is absent.
    """
    records = Path("results/records") / card.source / "records.parquet"
    if file is None:
        return sorted(set(pd.read_parquet(records, columns=[EXAM_ID])[EXAM_ID])) if records.is_file() else None
    table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if EXAM_ID not in table:
        raise ValueError(f"{file}: columns are {list(table)[:5]}, expected {EXAM_ID}")
    return table[EXAM_ID].tolist()


def faults_of(path: Path, card: SubmissionCard, exam_ids: Iterable[str] | None) -> list[str]:
    """Everything that is wrong with a predictions file, one sentence each; an empty list where nothing is.

    exam_ids : the exams of the test set; None where they are not at hand, and then they are not checked.
    """
    found = read_rows(path)
    if isinstance(found, str):
        return [found]
    columns, table = found
    faults = _of_columns(columns, card)
    if sha256_of(path) != card.predictions_sha256:
        said = f"the file's sha256 is {sha256_of(path)[:16]}..., its card speaks of {card.predictions_sha256[:16]}..."
        faults.append(f"these are not the predictions of the card ({said}): another model's file, or edited since")
    if EXAM_ID in table:
        faults += _of_exams(table[EXAM_ID].tolist(), card, exam_ids)
    for name in columns[1:]:
        faults += _of_probabilities(name, table[name])
    return faults


def read_rows(path: Path) -> tuple[list[str], pd.DataFrame] | str:
    """Columns and rows of a CSV as text, or the sentence that says why it is none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns = next(csv.reader(file), [])
        if twice := [name for name, count in Counter(columns).items() if count > 1]:
            return f"columns {_named(twice)} occur more than once"
        return columns, pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        return f"not a CSV file in UTF-8, with a comma between the columns: {error}"


def coarse_classes(table: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Classes whose probabilities have so few distinct values that they were rounded: ranks are lost in ties."""
    return [name for name in classes if table[name].nunique() < FEW_VALUES * len(table)]


def _of_columns(columns: Sequence[str], card: SubmissionCard) -> list[str]:
    wanted = [EXAM_ID, *card.classes]
    if list(columns) == wanted:
        return []
    lacking = [name for name in wanted if name not in columns]
    unknown = [name for name in columns if name not in wanted]
    if lacking or unknown:
        return [f"columns: {_named(lacking)} missing, {_named(unknown)} not known"]
    at = next(place for place, (one, other) in enumerate(zip(columns, wanted, strict=True)) if one != other)
    return [f"columns are in another order: number {at + 1} is {columns[at]!r}, expected {wanted[at]!r}"]


def _of_exams(found: Sequence[str], card: SubmissionCard, wanted: Iterable[str] | None) -> list[str]:
    faults = []
    if twice := [name for name, count in Counter(found).items() if count > 1]:
        faults.append(f"exams {_named(twice)} are predicted more than once")
    if len(found) != card.exams:
        faults.append(f"{len(found)} rows, the card speaks of {card.exams} exams")
    if wanted is None:
        return faults
    known, given = set(wanted), set(found)
    if missing := known - given:
        faults.append(f"exams {_named(missing)} of the test set are missing")
    if unknown := given - known:
        faults.append(f"exams {_named(unknown)} are not of the test set")
    return faults


def _of_probabilities(name: str, column: pd.Series) -> list[str]:
    """Faults of one class: cells that are no numbers, not finite, or outside [0, 1]."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        cells = [repr(cell) for cell in column[bad].unique()[:SHOWN]]
        return [f"class {name!r}: {int(bad.sum())} cells are no finite number ({', '.join(cells)})"]
    outside = (values < 0) | (values > 1)
    if outside.any():
        span = f"{values.min():g} to {values.max():g}"
        return [
            f"class {name!r}: {int(outside.sum())} values outside [0, 1] ({span}): logits? probabilities are wanted"
        ]
    return []


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    shown = ", ".join(repr(name) for name in ordered[:SHOWN])
    return f"{len(ordered)} ({shown}{', ...' if len(ordered) > SHOWN else ''})" if ordered else "none"
