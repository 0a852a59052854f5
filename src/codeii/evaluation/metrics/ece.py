"""Expected calibration error over bins of equal mass."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve

BINS = 10


def score(curve: Curve) -> NDArray[np.float64]:
    """Mean of |mean probability - share of positives| over ten bins that hold a tenth of the exams each; 0 is best.

    The bins are those of each resample: an exam drawn twice is two exams. Exams of equal logit are one group;
    where a border between bins falls into a group, the group is shared out in that proportion, each part with the
    group's own share of positives. So the bins are equal to the last exam, whatever the ties and the order. What is
    left by chance in a bin adds to it, and a resample adds more: an interval may lie above the value.
    """
    taken = np.take(curve.times, curve.exam, axis=1)
    mass = np.cumsum(taken, axis=1, dtype=np.int32)
    excess = taken * (curve.probability - curve.target)
    np.cumsum(excess, axis=1, out=excess)
    gaps = np.diff(_at_borders(mass, excess, curve.groups), axis=1, prepend=0.0)
    mean: NDArray[np.float64] = np.abs(gaps).sum(axis=1) / mass[:, -1]
    return mean


def _at_borders(mass: np.ndarray, excess: np.ndarray, groups: np.ndarray) -> NDArray[np.float64]:
    """(replicate, bin) running excess where each bin ends, its last group shared out.

    mass, excess : (replicate, element) running sums of exams and of what their probabilities are above their targets
    groups : (group,) where each begins
    """
    border = mass[:, -1:] * np.arange(1, BINS + 1) / BINS
    whole = np.ceil(border - 1e-9).astype(np.int32)  # masses are whole numbers
    place = np.stack([np.searchsorted(*pair) for pair in zip(mass, whole, strict=True)])
    group = np.searchsorted(groups, place, "right") - 1
    end = np.append(groups[1:], mass.shape[1])[group]
    under = [_before(each, groups[group]) for each in (mass, excess)]
    over = [_before(each, end) for each in (mass, excess)]
    share = (border - under[0]) / (over[0] - under[0])  # the group was drawn, or the border would not fall into it
    return np.asarray(under[1] + share * (over[1] - under[1]))


def _before(running: np.ndarray, element: np.ndarray) -> np.ndarray:
    """(replicate, border) running sum of all elements before the one named."""
    found = np.take_along_axis(running, np.maximum(element - 1, 0), axis=1)
    return np.where(element > 0, found, 0)
