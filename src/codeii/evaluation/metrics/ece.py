"""Expected calibration error."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve

BINS = 10


def score(curve: Curve) -> NDArray[np.float64]:
    """Mean over ten equal bins of |mean probability - share of positives|, weighted by exams; 0 is calibrated.

    A probability on the border of two bins belongs to the lower one.
    """
    bin_of = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], curve.probability)
    excess = curve.probability - curve.target
    total = np.zeros(len(curve.times))
    for number in range(BINS):
        inside = bin_of == number
        total += np.abs((curve.times[:, inside] * excess[inside]).sum(axis=1))
    mean: NDArray[np.float64] = total / curve.times.sum(axis=1)
    return mean
