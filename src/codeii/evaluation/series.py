"""The curves of a task: which arms are points of one, and the rows that come of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from codeii.artifacts.scores import Scores
from codeii.evaluation.bootstrap import percentile_interval
from codeii.evaluation.curves import Line, fit, saving, why_not
from codeii.evaluation.pairs import Arm, Resampled
from codeii.evaluation.rows import Row
from codeii.schema.amounts import AMOUNT
from codeii.schema.averages import AVERAGES

MACRO = AVERAGES[0]
Arms = Mapping[Arm, Resampled]


def point_rows(arms: Arms, judged: Sequence[Scores], level: float, n_exams: int) -> list[Row]:
    """Rows of `curves`: each arm's averages, and beside their spread over the test patients that over the seeds."""
    spread = _seed_deviations(judged)
    metrics, classes = judged[0].replicates.metrics, judged[0].replicates.classes
    rows: list[Row] = []
    for arm, found in arms.items():
        low, high = percentile_interval(found.replicates, level)
        of = (arm.experiment, arm.model, arm.start, *arm.amount)
        rows += [
            (
                *(*of, metric, name, float(found.value[at, row]), float(low[at, row]), float(high[at, row])),
                *(_deviation(found.replicates[at, row]), spread.get((*of, metric, name), float("nan"))),
                *(found.n_seeds, n_exams),
            )
            for row, name in enumerate(classes)
            for at, metric in enumerate(metrics)
            if not np.isnan(found.value[at, row])
        ]
    return rows


def _deviation(drawn: np.ndarray) -> float:
    defined = drawn[~np.isnan(drawn)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")


def _seed_deviations(judged: Sequence[Scores]) -> dict[tuple[Any, ...], float]:
    found: dict[tuple[Any, ...], float] = {}
    for one in judged:
        rows = one.scores[one.scores["metric"].str.endswith("_seed_sd")]
        keys = rows[["experiment", "model", "start", *AMOUNT, "metric", "class"]].itertuples(index=False, name=None)
        for (*of, metric, name), value in zip(keys, rows["value"], strict=True):
            found[(*of, metric.removesuffix("_seed_sd"), name)] = float(value)
    return found


Series = tuple[str, str, str, str]  # model, start, what its experiments share, and what the amount is counted in


def series_of(arms: Arms, shared: Mapping[str, Any]) -> dict[Series, list[Arm]]:
    """Arms that differ in nothing but how much they learned from, by rising amount; the first declared of equal ones.

    shared : for each experiment, what it must have in common with another to be on one curve with it
    """
    series: dict[Series, dict[float, Arm]] = {}
    for arm in arms:
        by = AMOUNT[0] if arm.fraction else AMOUNT[1]
        key = arm.model, arm.start, repr(shared[arm.experiment]), by
        series.setdefault(key, {}).setdefault(arm.fraction or float(arm.per_class), arm)
    return {key: [points[amount] for amount in sorted(points)] for key, points in series.items()}


def _lines(
    arms: Arms, series: Mapping[Series, Sequence[Arm]], metrics: Sequence[str], classes: Sequence[str]
) -> Iterator[tuple[str, dict[Series, Line]]]:
    """For each metric, the macro of every series of several points that has it at each of them."""
    row = classes.index(MACRO)
    for at, metric in enumerate(metrics):
        lines = {}
        for key, points in series.items():
            value = np.array([arms[arm].value[at, row] for arm in points])
            if len(points) < 2 or np.isnan(value).any():
                continue
            amount = np.array([arm.fraction or float(arm.per_class) for arm in points])
            lines[key] = Line(amount, value, np.stack([arms[arm].replicates[at, row] for arm in points]))
        yield metric, lines


def fit_rows(
    arms: Arms, metrics: Sequence[str], classes: Sequence[str], shared: Mapping[str, Any], level: float
) -> list[Row]:
    """Rows of `fits`: every curve of at least two points; with too few for any form, why there is none."""
    series = series_of(arms, shared)
    rows: list[Row] = []
    for metric, lines in _lines(arms, series, metrics, classes):
        for (model, start, common, by), line in lines.items():
            names = dict.fromkeys(arm.experiment for arm in series[(model, start, common, by)])
            of = (" + ".join(names), model, start, by, metric, MACRO)
            if reason := why_not(line):
                rows.append((*of, "", "", *(float("nan"),) * 3, len(line.amount), reason))
            rows += [
                (*of, one.form, one.name, one.value, one.low, one.high, len(line.amount), "")
                for one in fit(line, level)
            ]
    return rows


def efficiency_rows(
    arms: Arms, metrics: Sequence[str], classes: Sequence[str], shared: Mapping[str, Any], level: float
) -> list[Row]:
    """Rows of `efficiency`: for each two starts of a model, at each amount of the later one."""
    series = series_of(arms, shared)
    rows: list[Row] = []
    for metric, lines in _lines(arms, series, metrics, classes):
        for first, second in combinations(lines, 2):
            if (first[0], *first[2:]) != (second[0], *second[2:]):
                continue
            line, other = lines[second], lines[first]
            for at, arm in enumerate(series[second]):
                of = (arm.model, arm.start, first[1], *arm.amount, metric, MACRO)
                found = saving(line, other, at, level)
                ends = (found.times, found.low, found.high, found.bound, found.low_bound, found.high_bound)
                rows.append((*of, *ends, len(other.amount)))
    return rows
