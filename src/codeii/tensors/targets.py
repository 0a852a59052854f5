"""Makes the targets of one task: the split of every patient and the 0/1 truth of every exam."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.record_store import read_record_store
from codeii.artifacts.targets import ID_COLUMNS, write_targets
from codeii.schema.labels import LabelSet, label_set_file, read_label_set, to_targets
from codeii.schema.params import FoldSplit, HashedSplit, Task
from codeii.schema.splits import SPLITS, split_by_fold, split_by_patient

UNMAPPED_SHOWN = 20

Statements = Mapping[str, float | None]


def build_targets(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Decide split and classes by exam, give them to all its tracings, and write the targets to `folder`.

    records : manifest of the record store
    settings : `task` (fields of `Task`) and `label_set_sha256` (of the label set's file, so that an edit is noticed)

    Raises ValueError when the label set is not the one asked for, the tracings of an exam disagree about patient or
    fold, or a split that the task names gets no record.
    """
    task = Task.model_validate(settings["task"])
    label_set = _label_set(task.label_set, str(settings["label_set_sha256"]))
    store = read_record_store(records)
    exams, statements = exams_of(store.records, store.statements())
    matrix = to_targets(label_set, statements)
    split = np.array(splits_of(exams, matrix, task.splits), dtype=object)
    labelled = matrix.any(axis=1) | (task.unlabelled_records == "keep")
    kept = (split != "") & labelled
    row_of_exam = exams.index.get_indexer(pd.Index(store.records["exam_id"]))
    ids = store.records.assign(split=split[row_of_exam])[list(ID_COLUMNS)]
    rows = np.flatnonzero(kept[row_of_exam])
    _refuse_empty_split(task, set(ids["split"].iloc[rows]), exams["fold"])
    _refuse_empty_classes(task, matrix[kept & (split == "train")], statements)
    facts = {
        "source": task.source,
        "dropped_records": {
            "no_split": int((split == "")[row_of_exam].sum()),
            "unlabelled": int(((split != "") & ~labelled)[row_of_exam].sum()),
        },
        "exams": {name: int((kept & (split == name)).sum()) for name in SPLITS},
        "patients": {name: int(exams["patient_id"][kept & (split == name)].nunique()) for name in SPLITS},
        "unmapped_statements": unmapped(label_set, statements, split != ""),
    }
    write_targets(
        folder,
        ids.iloc[rows].reset_index(drop=True),
        matrix[row_of_exam[rows]],
        label_set.classes,
        settings=settings,
        code=code,
        inputs=[records],
        facts=facts,
        synthetic=store.manifest.synthetic,
    )


def exams_of(records: pd.DataFrame, statements: Iterable[Statements]) -> tuple[pd.DataFrame, list[Statements]]:
    """Patient and fold of each exam (indexed by exam_id, in order of appearance), and the statements of its tracings.

    Raises ValueError when the tracings of an exam name two patients or two folds.
    """
    for column in ("patient_id", "fold"):
        values = records.groupby("exam_id", sort=False)[column].nunique()
        if (values > 1).any():
            exam_id = values.index[values > 1][0]
            found = sorted(set(records[column][records["exam_id"] == exam_id]))
            raise ValueError(f"exam {exam_id!r} has {column} {', '.join(map(repr, found))}; an exam has one")
    union: dict[str, dict[str, float | None]] = {}
    for exam_id, of_record in zip(records["exam_id"], statements, strict=True):
        union.setdefault(exam_id, {}).update(of_record)
    exams = records.drop_duplicates("exam_id").set_index("exam_id")[["patient_id", "fold"]]
    return exams, [union[exam_id] for exam_id in exams.index]


def splits_of(exams: pd.DataFrame, matrix: np.ndarray, policy: FoldSplit | HashedSplit) -> list[str]:
    """Split of each exam, "" for none: by the source's fold, or by our stratified split of patients.

    exams : `patient_id` and `fold` of each; matrix : (exam, class) 0/1, for the strata of our own draws.
    Where the policy names no validation fold, validation is drawn from the patients of the training folds.
    Raises ValueError when shares do not sum to 1 or a fold is in two splits.
    """
    patients = exams["patient_id"].tolist()
    if isinstance(policy, HashedSplit):
        shares = {str(name): policy.shares[name] for name in SPLITS if name in policy.shares}
        if abs(sum(shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares of the splits are {shares}; they must sum to 1")
        return split_by_patient(patients, matrix, shares, policy.seed)
    table = {"train": policy.train, "validation": policy.validation, "test": policy.test}
    twice = [fold for fold, count in Counter(fold for folds in table.values() for fold in folds).items() if count > 1]
    if twice:
        raise ValueError(f"fold {', '.join(map(repr, twice))} is named more than once in {table}")
    splits = split_by_fold(exams["fold"].tolist(), table)
    return splits if policy.validation else _draw_validation(splits, patients, matrix, policy)


def _draw_validation(splits: list[str], patients: list[str], matrix: np.ndarray, policy: FoldSplit) -> list[str]:
    training = [row for row, split in enumerate(splits) if split == "train"]
    if not training:
        return splits
    shares = {"train": 1 - policy.validation_share, "validation": policy.validation_share}
    drawn = split_by_patient([patients[row] for row in training], matrix[training], shares, policy.seed)
    out = list(splits)
    for row, split in zip(training, drawn, strict=True):
        out[row] = split
    return out


def unmapped(label_set: LabelSet, statements: Sequence[Statements], counted: np.ndarray) -> dict[str, int]:
    """The most frequent statements that no class of the label set knows, with the number of exams that bear them."""
    rows = (row for row, count in zip(statements, counted, strict=True) if count)
    found = Counter(name for row in rows for name in row if name not in label_set.classes_of)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:UNMAPPED_SHOWN])


def _label_set(name: str, sha256: str) -> LabelSet:
    label_set = read_label_set(name)
    found = sha256_of(label_set_file(name))
    if found != sha256:
        raise ValueError(f"label set {name!r} has sha256 {found}, the settings ask for {sha256}; start the study again")
    return label_set


def _refuse_empty_classes(task: Task, training: np.ndarray, statements: Sequence[Statements]) -> None:
    """Targets that are all zero are a label set that does not belong to the source, not a task."""
    if not training.any():
        found = sorted({name for row in statements for name in row})
        raise ValueError(
            f"no training exam of {task.source} has a class of {task.label_set}; "
            f"the source's statements are {', '.join(found[:UNMAPPED_SHOWN]) or 'none'}"
        )


def _refuse_empty_split(task: Task, filled: set[str], folds: pd.Series) -> None:
    named = task.splits.shares if isinstance(task.splits, HashedSplit) else SPLITS
    empty = [name for name in SPLITS if name in named and name not in filled]
    if empty:
        present = ", ".join(sorted(set(folds))) or "none"
        raise ValueError(
            f"no record of {task.source} with a class of {task.label_set} is in split {', '.join(empty)}; "
            f"splits are {task.splits.model_dump()}, the folds of the records present are {present}"
        )
