"""F1 of the decision."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) at the threshold chosen on the validation split."""
    tp, fp = curve.tp[:, curve.decided], curve.fp[:, curve.decided]
    return 2 * tp / (curve.positives + tp + fp)
