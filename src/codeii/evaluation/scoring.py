"""Scores of all classes of one run, as they are and under resamples of the patients."""

from collections.abc import Sequence

import numpy as np

from codeii.evaluation.counting import lines_of
from codeii.evaluation.metrics import Metric
from codeii.evaluation.ranking import Ranked, curve_of, evaluable, of_resamples, rank, to_probability

BLOCK = 64  # resamples counted at once: what one class needs then fits a processor's cache


def rank_classes(logit: np.ndarray, target: np.ndarray, thresholds: np.ndarray) -> list[Ranked | None]:
    """Each class sorted once; None for a class without a positive or without a negative.

    logit : (exam, class) float32; target : (exam, class) bool; thresholds : (class,) probabilities.
    """
    probability = to_probability(logit)
    return [
        rank(logit[:, number], target[:, number], probability[:, number], thresholds[number]) if judged else None
        for number, judged in enumerate(evaluable(target))
    ]


def score_classes(ranked: Sequence[Ranked | None], metrics: Sequence[Metric], times: np.ndarray) -> np.ndarray:
    """Every metric of every class under some resamples.

    times : (replicate, exam) int32, how many times each exam counts
    ->  (metric, class, replicate) float64, NaN where a class has no positive or no negative in the resample.
    """
    values = np.full((len(metrics), len(ranked), len(times)), np.nan)
    lines = lines_of(times)
    for number, one in enumerate(ranked):
        if one is None:
            continue
        curve = curve_of(one, times, lines)
        defined = np.flatnonzero((curve.positives > 0) & (curve.negatives > 0))
        if len(defined) == 0:
            continue
        if len(defined) < len(times):
            curve = of_resamples(curve, defined)
        for row, metric in enumerate(metrics):
            values[row, number, defined] = metric(curve)
    return values


def score_replicates(
    ranked: Sequence[Ranked | None], metrics: Sequence[Metric], times: np.ndarray, patient: np.ndarray
) -> np.ndarray:
    """(metric, class, replicate) scores under resamples of the patients, in blocks of bounded memory.

    times : (replicate, patient) how many times each patient counts; patient : (exam,) number of each exam's patient.
    """
    values = np.empty((len(metrics), len(ranked), len(times)))
    for start in range(0, len(times), BLOCK):
        of_exam = np.take(times[start : start + BLOCK].astype(np.int32), patient, axis=1)
        values[:, :, start : start + BLOCK] = score_classes(ranked, metrics, of_exam)
    return values


def macro(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Unweighted mean over the member classes that are defined.

    values : (metric, class) or (metric, class, replicate), NaN where undefined; members : (class,) bool
    ->  (metric,) or (metric, replicate), NaN only where no member is defined.
    """
    chosen = values[:, members]
    defined = ~np.isnan(chosen)
    count = defined.sum(axis=1)
    total = np.where(defined, chosen, 0.0).sum(axis=1)
    mean: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def weighted(values: np.ndarray, positives: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Mean over the member classes that are defined, each weighing as many as its positives.

    values : (metric, class, replicate), NaN where undefined; positives : (class, replicate) in each resample
    ->  (metric, replicate), NaN only where no member is defined.
    """
    chosen = values[:, members]
    weights = np.where(np.isnan(chosen), 0.0, positives[members])
    total = np.where(np.isnan(chosen), 0.0, chosen * weights).sum(axis=1)
    weight = weights.sum(axis=1)
    mean: np.ndarray = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return mean
