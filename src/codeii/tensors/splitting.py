"""Which split every exam of a task belongs to, by one of three ways, and that way in words for beside a score."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from codeii.schema.params import FoldSplit, HashedSplit, PublishedSplit, Task
from codeii.schema.split_lists import SplitList, split_by_list
from codeii.schema.splits import SPLITS, split_by_fold, split_by_patient, split_each_patient


def splits_of(exams: pd.DataFrame, matrix: np.ndarray, policy: FoldSplit | HashedSplit) -> list[str]:
    """Split of each exam, "" for none: by the source's fold, or by our own split of the patients.

    exams : `patient_id` and `fold` of each; matrix : (exam, class) 0/1, for the strata of our own draws.
    Where the policy names no validation fold, validation is drawn from the patients of the training folds.
    Raises ValueError when shares do not sum to 1 or a fold is in two splits.
    """
    patients = exams["patient_id"].tolist()
    if isinstance(policy, HashedSplit):
        shares = shares_of(policy)
        if abs(sum(shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares of the splits are {shares}; they must sum to 1")
        if policy.stratify == "none":
            return split_each_patient(patients, shares, policy.seed)
        return split_by_patient(patients, matrix, shares, policy.seed)
    table = {"train": policy.train, "validation": policy.validation, "test": policy.test}
    twice = [fold for fold, count in Counter(fold for folds in table.values() for fold in folds).items() if count > 1]
    if twice:
        raise ValueError(f"fold {', '.join(map(repr, twice))} is named more than once in {table}")
    splits = split_by_fold(exams["fold"].tolist(), table)
    return splits if policy.validation else _draw_validation(splits, patients, matrix, policy)


def listed_splits_of(exams: pd.DataFrame, records: pd.DataFrame, published: SplitList) -> list[str]:
    """Split of each exam by a published list, "" for an exam that has no record on it."""
    found = split_by_list(records["record_id"].tolist(), records["exam_id"].tolist(), published)
    return [found.get(exam_id, "") for exam_id in exams.index]


def shares_of(policy: HashedSplit) -> dict[str, float]:
    """Shares in the order of `SPLITS`, whatever the order they were written in."""
    return {name: policy.shares[name] for name in ("train", "validation", "test") if name in policy.shares}


def named_splits(policy: FoldSplit | HashedSplit | PublishedSplit) -> list[str]:
    """The splits that must not be empty."""
    return list(shares_of(policy)) if isinstance(policy, HashedSplit) else list(SPLITS)


def split_words(policy: FoldSplit | HashedSplit | PublishedSplit, published: SplitList | None = None) -> str:
    """The split in words: whose it is, what it is drawn by, its shares and its seed."""
    if isinstance(policy, PublishedSplit):
        if published is None:
            raise ValueError(f"the words of the published split {policy.name} are in its list, which is not given")
        return published.words
    if isinstance(policy, HashedSplit):
        shares = " / ".join(f"{100 * share:g}" for share in shares_of(policy).values())
        how = "each by name alone" if policy.stratify == "none" else "stratified by rarest class, keyed by name"
        return f"ours: {shares} % of the patients, {how}, seed {policy.seed}"
    of = {"train": policy.train, "validation": policy.validation, "test": policy.test}
    words = ", ".join(f"{split} {fold_words(folds)}" for split, folds in of.items() if folds)
    if policy.validation:
        return f"the source's folds: {words}"
    share = f"{100 * policy.validation_share:g} % of the training patients"
    return f"the source's folds: {words}; validation {share}, stratified by rarest class, seed {policy.seed}"


def fold_words(folds: Sequence[str]) -> str:
    """`1-8` for the folds 1 to 8; other folds one after the other."""
    if len(folds) > 2 and all(fold.isdigit() for fold in folds):
        numbers = [int(fold) for fold in folds]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{folds[0]}-{folds[-1]}"
    return " and ".join(folds)


def protocol_words(task: Task, version: str, split: str, split_hash: str) -> str:
    """What must be known of the data behind a score: release, split and its hash, and which records were left out."""
    words = [f"{task.source} {version}".strip(), f"{split} (hash {split_hash[:12]})"]
    words.append(f"records without a class {'dropped' if task.unlabelled_records == 'drop' else 'kept'}")
    if task.minimum_seconds:
        words.append(f"records under {task.minimum_seconds:g} s left out")
    return "; ".join(words)


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
