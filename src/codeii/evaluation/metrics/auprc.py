"""Area under the precision-recall curve."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Average precision: precision at each cut weighted by the recall it adds, without interpolation."""
    gained = np.diff(curve.tp, axis=1)
    called = curve.tp[:, 1:] + curve.fp[:, 1:]
    first = 0
    while not called[:, first].all():  # a cut above which no exam was drawn gains nothing, whatever its precision
        np.maximum(called[:, first], 1, out=called[:, first])
        first += 1
    precision = np.divide(curve.tp[:, 1:], called, out=called)
    total: NDArray[np.float64] = np.einsum("ij,ij->i", gained, precision)
    return total / curve.positives
