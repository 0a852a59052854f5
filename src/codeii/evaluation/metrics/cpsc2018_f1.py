"""F1 of the China Physiological Signal Challenge 2018, with its four group scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.whole import UNKNOWN, Whole, ratio

CLASSES = ("Normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE")
GROUPS = {
    "F_AF": ("AF",),
    "F_Block": ("I-AVB", "LBBB", "RBBB"),
    "F_PC": ("PAC", "PVC"),
    "F_ST": ("STD", "STE"),
}


def why_not(classes: Sequence[str]) -> str:
    """It is defined for the nine classes of the challenge, in any order."""
    return "" if set(classes) == set(CLASSES) else f"its classes are {', '.join(CLASSES)}"


def rows(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """One for each class, and one each for atrial fibrillation, blocks, premature contractions and ST changes."""
    return {name: (name,) for name in classes} | GROUPS


def judged(target: np.ndarray) -> NDArray[np.bool_]:
    """Exams with a class: an exam without one has no row in the challenge's table."""
    return np.asarray(target.any(axis=1))


def score_all(whole: Whole) -> dict[str, NDArray[np.float64]]:
    """Nine F1s, whose macro is the challenge's F1, and its F_AF, F_Block, F_PC and F_ST (facts 7.3).

    Each exam gets one class, the most probable. In a table of nine by nine it counts in the row of that class where
    the exam has it, else in the row of the exam's first class. F1 of some classes is twice their diagonal over their
    rows and columns. In the Challenge 2020 form of the data the codes of a record do not keep the order of its labels
    (half of the 476 records with several differ), so there an exam that is called wrongly may count in another row.

    Raises ValueError where an exam with several classes is called wrongly and its first class is not known.
    """
    table = _table(whole)
    diagonal = np.diagonal(table, axis1=1, axis2=2)
    edges = table.sum(axis=2) + table.sum(axis=1)
    of_class = dict(zip(whole.classes, ratio(2 * diagonal, edges).T, strict=True))
    groups = {}
    for name, members in GROUPS.items():
        at = [whole.classes.index(member) for member in members]
        groups[name] = ratio(2 * diagonal[:, at].sum(axis=1), edges[:, at].sum(axis=1))
    return {**of_class, **groups}


def _table(whole: Whole) -> NDArray[np.float64]:
    """(replicate, class, class) how often each class was called where another, or itself, was meant."""
    size = len(whole.classes)
    kept = np.flatnonzero(judged(whole.target))
    target, called = whole.target[kept], whole.probability[kept].argmax(axis=1)
    meant = np.where(target[np.arange(len(kept)), called], called, whole.first[kept])
    if (meant == UNKNOWN).any():
        raise ValueError("the targets do not say which class of an exam with several comes first; make them again")
    cells = np.zeros((len(kept), size * size))
    cells[np.arange(len(kept)), meant * size + called] = 1
    counted: NDArray[np.float64] = (whole.times[:, kept] @ cells).reshape(-1, size, size)
    return counted
