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
    order = falling_order(logit)[::-1]  # rising
    rising, hit = logit[order], target[order]
    starts = np.concatenate([[0], np.flatnonzero(rising[1:] != rising[:-1]) + 1])
    of_group = np.diff(starts, append=len(order))
    hits = np.add.reduceat(hit.astype(np.int64), starts)
    misses = of_group - hits
    positives, negatives = int(hits.sum()), int(misses.sum())
    below = np.cumsum(misses) - misses + misses / 2  # negatives that a positive of the group stands above
    above = positives - np.cumsum(hits) + hits / 2  # positives that a negative of the group stands below
    adds = np.empty(len(order))
    adds[order] = np.where(hit, np.repeat(below / negatives, of_group), np.repeat(above / positives, of_group))
    return Components(float(below @ hits / (positives * negatives)), adds)


def compare(first: Components, second: Components, target: np.ndarray, patient: np.ndarray) -> Gap:
    """First minus second on the same exams.

    target : (exam,) bool; patient : (exam,) number of each exam's patient
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


def _covariance(first: Components, second: Components, target: np.ndarray, patient: np.ndarray) -> NDArray[np.float64]:
    """(2, 2) covariance of both AUROCs; NaN where positives or negatives come from a single patient."""
    kinds = target, ~target
    apart = [np.stack([(one.of_exam - one.auroc) * kind for one in (first, second)]) for kind in kinds]
    counts = [int(kind.sum()) for kind in kinds]
    if len(np.unique(patient)) == len(patient):
        sums, who = apart, counts
    else:
        number = int(patient.max()) + 1
        sums = [np.stack([np.bincount(patient, row, number) for row in rows]) for rows in apart]
        who = [len(np.unique(patient[kind])) for kind in kinds]
    if min(who) < 2:
        return np.full((2, 2), np.nan)
    total = sum(n / (n - 1) * (rows @ rows.T) / count**2 for n, rows, count in zip(who, sums, counts, strict=True))
    cross = sums[0] @ sums[1].T  # nothing, unless a patient has exams of both kinds
    everyone = len(np.unique(patient))
    both = everyone / (everyone - 1) * (cross + cross.T) / (counts[0] * counts[1])
    return np.asarray(total + both)
