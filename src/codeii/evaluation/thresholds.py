"""Decision thresholds, chosen on the validation split and on nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve, curve_of, evaluable, rank

DEFAULT = 0.5  # probability; for a class that the validation split cannot judge
RULES = ("f1", "youden", "sensitivity")
SENSITIVITY = 0.9


def choose_threshold(probability: np.ndarray, target: np.ndarray, rule: str, sensitivity: float = SENSITIVITY) -> float:
    """Probability at or above which one class is called.

    Parameters
    ----------
    probability : (exam,) of the validation split
    target : (exam,) 0/1 with at least one of each
    rule : `f1` maximises F1, `youden` maximises sensitivity + specificity - 1, `sensitivity` reaches the share of the
        positives asked for; of equals the highest threshold

    Returns
    -------
    One of the probabilities given, so that the decision on the validation exams is exactly the one chosen.
    """
    return _choose(probability, target, (rule,), sensitivity)[0]


def choose_thresholds(
    probability: np.ndarray, target: np.ndarray, rules: Sequence[str] = RULES, sensitivity: float = SENSITIVITY
) -> np.ndarray:
    """(rule, class) thresholds from (exam, class) probabilities and bool targets of the validation split.

    A class without a positive or without a negative there gets `DEFAULT`.
    """
    chosen = np.full((len(rules), target.shape[1]), DEFAULT)
    for number in np.flatnonzero(evaluable(target)):
        chosen[:, number] = _choose(probability[:, number], target[:, number], rules, sensitivity)
    return chosen


def _choose(probability: np.ndarray, target: np.ndarray, rules: Sequence[str], sensitivity: float) -> list[float]:
    ranked = rank(probability, target, probability, DEFAULT)
    curve = curve_of(ranked, np.ones((1, len(target)), np.int32))
    best = [1 + int(np.argmax(_merit(curve, rule, sensitivity)[0, 1:])) for rule in rules]  # the first calls nothing
    return [float(ranked.probability[ranked.cuts[cut] - 1]) for cut in best]


def _merit(curve: Curve, rule: str, sensitivity: float) -> NDArray[np.float64]:
    """(1, cut) what is maximised, the first of equals; of exact counts, so that equals are equal."""
    if rule == "f1":
        return 2 * curve.tp / (curve.positives + curve.tp + curve.fp)
    if rule == "youden":
        return curve.tp * curve.negatives - curve.fp * curve.positives
    if rule == "sensitivity":
        enough = np.ceil(sensitivity * curve.positives - 1e-9)  # 0.55 of 100 is 55, not the 55.00000000000001 it gives
        return (curve.tp >= enough).astype(np.float64)
    raise ValueError(f"threshold rule {rule!r} is not one of {', '.join(RULES)}")
