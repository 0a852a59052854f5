"""Brier score."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Mean squared distance of probability and target (Brier 1950): 0 is perfect."""
    distance = (curve.probability - curve.target) ** 2
    of_exam = np.bincount(curve.exam, weights=distance, minlength=curve.times.shape[1])
    return np.asarray(curve.times @ of_exam, np.float64) / (curve.positives + curve.negatives)
