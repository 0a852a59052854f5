"""Expected calibration error over bins of equal mass."""

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve

BINS = 10


def score(curve: Curve) -> NDArray[np.float64]:
    """Mean of |mean probability - share of positives| over ten bins that hold a tenth of the exams each; 0 is best.

    The bins are those of each resample: an exam drawn twice is two exams. Exams of equal probability are one group;
    where a border between bins falls into a group, the group is shared out in that proportion, each part with the
    group's own share of positives. So the bins are equal to the last exam, whatever the ties and the order.
    """
    starts = np.flatnonzero(np.diff(curve.probability, prepend=np.inf))
    taken = np.take(curve.times, curve.exam, axis=1)
    missed = taken * (curve.probability - curve.target)
    if len(starts) < len(curve.exam):
        taken = np.add.reduceat(taken, starts, axis=1, dtype=np.int32)
        missed = np.add.reduceat(missed, starts, axis=1)
    mass = np.cumsum(taken, axis=1, dtype=np.int64)
    excess = np.cumsum(missed, axis=1)
    total = mass[:, -1]
    gaps = np.diff(_at_borders(mass, excess, taken, missed), axis=1)
    mean: NDArray[np.float64] = np.abs(gaps).sum(axis=1) / total
    return mean


def _at_borders(mass: np.ndarray, excess: np.ndarray, taken: np.ndarray, missed: np.ndarray) -> NDArray[np.float64]:
    """(replicate, border) running excess where each bin begins and where the last one ends."""
    total = mass[:, -1:]
    border = total * np.arange(1, BINS)
    # one search for all resamples: each has a stretch of numbers of its own
    offset = np.arange(len(mass))[:, None] * (int(total.max()) + 1)
    place = np.searchsorted((mass + offset).ravel(), (offset + -(-border // BINS)).ravel()).reshape(border.shape)
    place -= np.arange(len(mass))[:, None] * mass.shape[1]
    over, last, inside, whole = (np.take_along_axis(each, place, axis=1) for each in (mass, excess, missed, taken))
    found = last - inside * (over - border / BINS) / whole
    return np.concatenate([np.zeros_like(total), found, excess[:, -1:]], axis=1)
