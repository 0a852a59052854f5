"""F1 of the decision."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) at the threshold chosen on the validation split."""
    return 2 * curve.decided_tp / (curve.positives + curve.decided_tp + curve.decided_fp)
