"""Sensitivity (recall) of the decision."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Share of the positives that are called at the threshold chosen on the validation split."""
    return curve.decided_tp / curve.positives
