"""Which records are worth a look: the surest mistakes of a network, and some answers that are right."""

from dataclasses import dataclass

import numpy as np

from codeii.artifacts.explanations import KINDS


@dataclass(frozen=True, slots=True)
class Case:
    """One record and the class it is looked at for."""

    kind: str
    record: int
    number: int  # of the class


def choose_cases(probability: np.ndarray, target: np.ndarray, thresholds: np.ndarray, each: int) -> list[Case]:
    """At most `each` cases of every kind, the surest first; each class and each record once in a kind, where that goes.

    probability : (record, class) float64; target : (record, class) bool; thresholds : (class,)
    How sure an answer is: its distance from the threshold, as a share of the way to 0 or to 1. Equals go by record,
    then by class.
    """
    above = (probability - thresholds) / np.maximum(1 - thresholds, 1e-12)
    below = (thresholds - probability) / np.maximum(thresholds, 1e-12)
    called = probability >= thresholds
    sure = {"missed": (target & ~called, below), "called wrongly": (~target & called, above)}
    sure["called rightly"] = (target & called, above)
    return [case for kind in KINDS for case in _surest(kind, *sure[kind], each)]


def _surest(kind: str, member: np.ndarray, sureness: np.ndarray, each: int) -> list[Case]:
    rows, numbers = np.nonzero(member)
    order = np.lexsort((numbers, rows, -sureness[rows, numbers]))
    chosen: list[Case] = []
    for at in order:
        case = Case(kind, int(rows[at]), int(numbers[at]))
        seen = any(case.record == other.record or case.number == other.number for other in chosen)
        if not seen and len(chosen) < each:
            chosen.append(case)
    return chosen
