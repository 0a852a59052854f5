"""Positive predictive value (precision) of the decision."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Share of the called that are positive at the threshold chosen on the validation split; 0 where none is called.

    That 0 is scikit-learn's convention: a decision that calls nobody must not look better than one that errs.
    """
    called = curve.decided_tp + curve.decided_fp
    return curve.decided_tp / np.maximum(called, 1)  # counts are whole
