"""Two AUROCs on the same exams: their difference, its variance and a test (DeLong, DeLong and Clarke-Pearson 1988).

Exams of one patient are no independent draws. Their components are summed by patient first (Obuchowski 1997), which is
DeLong's own variance where every patient has one exam. Ranks make it n log n; nothing is compared pair by pair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from codeii.evaluation.ranking import falling_order


@dataclass(frozen=True, slots=True)
class Components:
    """One score on one class: its AUROC and what each exam adds to it."""

    auroc: float
    of_exam: NDArray[np.float64]  # (exam,) share of the other kind that it stands on the right side of, ties half


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of two AUROCs. The error is 0 and p is 1 where both order every pair of exams alike."""

    difference: float
    error: float  # standard error of the difference
    covariance: NDArray[np.float64]  # (2, 2) of both AUROCs
    z: float
    p: float  # two-sided


def components(logit: np.ndarray, target: np.ndarray) -> Components:
    """The AUROC of one class and what each exam adds.

    logit : (exam,); target : (exam,) bool with at least one of each kind
    """
    order = falling_order(logit)
    falling, hit = logit[order], target[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # of each group of equal logits
    tp = np.cumsum(hit, dtype=np.float64)[last]
    fp = last + 1 - tp
    positives, negatives = tp[-1], fp[-1]
    above, beyond = _middle(tp) / positives, 1 - _middle(fp) / negatives
    if len(last) < len(order):
        group = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))
        above, beyond = above[group], beyond[group]
    sorted_adds = np.where(hit, beyond, above)
    adds = np.empty(len(order))
    adds[order] = sorted_adds
    return Components(float(sorted_adds[hit].sum() / positives), adds)


def _middle(count: np.ndarray) -> NDArray[np.float64]:
    """A running count at the middle of each group: halfway between its values before and after."""
    middle = count.copy()
    middle[1:] += count[:-1]
    return middle / 2


def compare(first: Components, second: Components, target: np.ndarray, patient: np.ndarray | None = None) -> Gap:
    """First minus second on the same exams.

    target : (exam,) bool; patient : (exam,) number of each exam's patient; none where each exam has its own
    """
    covariance = _covariance(first, second, target, patient)
    difference = first.auroc - second.auroc
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if np.array_equal(first.of_exam, second.of_exam) and not np.isnan(variance):
        return Gap(0.0, 0.0, covariance, 0.0, 1.0)
    if not variance > 0:  # positives or negatives of one patient alone, or components that differ by a constant
        return Gap(difference, float("nan"), covariance, float("nan"), float("nan"))
    error = float(np.sqrt(variance))
    z = difference / error
    return Gap(difference, error, covariance, float(z), float(2 * ndtr(-abs(z))))


def _covariance(
    first: Components, second: Components, target: np.ndarray, patient: np.ndarray | None
) -> NDArray[np.float64]:
    """(2, 2) covariance of both AUROCs; NaN where positives or negatives come from a single patient."""
    apart = np.stack([one.of_exam - one.auroc for one in (first, second)])
    parts = [_of_kind(apart, kind, patient) for kind in (target, ~target)]
    if min(who for _, who, _ in parts) < 2:
        return np.full((2, 2), np.nan)
    total = sum(who / (who - 1) * (rows @ rows.T) / count**2 for rows, who, count in parts)
    if patient is None:
        return np.asarray(total)
    cross = parts[0][0] @ parts[1][0].T  # nothing, unless a patient has exams of both kinds
    everyone = len(np.unique(patient))
    return np.asarray(total + everyone / (everyone - 1) * (cross + cross.T) / (parts[0][2] * parts[1][2]))


def _of_kind(apart: np.ndarray, kind: np.ndarray, patient: np.ndarray | None) -> tuple[np.ndarray, int, int]:
    """What exams of one kind add, summed by patient; and how many patients and exams they are."""
    chosen = np.flatnonzero(kind)
    rows = np.take(apart, chosen, axis=1)
    if patient is None:
        return rows, rows.shape[1], rows.shape[1]
    number = int(patient.max()) + 1
    sums = np.stack([np.bincount(patient[chosen], row, number) for row in rows])
    return sums, len(np.unique(patient[chosen])), rows.shape[1]
