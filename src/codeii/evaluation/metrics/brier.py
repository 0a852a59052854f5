"""Brier score."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Mean squared distance of probability and target (Brier 1950): 0 is perfect."""
    distance = (curve.probability - curve.target) ** 2
    mean: NDArray[np.float64] = (curve.times * distance).sum(axis=1) / curve.times.sum(axis=1)
    return mean
