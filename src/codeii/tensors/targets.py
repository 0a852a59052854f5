"""Makes the targets of one task: the split of every exam, its 0/1 truth, and which records are left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.record_store import read_record_store
from codeii.artifacts.targets import DROPPED_REASONS, ID_COLUMNS, write_targets
from codeii.schema.labels import LabelSet, first_classes, label_set_file, read_label_set, to_targets
from codeii.schema.params import PublishedSplit, Task
from codeii.schema.split_lists import SplitList, read_split_list, split_list_file
from codeii.schema.splits import SPLITS, split_hash
from codeii.tensors.splitting import listed_splits_of, named_splits, protocol_words, split_words, splits_of

UNMAPPED_SHOWN = 20

Statements = Mapping[str, float | None]


def build_targets(records: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Decide split and classes by exam, give them to all its tracings, and write the targets to `folder`.

    records : manifest of the record store
    settings : `task` (fields of `Task`), `label_set_sha256` and, for a published split, `split_list_sha256` (of the
        files, so that an edit is noticed), and `version` of the source, for the words beside the scores

    Raises ValueError when the label set or list is not the one asked for, the tracings of an exam disagree about
    patient or fold, or a split that the task names gets no record.
    """
    task = Task.model_validate(settings["task"])
    label_set = _label_set(task.label_set, str(settings["label_set_sha256"]))
    published = _split_list(task, settings)
    store = read_record_store(records)
    exams, statements = exams_of(store.records, store.statements())
    matrix = to_targets(label_set, statements)
    split = np.array(_splits(task, exams, store.records, matrix, published), dtype=object)
    row_of_exam = exams.index.get_indexer(pd.Index(store.records["exam_id"]))
    table = store.records.assign(split=split[row_of_exam])
    table["reason"] = _reasons(task, table, np.asarray(matrix.any(axis=1))[row_of_exam])
    rows = np.flatnonzero(table["reason"] == "")
    # by name: neither the order on disk nor the number of shards decides in which order a network learns
    rows = rows[np.argsort(table["record_id"].to_numpy(object)[rows], kind="stable")]
    kept = table.iloc[rows]
    _refuse_empty_split(task, set(kept["split"]), exams["fold"])
    _refuse_empty_classes(task, matrix[row_of_exam[rows]][kept["split"] == "train"], statements)
    words, digest = split_words(task.splits, published), split_hash(list(kept["record_id"]), list(kept["split"]))
    facts = {
        "source": task.source,
        **_counts(table, kept),
        "unmapped_statements": unmapped(label_set, statements, split != ""),
        "split_protocol": words,
        "split_hash": digest,
        "protocol": protocol_words(task, str(settings.get("version", "")), words, digest),
    }
    if published is not None:
        absent = len(published.split_of.keys() - set(store.records["record_id"]))
        facts["split_list"] = {**published.said, "records": len(published.split_of), "absent": absent}
    write_targets(
        folder,
        kept[list(ID_COLUMNS)].reset_index(drop=True),
        matrix[row_of_exam[rows]],
        label_set.classes,
        first_class=np.array(first_classes(label_set, statements), object)[row_of_exam[rows]],
        dropped=table.loc[table["reason"] != "", ["record_id", "reason"]],
        settings=settings,
        code=code,
        inputs=[records],
        facts=facts,
        synthetic=store.manifest.synthetic,
    )


def _splits(
    task: Task, exams: pd.DataFrame, records: pd.DataFrame, matrix: np.ndarray, published: SplitList | None
) -> list[str]:
    if isinstance(task.splits, PublishedSplit):
        return listed_splits_of(exams, records, published) if published else []
    return splits_of(exams, matrix, task.splits)


def _reasons(task: Task, records: pd.DataFrame, labelled: np.ndarray) -> np.ndarray:
    """Why each record is left out, "" where it is not. None of it changes the split of any other record."""
    seconds = (records["stop"] - records["start"]) / 12 / records["rate_hz"]
    reasons = [records["split"] == "", seconds < task.minimum_seconds]
    reasons.append(pd.Series(~labelled & (task.unlabelled_records == "drop"), index=records.index))
    return np.select(reasons, DROPPED_REASONS, "")


def _counts(table: pd.DataFrame, kept: pd.DataFrame) -> dict[str, Any]:
    of_split = {name: kept[kept["split"] == name] for name in SPLITS}
    return {
        "dropped_records": {reason: int((table["reason"] == reason).sum()) for reason in DROPPED_REASONS},
        "exams": {name: int(rows["exam_id"].nunique()) for name, rows in of_split.items()},
        "patients": {name: int(rows["patient_id"].nunique()) for name, rows in of_split.items()},
    }


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


def _split_list(task: Task, settings: Mapping[str, Any]) -> SplitList | None:
    if not isinstance(task.splits, PublishedSplit):
        return None
    name, asked = task.splits.name, settings["split_list_sha256"]
    found = sha256_of(split_list_file(name))
    if found != asked:
        raise ValueError(f"split list {name!r} has sha256 {found}, the settings ask for {asked}; start the study again")
    return read_split_list(name)


def _refuse_empty_classes(task: Task, training: np.ndarray, statements: Sequence[Statements]) -> None:
    """Targets that are all zero are a label set that does not belong to the source, not a task."""
    if not training.any():
        found = sorted({name for row in statements for name in row})
        raise ValueError(
            f"no training exam of {task.source} has a class of {task.label_set}; "
            f"the source's statements are {', '.join(found[:UNMAPPED_SHOWN]) or 'none'}"
        )


def _refuse_empty_split(task: Task, filled: set[str], folds: pd.Series) -> None:
    empty = [name for name in named_splits(task.splits) if name not in filled]
    if empty:
        present = ", ".join(sorted(set(folds))) or "none"
        raise ValueError(
            f"no record of {task.source} with a class of {task.label_set} is in split {', '.join(empty)}; "
            f"splits are {task.splits.model_dump()}, the folds of the records present are {present}"
        )
