"""Decision thresholds, chosen on the validation split and on nothing else."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve, curve_of, evaluable, rank

DEFAULT = 0.5  # probability; for a class that the validation split cannot judge
RULES = ("f1", "youden")


def choose_threshold(probability: np.ndarray, target: np.ndarray, rule: str) -> float:
    """Probability at or above which one class is called.

    Parameters
    ----------
    probability : (exam,) of the validation split
    target : (exam,) 0/1 with at least one of each
    rule : `f1` maximises F1, `youden` maximises sensitivity + specificity - 1; of equals the highest threshold

    Returns
    -------
    One of the probabilities given, so that the decision on the validation exams is exactly the one chosen.
    """
    ranked = rank(probability, target, probability, DEFAULT)
    curve = curve_of(ranked, np.ones((1, len(target)), np.int32))
    best = 1 + int(np.argmax(_merit(curve, rule)[0, 1:]))  # the first cut calls nothing
    return float(ranked.probability[ranked.order[ranked.cuts[best] - 1]])


def _merit(curve: Curve, rule: str) -> NDArray[np.float64]:
    """(1, cut) what is maximised; of exact counts, so that equals are equal."""
    if rule == "f1":
        return 2 * curve.tp / (curve.positives + curve.tp + curve.fp)
    if rule == "youden":
        return curve.tp * curve.negatives - curve.fp * curve.positives
    raise ValueError(f"threshold rule {rule!r} is not one of {', '.join(RULES)}")


def choose_thresholds(probability: np.ndarray, target: np.ndarray, rule: str) -> np.ndarray:
    """(class,) thresholds from (exam, class) probabilities and bool targets of the validation split.

    A class without a positive or without a negative there gets `DEFAULT`.
    """
    chosen = np.full(target.shape[1], DEFAULT)
    for number in np.flatnonzero(evaluable(target)):
        chosen[number] = choose_threshold(probability[:, number], target[:, number], rule)
    return chosen
