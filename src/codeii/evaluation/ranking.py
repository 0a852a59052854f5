"""Sort the exams of a class once, then count hits and false alarms along that order for any number of resamples.

A resample is a vector that says how many times each exam counts. Every score of a class is then a function of two
running sums along the falling logit, taken where its ROC curve turns: no resample is ever sorted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    hits: np.ndarray  # (positive,) exam numbers of the positives
    hit_starts: np.ndarray  # (step,) where in `hits` each step between cuts that holds positives begins
    hit_steps: np.ndarray  # (step,) number of that step
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
    order = np.argsort(-logit, kind="stable")
    falling, hit = logit[order], target[order] != 0
    starts = np.concatenate([[0], np.flatnonzero(falling[1:] != falling[:-1]) + 1]).astype(np.int64)
    ends = np.concatenate([starts[1:], [len(order)]])
    at = np.flatnonzero(hit)
    holds = np.unique(np.searchsorted(starts, at, "right") - 1)
    decision = np.count_nonzero(probability >= threshold)
    cuts = np.unique(np.concatenate([[0, decision, len(order)], starts[holds], ends[holds]]))
    hit_steps, hit_starts = np.unique(np.searchsorted(cuts, at, "right") - 1, return_index=True)
    exam = order if exam is None else exam[order]
    return Ranked(
        exam=exam,
        target=hit,
        probability=probability[order].astype(np.float64),
        groups=starts,
        cuts=cuts,
        hits=exam[at],
        hit_starts=hit_starts,
        hit_steps=hit_steps,
        decided=int(np.searchsorted(cuts, decision)),
    )


def curve_of(ranked: Ranked, times: np.ndarray) -> Curve:
    """Count along the order of a class under resamples.

    times : (replicate, exam) int32, how many times each exam counts; the class has a positive and a negative.
    """
    taken = np.add.reduceat(np.take(times, ranked.exam, axis=1), ranked.cuts[:-1], axis=1, dtype=np.int32)
    found = np.add.reduceat(np.take(times, ranked.hits, axis=1), ranked.hit_starts, axis=1, dtype=np.int32)
    tp = np.zeros((len(times), len(ranked.cuts)))
    tp[:, ranked.hit_steps + 1] = found
    called = np.zeros_like(tp)
    called[:, 1:] = taken
    np.cumsum(tp, axis=1, out=tp)
    np.cumsum(called, axis=1, out=called)
    called -= tp
    return Curve(
        tp=tp,
        fp=called,
        decided_tp=tp[:, ranked.decided],
        decided_fp=called[:, ranked.decided],
        exam=ranked.exam,
        target=ranked.target,
        probability=ranked.probability,
        groups=ranked.groups,
        times=times,
    )
