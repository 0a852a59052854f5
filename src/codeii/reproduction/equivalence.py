"""Whether the mean of some seeds is a published value, to within a margin: two one-sided tests (Schuirmann 1987)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t

FEWEST_SEEDS = 3
Outcome = Literal["same", "differs", "undecided"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The interval of the mean that both tests rest on, and what it says."""

    mean: float
    low: float
    high: float
    outcome: Outcome


def equivalence(values: Sequence[float], published: float, margin: float, alpha: float) -> Equivalence:
    """Compare the mean over seeds with a published value.

    Parameters
    ----------
    values : one score for each seed, at least `FEWEST_SEEDS`
    published : what is compared with, taken as exact
    margin : distance within which both count as the same, above 0
    alpha : level of each one-sided test

    Returns
    -------
    The interval of the mean that covers 1 - 2 alpha. `same` where it lies within the margin around the published value
    (both one-sided tests reject), `differs` where it lies outside, `undecided` where it crosses an edge.

    Raises
    ------
    ValueError
        There are fewer seeds, a value is not finite, or the margin is not above 0.
    """
    found = np.asarray(values, np.float64)
    if len(found) < FEWEST_SEEDS or not np.isfinite(found).all():
        raise ValueError(f"{list(values)}: expected {FEWEST_SEEDS} finite scores or more")
    if not margin > 0:
        raise ValueError(f"margin is {margin}; expected a number above 0")
    mean = float(found.mean())
    half = float(t.ppf(1 - alpha, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))
    low, high = mean - half, mean + half
    if published - margin <= low and high <= published + margin:
        return Equivalence(mean, low, high, "same")
    apart = high < published - margin or low > published + margin
    return Equivalence(mean, low, high, "differs" if apart else "undecided")
