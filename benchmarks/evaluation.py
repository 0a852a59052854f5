"""Bootstrap of AUROC, AUPRC and F1 against the usual loop over scikit-learn, on the same resamples.

    python benchmarks/evaluation.py

The loop is timed on a few resamples and compared per resample; both sides must agree to 1e-12 on each of them. Both
use one thread, so processor time is compared: on a busy machine the clock on the wall tells little.
"""

import time
from collections.abc import Callable

import numpy as np
from harness import report
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from codeii.evaluation.bootstrap import draw_patients
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.scoring import rank_classes, score_replicates

METRICS = load_metrics(["auroc", "auprc", "f1"])
LOOPED, ROUNDS = 2, 3
# exams, classes, resamples: the built-in study's test splits, PTB-XL "all" (fold 10), CODE-II-test
CASES = [(200, 71, 200), (2198, 71, 1000), (8475, 66, 1000)]

Compute = Callable[[], np.ndarray]


def exams_of(exams: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, targets and thresholds with prevalences from 0.2 to 40 %, at least three exams a class."""
    rng = np.random.default_rng(0)
    target = rng.random((exams, classes)) < np.exp(rng.uniform(np.log(0.002), np.log(0.4), classes))
    target[:3] = True
    logit = (rng.standard_normal((exams, classes)) + 1.5 * target).astype(np.float32)
    return logit, target, np.full(classes, 0.7)


def by_scikit_learn(logit: np.ndarray, target: np.ndarray, thresholds: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(metric, class, replicate): one call per metric, class and resample."""
    probability = to_probability(logit)
    values = np.full((3, target.shape[1], len(times)), np.nan)
    for replicate, counts in enumerate(times):
        drawn = np.repeat(np.arange(len(target)), counts)
        for number in range(target.shape[1]):
            truth, scores = target[drawn, number].astype(np.int8), logit[drawn, number]
            if truth.any() and not truth.all():
                called = (probability[drawn, number] >= thresholds[number]).astype(np.int8)
                found = roc_auc_score(truth, scores), average_precision_score(truth, scores), f1_score(truth, called)
                values[:, number, replicate] = found
    return values


def contestants(exams: int, classes: int, replicates: int) -> tuple[Compute, Compute]:
    """Ours on all resamples, drawing and sorting included; the loop on the first few, without drawing them."""
    logit, target, thresholds = exams_of(exams, classes)

    def ours() -> np.ndarray:
        ranked = rank_classes(logit, target, thresholds)
        return score_replicates(ranked, METRICS, draw_patients(exams, replicates, 0), np.arange(exams))

    few = draw_patients(exams, LOOPED, 0)
    return ours, lambda: by_scikit_learn(logit, target, thresholds, few)


def processor_seconds(work: Compute) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    for exams, classes, replicates in CASES:
        ours, loop = contestants(exams, classes, replicates)
        np.testing.assert_allclose(ours()[:, :, :LOOPED], loop(), rtol=0, atol=1e-12)
        each: dict[str, list[float]] = {"scikit-learn": [], "ours": []}
        for _ in range(ROUNDS):
            each["scikit-learn"].append(processor_seconds(loop) / LOOPED)
            each["ours"].append(processor_seconds(ours) / replicates)
        print(f"{exams} exams, {classes} classes, {replicates} resamples; ours: {min(each['ours']) * replicates:.2f} s")
        print(report(each, "scikit-learn", 1, "resample"))


if __name__ == "__main__":
    main()
