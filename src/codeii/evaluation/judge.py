"""Judge runs on one bench: thresholds from the validation split, scores and resampled scores of the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeii.evaluation.bootstrap import draw_patients, percentile_interval
from codeii.evaluation.exams import Truth
from codeii.evaluation.metrics import Metric, load_metrics
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.rows import Row, Tally, score_rows, tally_of, with_macros
from codeii.evaluation.scoring import rank_classes, score_point, score_replicates
from codeii.evaluation.thresholds import choose_thresholds
from codeii.schema.params import Evaluation


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of an experiment are judged on."""

    wanted: Evaluation
    metrics: list[Metric]
    classes: tuple[str, ...]
    validation: Truth
    test: Truth
    times: np.ndarray  # (replicate, patient) of the test split
    validation_tally: Tally
    test_tally: Tally


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, judged; rows are those of the tallies."""

    thresholds: np.ndarray  # (class,)
    validation: np.ndarray  # (metric, row)
    test: np.ndarray  # (metric, row)
    replicates: np.ndarray  # (metric, row, replicate) of the test split


def prepare_bench(validation: Truth, test: Truth, classes: tuple[str, ...], wanted: Evaluation) -> Bench:
    """Draw the resamples and count the classes once for all runs."""
    return Bench(
        wanted=wanted,
        metrics=load_metrics(wanted.metrics),
        classes=classes,
        validation=validation,
        test=test,
        times=draw_patients(len(np.unique(test.patient)), wanted.replicates, wanted.seed),
        validation_tally=tally_of(validation, classes, wanted.few_positives),
        test_tally=tally_of(test, classes, wanted.few_positives),
    )


def judge_run(validation: np.ndarray, test: np.ndarray, bench: Bench) -> Judged:
    """Judge one run from its (exam, class) float32 logits of the validation and the test split."""
    thresholds = choose_thresholds(to_probability(validation), bench.validation.target, bench.wanted.threshold)
    ranked_validation = rank_classes(validation, bench.validation.target, thresholds)
    ranked = rank_classes(test, bench.test.target, thresholds)
    replicates = score_replicates(ranked, bench.metrics, bench.times, bench.test.patient)
    return Judged(
        thresholds=thresholds,
        validation=with_macros(score_point(ranked_validation, bench.metrics, len(validation)), bench.validation_tally),
        test=with_macros(score_point(ranked, bench.metrics, len(test)), bench.test_tally),
        replicates=with_macros(replicates, bench.test_tally),
    )


def run_rows(of: Row, judged: Judged, bench: Bench) -> list[Row]:
    """Rows of one run: macro of the validation split, its thresholds, everything of the test split.

    of : experiment, model, start, fraction, per_class, seed.
    """
    metrics, of_validation, classes = bench.wanted.metrics, (*of, "validation"), range(len(bench.classes))
    interval = percentile_interval(judged.replicates, bench.wanted.level)
    tally, every = bench.test_tally, range(len(bench.test_tally.names))
    return [
        *score_rows(of_validation, metrics, bench.validation_tally, [len(classes)], judged.validation, None),
        *score_rows(of_validation, ["threshold"], bench.validation_tally, classes, judged.thresholds[None], None),
        *score_rows((*of, "test"), metrics, tally, every, judged.test, interval),
    ]


def mean_rows(
    of: Row, validations: Sequence[np.ndarray], points: Sequence[np.ndarray], replicates: np.ndarray, bench: Bench
) -> list[Row]:
    """Rows of the mean over seeds, and where there are several seeds the macro's standard deviation over them.

    of : experiment, model, start, fraction, per_class; validations, points : (metric, row) of each seed;
    replicates : (metric, row, replicate), averaged over the seeds.
    """
    metrics, macro_row = bench.wanted.metrics, len(bench.classes)
    interval = percentile_interval(replicates, bench.wanted.level)
    tally, every = bench.test_tally, range(len(bench.test_tally.names))
    value, validation = np.mean(points, axis=0), np.mean(validations, axis=0)
    rows = [
        *score_rows((*of, "mean", "validation"), metrics, bench.validation_tally, [macro_row], validation, None),
        *score_rows((*of, "mean", "test"), metrics, tally, every, value, interval),
    ]
    if len(points) > 1:
        spread = np.std(points, axis=0, ddof=1)
        names = [f"{metric}_seed_sd" for metric in metrics]
        rows += score_rows((*of, "mean", "test"), names, tally, [macro_row], spread, None)
    return rows


def undefined_resamples(judged: Judged, bench: Bench) -> dict[str, int]:
    """Resamples in which an evaluable class has no positive or no negative; the same for every run."""
    skipped = np.isnan(judged.replicates[0]).sum(axis=1)
    return {bench.classes[at]: int(skipped[at]) for at in np.flatnonzero(bench.test.evaluable) if skipped[at]}


def facts_of(bench: Bench) -> dict[str, Any]:
    """What a reader of the scores must know: how many were judged, and which classes could not be."""
    unjudged = {
        split: [name for name, judged in zip(bench.classes, truth.evaluable, strict=True) if not judged]
        for split, truth in (("validation", bench.validation), ("test", bench.test))
    }
    return {
        "exams": {"validation": len(bench.validation.target), "test": len(bench.test.target)},
        "test_patients": int(bench.times.shape[1]),
        "classes": len(bench.classes),
        "not_evaluable": unjudged,
        "default_thresholds": unjudged["validation"],
        "replicates": int(bench.times.shape[0]),
    }
