"""Whether probabilities come true: bins of equal mass, and one temperature fitted on the validation split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_expit
from scipy.stats import norm

LOG_TEMPERATURES = (-4.0, 4.0)  # what is searched: 1/55 to 55


@dataclass(frozen=True, slots=True)
class Bins:
    """Elements by rising probability in bins that hold as many each, to one."""

    n: NDArray[np.int64]
    n_positives: NDArray[np.int64]
    mean: NDArray[np.float64]  # of the probabilities
    observed: NDArray[np.float64]  # share of positives


def bins_of(probability: np.ndarray, target: np.ndarray, bins: int) -> Bins:
    """Bins of equal mass; of fewer elements than bins, one for each.

    probability : (element,); target : (element,) bool
    Elements of one probability stay together, in the bin in which the first of them stands: what is drawn as one point
    does not depend on their order.
    """
    order = np.argsort(probability, kind="stable")
    rising, hit = probability[order], target[order]
    number = min(bins, len(order))
    starts = np.arange(number) * len(order) // max(number, 1)
    first = np.searchsorted(rising, rising, side="left")
    member = np.searchsorted(starts, first, side="right") - 1
    kept = np.unique(member)
    n = np.bincount(member, minlength=number)[kept]
    positives = np.bincount(member, hit, number)[kept]
    mean = np.bincount(member, rising, number)[kept] / n
    return Bins(n, positives.astype(np.int64), mean, positives / n)


def wilson(positives: np.ndarray, n: np.ndarray, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of a share (Wilson 1927): never outside [0, 1], never empty at 0 or at 1."""
    z = norm.ppf((1 + level) / 2)
    share, denominator = positives / n, 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / denominator
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / denominator
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def log_loss(logit: np.ndarray, target: np.ndarray) -> NDArray[np.float64]:
    """Negative log likelihood of each element, without overflow."""
    return np.asarray(-np.where(target, log_expit(logit), log_expit(-logit)))


def fit_temperature(logit: np.ndarray, target: np.ndarray) -> float:
    """The temperature that logits are divided by for the smallest log loss (Guo et al. 2017).

    logit : (element,) float64 of the validation split; target : (element,) bool
    The loss is convex in 1 / temperature, so there is one; it is cut to the range that is searched, where elements are
    told apart without a fault.
    """

    def loss(log_temperature: float) -> float:
        return float(log_loss(logit * np.exp(-log_temperature), target).mean())

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x))


def expected_error(bins: Bins) -> float:
    """Mean distance of mean probability and observed share over the bins, each weighing what it holds."""
    return float(np.abs(bins.mean - bins.observed) @ bins.n / bins.n.sum())
