"""Sort the exams of a class once, then count hits and false alarms along that order for any number of resamples.

A resample is a vector that says how many times each exam counts. Every score of a class is then a function of two
running sums along the falling logit, taken where its ROC curve turns: no resample is ever sorted.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.counting import Lines, count_by_kernel, count_by_numpy


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class of one run, sorted by falling logit. A cut after n elements calls the first n positive.

    An element is an exam; where classes are pooled it is one class of an exam.
    """

    exam: np.ndarray  # (element,) number of each element's exam
    target: np.ndarray  # (element,) bool
    probability: np.ndarray  # (element,) float64
    groups: np.ndarray  # (group,) where each group of equal logits begins
    cuts: np.ndarray  # (cut,) 0 = first < ... < last = all elements; never inside a group of equal logits
    decided: int  # the cut that the decision threshold makes


@dataclass(frozen=True, slots=True)
class Curve:
    """What a metric sees: one class of one run (or classes pooled) under some resamples, each with both outcomes."""

    tp: NDArray[np.float64]  # (replicate, cut) positives called at each cut: none first, all last
    fp: NDArray[np.float64]  # (replicate, cut) negatives called at each cut
    decided_tp: NDArray[np.float64]  # (replicate,) positives called by the decision
    decided_fp: NDArray[np.float64]  # (replicate,) negatives called by the decision
    exam: NDArray[np.int64]  # (element,) number of each element's exam, by falling logit
    target: NDArray[np.bool_]  # (element,) by falling logit
    probability: NDArray[np.float64]  # (element,) by falling logit
    groups: NDArray[np.int64]  # (group,) where each group of equal logits begins, by falling logit
    times: NDArray[np.int32]  # (replicate, exam) how many times each exam counts

    @property
    def positives(self) -> NDArray[np.float64]:
        """(replicate,) number of positives."""
        return self.tp[:, -1]

    @property
    def negatives(self) -> NDArray[np.float64]:
        """(replicate,) number of negatives."""
        return self.fp[:, -1]


def evaluable(target: np.ndarray) -> NDArray[np.bool_]:
    """(class,) bool of an (exam, class) bool array: the class has exams with it and exams without it."""
    return np.logical_and(target.any(axis=0), ~target.all(axis=0))


def to_probability(logit: np.ndarray) -> np.ndarray:
    """Sigmoid of float32 logits, computed in float64 without overflow and rounded to float32."""
    wide = logit.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return (np.where(wide >= 0, 1.0, small) / (1.0 + small)).astype(np.float32)


def falling_order(logit: np.ndarray) -> NDArray[np.int64]:
    """(element,) stable order by falling value, equal ones as they come; both signs of zero are equal.

    float32 is sorted as two halves of a whole number of the same order, for which numpy counts instead of comparing.
    """
    if logit.dtype != np.float32 or np.isnan(logit).any():
        return np.argsort(-logit, kind="stable")
    bits = (0 - logit).view(np.uint32)  # no -0 comes out of a subtraction from 0
    key = bits ^ np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    order = np.argsort(key.astype(np.uint16), kind="stable")
    return order[np.argsort((key >> 16).astype(np.uint16)[order], kind="stable")]


def rank(
    logit: np.ndarray, target: np.ndarray, probability: np.ndarray, threshold: float, exam: np.ndarray | None = None
) -> Ranked:
    """Sort one class and keep the cuts at which its curve can turn.

    Parameters
    ----------
    logit : (element,) what is sorted; equal values are one group, called together
    target : (element,) 0/1
    probability : (element,) never falls where the logit rises
    threshold : an element is called positive where its probability is at or above it
    exam : (element,) number of each element's exam; each is its own where it is not given

    Notes
    -----
    Kept are nothing, everything, the decision, and both ends of each group that holds a positive. Between two kept
    cuts without a positive the curve is straight, so areas and maxima are those of all cuts.
    """
    order = falling_order(logit)
    falling, hit = logit[order], target[order] != 0
    starts = np.concatenate([[0], np.flatnonzero(falling[1:] != falling[:-1]) + 1]).astype(np.int64)
    ends = np.concatenate([starts[1:], [len(order)]])
    at = np.flatnonzero(hit)
    holds = np.unique(np.searchsorted(starts, at, "right") - 1)
    decision = np.count_nonzero(probability >= threshold)
    cuts = np.unique(np.concatenate([[0, decision, len(order)], starts[holds], ends[holds]]))
    return Ranked(
        exam=order if exam is None else exam[order],
        target=hit,
        probability=probability[order].astype(np.float64),
        groups=starts,
        cuts=cuts,
        decided=int(np.searchsorted(cuts, decision)),
    )


def curve_of(ranked: Ranked, times: np.ndarray, lines: Lines | None = None) -> Curve:
    """Count along the order of a class under resamples.

    times : (replicate, exam) int32, how many times each exam counts; the class has a positive and a negative
    lines : `lines_of(times)`, the same for the compiled kernel; without it numpy counts, to the same numbers
    """
    along = ranked.exam, ranked.target, ranked.cuts
    counted = count_by_numpy(times, *along) if lines is None else count_by_kernel(lines, *along)
    return Curve(
        tp=counted[0],
        fp=counted[1],
        decided_tp=counted[0][:, ranked.decided],
        decided_fp=counted[1][:, ranked.decided],
        exam=ranked.exam,
        target=ranked.target,
        probability=ranked.probability,
        groups=ranked.groups,
        times=times,
    )


def of_resamples(curve: Curve, chosen: np.ndarray) -> Curve:
    """The same class under some of the resamples."""
    parts = {name: getattr(curve, name)[chosen] for name in ("tp", "fp", "decided_tp", "decided_fp", "times")}
    return replace(curve, **parts)
