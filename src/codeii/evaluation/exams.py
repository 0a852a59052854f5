"""Bring the records of a split to exams, and the logits of a run to the same exams in the same order."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from codeii.artifacts.predictions import Predictions
from codeii.artifacts.targets import Targets
from codeii.evaluation.ranking import evaluable

SHOWN = 3  # names an error message gives as examples


@dataclass(frozen=True, slots=True)
class Truth:
    """One split of a task by exam, sorted by exam_id so that the order of files and rows does not matter."""

    exam_ids: np.ndarray  # (exam,) str, sorted
    patient: np.ndarray  # (exam,) number of the exam's patient, counted in order of patient_id
    target: np.ndarray  # (exam, class) bool
    first: np.ndarray  # (exam,) number of the class whose statement comes first, or -1

    @property
    def positives(self) -> np.ndarray:
        """(class,) number of exams with the class."""
        count: np.ndarray = self.target.sum(axis=0)
        return count

    @property
    def evaluable(self) -> np.ndarray:
        """(class,) bool: the split has exams with the class and exams without it."""
        return evaluable(self.target)


def truth_of(targets: Targets, split: str) -> Truth:
    """Targets of one split by exam. Raises ValueError where the records of an exam disagree."""
    rows = targets.of(split)
    ids = rows["exam_id"].to_numpy(object)
    exam_ids, first, exam = np.unique(ids, return_index=True, return_inverse=True)
    patients = rows["patient_id"].to_numpy(object)
    matrix = targets.matrix(split)
    apart = (matrix != matrix[first][exam]).any(axis=1) | (patients != patients[first][exam])
    if apart.any():
        raise ValueError(f"records of exam {ids[apart][0]!r} have different targets or patients")
    patient = np.unique(patients[first], return_inverse=True)[1]
    number = {name: at for at, name in enumerate(targets.classes)}
    named = [number.get(name, -1) for name in rows["first_class"].to_numpy(object)[first]]
    return Truth(exam_ids, patient, matrix[first] != 0, np.array(named, np.int64))


def logits_of(predictions: Predictions, split: str, exam_ids: np.ndarray) -> np.ndarray:
    """(exam, class) float32 logits of a run for exactly these exams, in this order.

    Raises ValueError naming exams that are missing or not of the split.
    """
    table = predictions.exam_logits(split)
    missing, extra = set(exam_ids) - set(table.index), set(table.index) - set(exam_ids)
    if missing or extra:
        raise ValueError(
            f"predictions of the {split} split lack {_named(missing)} and have {_named(extra)} that are not in it"
        )
    return table.loc[list(exam_ids)].to_numpy(np.float32)


def check_classes(found: Collection[str], expected: Collection[str]) -> None:
    """Raise ValueError unless a run's classes are those of the task, in the same order."""
    if set(found) != set(expected):
        lacking, unknown = set(expected) - set(found), set(found) - set(expected)
        raise ValueError(f"predictions lack classes {_named(lacking)} and have unknown ones {_named(unknown)}")
    for position, (name, wanted) in enumerate(zip(found, expected, strict=True)):
        if name != wanted:
            raise ValueError(
                f"class {position} of the predictions is {name!r}, of the targets {wanted!r}: order differs"
            )


def _named(names: set[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:SHOWN])
    return f"{len(names)} ({shown}{', ...' if len(names) > SHOWN else ''})" if names else "none"
