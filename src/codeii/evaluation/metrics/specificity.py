"""Specificity of the decision."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Share of the negatives that are not called at the threshold chosen on the validation split."""
    return 1 - curve.decided_fp / curve.negatives
