"""Classes of a run pooled: every class of every exam is one element, ranked among all others."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from codeii.evaluation.counting import lines_of
from codeii.evaluation.metrics import Metric
from codeii.evaluation.ranking import Ranked, curve_of, rank

AT_ONCE = 1 << 22  # elements counted at once: some tens of megabytes


@dataclass(frozen=True, slots=True)
class Pooled:
    """The classes of a run that can be judged, as one."""

    ranked: Ranked
    counts: np.ndarray  # (exam, 3) float64: how many of an exam's classes are called rightly, wrongly, and are true


def pool(logit: np.ndarray, target: np.ndarray, probability: np.ndarray, called: np.ndarray) -> Pooled | None:
    """Pool (exam, class) arrays of the classes that can be judged, decided class by class; None where there is none."""
    if not target.any():
        return None
    exam = np.repeat(np.arange(len(target)), target.shape[1])
    ranked = rank(logit.ravel(), target.ravel(), probability.ravel(), np.inf, exam)
    counts = [each.sum(axis=1) for each in (called & target, called & ~target, target)]
    return Pooled(ranked, np.stack(counts, axis=1).astype(np.float64))


def score_pooled(pooled: Pooled, metrics: Iterable[Metric], times: np.ndarray) -> np.ndarray:
    """(metric, replicate) of (replicate, exam) int32 times, NaN where all elements of a resample are of one kind."""
    chosen = list(metrics)
    values = np.full((len(chosen), len(times)), np.nan)
    of_exam = len(pooled.ranked.exam) // len(pooled.counts)
    size = max(1, AT_ONCE // len(pooled.ranked.exam))
    for start in range(0, len(times), size):
        block = times[start : start + size]
        right, wrong, true = (block @ pooled.counts).T
        defined = np.flatnonzero((true > 0) & (true < block.sum(axis=1) * of_exam))
        if not len(defined):
            continue
        curve = curve_of(pooled.ranked, block[defined], lines_of(block[defined]))
        curve = replace(curve, decided_tp=right[defined], decided_fp=wrong[defined])
        for row, metric in enumerate(chosen):
            values[row, start + defined] = metric(curve)
    return values
