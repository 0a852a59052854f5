"""Area under the receiver operating characteristic."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Probability that a positive ranks above a negative, ties counting half (Hanley and McNeil 1982)."""
    # Twice the pairs that stand the wrong way round: by trapezes, gained positives times (negatives above and at them),
    # summed by parts. All are whole numbers below 2**53, so no order of summing changes a bit.
    pairs = curve.positives * curve.negatives
    rising = np.einsum("ij,ij->i", curve.tp[:, 1:], curve.fp[:, :-1])
    falling = np.einsum("ij,ij->i", curve.tp[:, :-1], curve.fp[:, 1:])
    area: NDArray[np.float64] = 1 - (pairs + rising - falling) / (2 * pairs)
    return area
