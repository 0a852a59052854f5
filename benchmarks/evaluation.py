"""Bootstrap of AUROC, AUPRC and F1 against loops over scikit-learn, on the same resamples; DeLong against all pairs.

    python benchmarks/evaluation.py

The loops are timed on a few resamples and compared per resample; both sides must agree to 1e-12 on each of them. All
use one thread, so processor time is compared: on a busy machine the clock on the wall tells little. The PTB-XL
benchmark's own way is macro AUROC of every resample by scikit-learn; it shares them out over a pool of processes, which
saves no processor time. What the averages and the metrics of all classes add is timed beside them.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from harness import as_a_job, report
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from codeii.evaluation import delong
from codeii.evaluation.bootstrap import draw_patients
from codeii.evaluation.exams import Truth
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.rows import tally_of
from codeii.evaluation.scoring import macro, rank_classes, score_replicates
from codeii.evaluation.table import make_ready, score_all_rows, wanted_for

NAMES = ["auroc", "auprc", "f1"]
EVERY = [*NAMES, "fmax", "sensitivity", "specificity", "ppv", "brier", "ece", "f2", "g2"]
METRICS, AUROC = load_metrics(NAMES), load_metrics(["auroc"])
LOOPED, ROUNDS = 2, 5
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


def benchmarks_way(exams: int, classes: int, replicates: int) -> tuple[Compute, Compute]:
    """Macro AUROC: ours on all resamples, drawing and sorting included; the benchmark's on the first few."""
    logit, target, thresholds = exams_of(exams, classes)
    few = [np.repeat(np.arange(exams), counts) for counts in draw_patients(exams, LOOPED, 0)]
    every = np.ones(classes, bool)

    def ours() -> np.ndarray:
        ranked = rank_classes(logit, target, thresholds)
        return macro(score_replicates(ranked, AUROC, draw_patients(exams, replicates, 0), np.arange(exams)), every)[0]

    return ours, lambda: np.array([roc_auc_score(target[drawn], logit[drawn], average="macro") for drawn in few])


def whole_table(exams: int, classes: int, replicates: int, metrics: list[str]) -> Compute:
    """All rows of a run: classes, the four averages, and metrics of all classes together."""
    logit, target, thresholds = exams_of(exams, classes)
    names, number = tuple(f"c{place}" for place in range(classes)), np.arange(exams)
    truth = Truth(number, number, target, np.full(exams, -1))
    wanted, tally = wanted_for(metrics, names), tally_of(truth, names, 10)

    def ours() -> np.ndarray:
        ready = make_ready(logit, truth, names, thresholds)
        return score_all_rows(ready, wanted, tally, draw_patients(exams, replicates, 0), number)

    return ours


def delong_ways(exams: int, classes: int) -> tuple[Compute, Compute]:
    """DeLong's covariance of two models in every class: by ranks, and by numpy on every pair of exams in float64."""
    first, target, _ = map(np.asfortranarray, exams_of(exams, classes))
    second = np.asfortranarray(first + np.random.default_rng(1).standard_normal(first.shape).astype(np.float32))

    def ours() -> np.ndarray:
        found = []
        for number in range(classes):
            hit = target[:, number]
            pair = [delong.components(logit[:, number], hit) for logit in (first, second)]
            found.append(delong.compare(*pair, hit).covariance)
        return np.array(found)

    def counted() -> np.ndarray:
        found = []
        for number in range(classes):
            hit = target[:, number]
            pairs = [stands_above(logit[hit, number], logit[~hit, number]) for logit in (first, second)]
            rows = [[each.mean(axis=axis) for each in pairs] for axis in (1, 0)]
            found.append(sum(np.cov(both) / len(both[0]) for both in rows))
        return np.array(found)

    return ours, counted


def stands_above(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """(positive, negative) 1 where the positive stands above, half where both stand alike: the test's own kernel."""
    return np.heaviside(np.subtract.outer(positive.astype(np.float64), negative), 0.5)


def compare_delong(exams: int, classes: int) -> None:
    """Print both sides' time for all classes; they must agree."""
    ours, counted = delong_ways(exams, classes)
    np.testing.assert_allclose(ours(), counted(), rtol=0, atol=1e-12)
    each: dict[str, list[float]] = {"every pair": [], "ours": []}
    for _ in range(ROUNDS):
        each["every pair"].append(processor_seconds(counted))
        each["ours"].append(processor_seconds(ours))
    print(f"DeLong of two models, {exams} exams, {classes} classes")
    print(report(each, "every pair", 1, "comparison"), flush=True)


def processor_seconds(work: Compute) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(title: str, ours: Compute, loop: Compute, replicates: int) -> None:
    """Print both sides' time per resample; they must agree on the first few."""
    np.testing.assert_allclose(ours()[..., :LOOPED], loop(), rtol=0, atol=1e-12)
    each: dict[str, list[float]] = {"scikit-learn": [], "ours": []}
    for _ in range(ROUNDS):
        each["scikit-learn"].append(processor_seconds(loop) / LOOPED)
        each["ours"].append(processor_seconds(ours) / replicates)
    print(f"{title}; ours: {median(each['ours']) * replicates:.2f} s")
    print(report(each, "scikit-learn", 1, "resample"), flush=True)


def main() -> None:
    for size in CASES:
        compare("{} exams, {} classes, {} resamples".format(*size), *contestants(*size), size[2])
    compare(
        "PTB-XL benchmark's own way, {} exams, {} classes".format(*CASES[1]), *benchmarks_way(*CASES[1]), CASES[1][2]
    )
    compare_delong(*CASES[2][:2])
    for size in CASES:
        for metrics in (NAMES, EVERY):
            seconds = processor_seconds(whole_table(*size, metrics))
            print(
                "{} exams, {} classes, {} resamples".format(*size), f"{len(metrics)} metrics, averages: {seconds:.2f} s"
            )


if __name__ == "__main__":
    as_a_job()
    main()
