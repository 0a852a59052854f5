"""Area under the precision-recall curve."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Average precision: precision at each cut weighted by the recall it adds, without interpolation."""
    gained = np.diff(curve.tp, axis=1)
    called = curve.tp[:, 1:] + curve.fp[:, 1:]
    # a cut above which no exam was drawn gains nothing, whatever its precision
    total: NDArray[np.float64] = (gained * curve.tp[:, 1:] / np.maximum(called, 1)).sum(axis=1)
    return total / curve.positives
