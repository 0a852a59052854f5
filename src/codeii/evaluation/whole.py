"""All classes of one run at once, for metrics that are not a mean of what each class gives alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1  # instead of the number of the class that was named first


@dataclass(frozen=True, slots=True)
class Whole:
    """What a metric of all classes sees: one run under some resamples of its exams."""

    classes: tuple[str, ...]
    target: NDArray[np.bool_]  # (exam, class)
    probability: NDArray[np.float64]  # (exam, class)
    called: NDArray[np.bool_]  # (exam, class) the decision
    first: NDArray[np.int64]  # (exam,) number of the class whose statement comes first, or UNKNOWN
    times: NDArray[np.float64]  # (replicate, exam) how many times each exam counts


def rescued(called: np.ndarray, probability: np.ndarray) -> NDArray[np.bool_]:
    """(exam, class) decisions; an exam for which no class is called is given its most probable one."""
    best = np.eye(called.shape[1], dtype=bool)[probability.argmax(axis=1)]
    return np.where(called.any(axis=1, keepdims=True), called, best)


def label_weighted_counts(whole: Whole) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives and false negatives, each (replicate, class), of the rescued decisions.

    Every exam weighs 1 / (number of its classes), and nothing where it has none.
    """
    named = whole.target.sum(axis=1)
    weight = np.divide(1.0, named, out=np.zeros(len(named)), where=named > 0)
    times, called = whole.times * weight, rescued(whole.called, whole.probability)
    hit = times @ (called & whole.target).astype(np.float64)
    positives = times @ whole.target.astype(np.float64)
    return hit, times @ called.astype(np.float64) - hit, positives - hit


def ratio(part: np.ndarray, whole: np.ndarray) -> NDArray[np.float64]:
    """part / whole, NaN where the whole is nothing."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0))
