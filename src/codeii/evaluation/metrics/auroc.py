"""Area under the receiver operating characteristic."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve


def score(curve: Curve) -> NDArray[np.float64]:
    """Probability that a positive ranks above a negative, ties counting half (Hanley and McNeil 1982)."""
    gained = np.diff(curve.tp, axis=1)
    above = curve.fp[:, 1:] + curve.fp[:, :-1]  # twice the negatives ranked above, those at equal rank counted half
    twice_discordant: NDArray[np.float64] = np.einsum("ij,ij->i", gained, above)
    return 1 - twice_discordant / (2 * curve.positives * curve.negatives)
