"""Rows of the score tables: which number stands for what, and what it was counted on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from codeii.evaluation.exams import Truth
from codeii.evaluation.scoring import macro

MACROS = ("macro", "macro_frequent")
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What the rows of one split are counted on: one row per class, then one per name in `MACROS`."""

    names: tuple[str, ...]
    n_exams: int
    n_positives: np.ndarray  # (row,) of a macro: summed over its classes
    n_classes: np.ndarray  # (row,) 1 for a class
    members: np.ndarray  # (macro, class) bool


def tally_of(truth: Truth, classes: Sequence[str], few_positives: int) -> Tally:
    """Count the exams of a split. A macro takes the evaluable classes; a frequent one has enough positives."""
    members = np.stack([truth.evaluable, truth.evaluable & (truth.positives >= few_positives)])
    return Tally(
        names=(*classes, *MACROS),
        n_exams=len(truth.target),
        n_positives=np.concatenate([truth.positives, members @ truth.positives]),
        n_classes=np.concatenate([np.ones(len(classes), np.int64), members.sum(axis=1)]),
        members=members,
    )


def with_macros(values: np.ndarray, tally: Tally) -> np.ndarray:
    """(metric, class, ...) -> (metric, row, ...): the macros appended to the classes."""
    means = [macro(values, members) for members in tally.members]
    return np.concatenate([values, np.stack(means, axis=1)], axis=1)


def score_rows(
    of: Row,
    metrics: Sequence[str],
    tally: Tally,
    chosen: Iterable[int],
    value: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray] | None,
) -> list[Row]:
    """Rows of `SCORE_COLUMNS` for some rows of a tally.

    of : experiment, model, start, fraction, per_class, seed, split; value, low, high : (metric, row); no interval
    gives NaN.
    """
    low, high = interval or (np.full(value.shape, np.nan),) * 2
    return [
        (*of, metric, tally.names[row], *(float(part[at, row]) for part in (value, low, high)), *counted)
        for row in chosen
        for counted in [(tally.n_exams, int(tally.n_positives[row]), int(tally.n_classes[row]))]
        for at, metric in enumerate(metrics)
    ]
