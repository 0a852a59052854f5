"""Judge runs on one bench: thresholds from the validation split, scores and resampled scores of the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeii.evaluation.bootstrap import draw_patients
from codeii.evaluation.exams import Truth
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.rows import Row, Tally, intervals_of, score_rows, tally_of
from codeii.evaluation.table import Wanted, make_ready, rows_made, score_all_rows, score_as_they_are, wanted_for
from codeii.evaluation.thresholds import RULES, choose_thresholds
from codeii.schema.params import Evaluation


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of an experiment are judged on."""

    wanted: Evaluation
    metrics: Wanted
    classes: tuple[str, ...]
    validation: Truth
    test: Truth
    times: np.ndarray  # (replicate, patient) of the test split
    validation_tally: Tally
    test_tally: Tally
    made: np.ndarray  # (metric, row) bool: which scores there are


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, judged; rows are those of the tallies."""

    thresholds: np.ndarray  # (rule, class), in the order of `RULES`
    validation: np.ndarray  # (metric, row)
    test: np.ndarray  # (metric, row)
    replicates: np.ndarray  # (metric, row, replicate) of the test split


def prepare_bench(validation: Truth, test: Truth, classes: tuple[str, ...], wanted: Evaluation) -> Bench:
    """Draw the resamples and count the classes once for all runs."""
    metrics = wanted_for(wanted.metrics, classes)
    tallies = [tally_of(truth, classes, wanted.few_positives, metrics.groups) for truth in (validation, test)]
    return Bench(
        wanted=wanted,
        metrics=metrics,
        classes=classes,
        validation=validation,
        test=test,
        times=draw_patients(len(np.unique(test.patient)), wanted.replicates, wanted.seed),
        validation_tally=tallies[0],
        test_tally=tallies[1],
        made=rows_made(metrics, tallies[1]),
    )


def judge_run(validation: np.ndarray, test: np.ndarray, bench: Bench) -> Judged:
    """Judge one run from its (exam, class) float32 logits of the validation and the test split."""
    thresholds = choose_thresholds(to_probability(validation), bench.validation.target, RULES, bench.wanted.sensitivity)
    used = thresholds[RULES.index(bench.wanted.threshold)]
    of_validation = make_ready(validation, bench.validation, bench.classes, used)
    ready = make_ready(test, bench.test, bench.classes, used)
    return Judged(
        thresholds=thresholds,
        validation=score_as_they_are(of_validation, bench.metrics, bench.validation_tally),
        test=score_as_they_are(ready, bench.metrics, bench.test_tally),
        replicates=score_all_rows(ready, bench.metrics, bench.test_tally, bench.times, bench.test.patient),
    )


def run_rows(of: Row, judged: Judged, bench: Bench) -> list[Row]:
    """Rows of one run: what sums up the validation split, its thresholds, everything of the test split.

    of : experiment, model, start, fraction, per_class, seed.
    """
    metrics, of_validation, classes = bench.wanted.metrics, (*of, "validation"), range(len(bench.classes))
    interval = intervals_of(judged.test, judged.replicates, metrics, bench.wanted.level)
    tally, every = bench.test_tally, range(len(bench.test_tally.names))
    rules = [f"threshold_{rule}" for rule in RULES]
    used = judged.thresholds[RULES.index(bench.wanted.threshold)]
    thresholds = np.stack([used, *judged.thresholds])
    overall = bench.validation_tally.overall
    return [
        *score_rows(of_validation, metrics, bench.validation_tally, overall, judged.validation, None, bench.made),
        *score_rows(of_validation, ["threshold", *rules], bench.validation_tally, classes, thresholds),
        *score_rows((*of, "test"), metrics, tally, every, judged.test, interval, bench.made),
    ]


def mean_rows(
    of: Row, validations: Sequence[np.ndarray], points: Sequence[np.ndarray], replicates: np.ndarray, bench: Bench
) -> list[Row]:
    """Rows of the mean over seeds, and where there are several the standard deviation over them of what sums a run up.

    of : experiment, model, start, fraction, per_class; validations, points : (metric, row) of each seed;
    replicates : (metric, row, replicate), averaged over the seeds.
    """
    metrics, overall = bench.wanted.metrics, bench.test_tally.overall
    tally, every = bench.test_tally, range(len(bench.test_tally.names))
    value, validation = np.mean(points, axis=0), np.mean(validations, axis=0)
    interval = intervals_of(value, replicates, metrics, bench.wanted.level)
    rows = [
        *score_rows(
            (*of, "mean", "validation"), metrics, bench.validation_tally, overall, validation, None, bench.made
        ),
        *score_rows((*of, "mean", "test"), metrics, tally, every, value, interval, bench.made),
    ]
    if len(points) > 1:
        spread = np.std(points, axis=0, ddof=1)
        names = [f"{metric}_seed_sd" for metric in metrics]
        rows += score_rows((*of, "mean", "test"), names, tally, overall, spread, made=bench.made)
    return rows


def undefined_resamples(judged: Judged, bench: Bench) -> dict[str, int]:
    """Resamples in which an evaluable class has no positive or no negative; the same for every run."""
    if not bench.metrics.of_class:
        return {}
    skipped = np.isnan(judged.replicates[next(iter(bench.metrics.of_class))]).sum(axis=1)
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
        "not_applicable": bench.metrics.not_applicable,
        "left_out": left_out(bench),
        "sensitivity": bench.wanted.sensitivity,
    }


def left_out(bench: Bench) -> dict[str, int]:
    """Test exams that a metric of all classes is not made from, by metric, where there are any."""
    counted = {
        bench.metrics.names[place]: int((~metric.judged(bench.test.target)).sum())
        for place, metric in bench.metrics.whole.items()
    }
    return {name: number for name, number in counted.items() if number}
