"""Sort the exams of a class once, then count hits and false alarms along that order for any number of resamples.

A resample is a vector that says how many times each exam counts. Every score of a class is then a function of two
running sums along the falling logit, taken where its ROC curve turns: no resample is ever sorted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class of one run, sorted by falling logit. A cut after n exams calls the first n positive."""

    target: np.ndarray  # (exam,) bool
    probability: np.ndarray  # (exam,) float64
    order: np.ndarray  # (exam,) exam numbers by falling logit
    cuts: np.ndarray  # (cut,) 0 = first < ... < last = all exams; never inside a group of equal logits
    hits: np.ndarray  # (positive,) exam numbers of the positives by falling logit
    hit_starts: np.ndarray  # (step,) where in `hits` each step between cuts that holds positives begins
    hit_steps: np.ndarray  # (step,) number of that step
    decided: int  # the cut that the decision threshold makes


@dataclass(frozen=True, slots=True)
class Curve:
    """What a metric sees: one class of one run under some resamples, each with a positive and a negative."""

    tp: NDArray[np.float64]  # (replicate, cut) positives called at each cut: none first, all last
    fp: NDArray[np.float64]  # (replicate, cut) negatives called at each cut
    decided: int  # the cut that the decision threshold makes
    target: NDArray[np.bool_]  # (exam,)
    probability: NDArray[np.float64]  # (exam,)
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


def rank(logit: np.ndarray, target: np.ndarray, probability: np.ndarray, threshold: float) -> Ranked:
    """Sort one class and keep the cuts at which its curve can turn.

    Parameters
    ----------
    logit : (exam,) what is sorted; equal values are one group, called together
    target : (exam,) 0/1
    probability : (exam,) never falls where the logit rises
    threshold : an exam is called positive where its probability is at or above it

    Notes
    -----
    Kept are nothing, everything, the decision, and both ends of each group that holds a positive. Between two kept
    cuts without a positive the curve is straight, so areas and maxima are those of all cuts.
    """
    order = np.argsort(-logit, kind="stable")
    falling, hit = logit[order], target[order] != 0
    starts = np.concatenate([[0], np.flatnonzero(falling[1:] != falling[:-1]) + 1])
    ends = np.concatenate([starts[1:], [len(order)]])
    at = np.flatnonzero(hit)
    holds = np.unique(np.searchsorted(starts, at, "right") - 1)
    decision = np.count_nonzero(probability >= threshold)
    cuts = np.unique(np.concatenate([[0, decision, len(order)], starts[holds], ends[holds]]))
    hit_steps, hit_starts = np.unique(np.searchsorted(cuts, at, "right") - 1, return_index=True)
    return Ranked(
        target=target != 0,
        probability=probability.astype(np.float64),
        order=order,
        cuts=cuts,
        hits=order[at],
        hit_starts=hit_starts,
        hit_steps=hit_steps,
        decided=int(np.searchsorted(cuts, decision)),
    )


def curve_of(ranked: Ranked, times: np.ndarray) -> Curve:
    """Count along the order of a class under resamples.

    times : (replicate, exam) int32, how many times each exam counts; the class has a positive and a negative.
    """
    taken = np.add.reduceat(np.take(times, ranked.order, axis=1), ranked.cuts[:-1], axis=1, dtype=np.int32)
    found = np.add.reduceat(np.take(times, ranked.hits, axis=1), ranked.hit_starts, axis=1, dtype=np.int32)
    tp = np.zeros((len(times), len(ranked.cuts)))
    tp[:, ranked.hit_steps + 1] = found
    called = np.zeros_like(tp)
    called[:, 1:] = taken
    np.cumsum(tp, axis=1, out=tp)
    np.cumsum(called, axis=1, out=called)
    called -= tp
    return Curve(tp, called, ranked.decided, ranked.target, ranked.probability, times)
