"""Scores of parts of the test split: women and men, age bands; and what tells a part from all other exams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from codeii.evaluation.bootstrap import percentile_interval
from codeii.evaluation.exams import Truth
from codeii.evaluation.metrics import Metric
from codeii.evaluation.ranking import evaluable
from codeii.evaluation.rows import Row
from codeii.evaluation.scoring import macro, rank_classes, score_classes, score_replicates

Found = dict[str, tuple[tuple[float, ...], tuple[float, ...], int]]  # of a metric: value, difference, common classes

UNKNOWN = "unknown"
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the exams of a split."""

    kind: str
    name: str
    member: np.ndarray  # (exam,) bool


def groups_of(people: pd.DataFrame, age_bands: Sequence[int]) -> Iterator[Group]:
    """Women, men and age bands of a split; who is neither known to be is a group of their own where there are any.

    people : one row per exam with `sex` and `age_years`; age_bands : the years in which a band begins, the first at 0
    """
    sex = people["sex"].to_numpy(str)
    for name in ("female", "male", UNKNOWN):
        yield Group("sex", name, sex == name)
    age = people["age_years"].to_numpy(np.float64)
    starts = [0, *age_bands]
    for low, high in zip(starts, [*age_bands, np.inf], strict=True):
        name = f"{low} and over" if high == np.inf else f"under {high:g}" if low == 0 else f"{low}-{high - 1:g}"
        yield Group("age", name, (age >= low) & (age < high))
    yield Group("age", UNKNOWN, np.isnan(age))


@dataclass(frozen=True, slots=True)
class Asked:
    """What groups of a run are judged with."""

    logit: np.ndarray  # (exam, class) float32
    truth: Truth
    thresholds: np.ndarray  # (class,) of the whole validation split
    metrics: dict[str, Metric]
    times: np.ndarray  # (replicate, patient) of the whole test split: groups share the resamples
    level: float
    fewest: int  # exams


@dataclass(frozen=True, slots=True)
class Scored:
    """Some exams of a run; metrics of one class each."""

    point: np.ndarray  # (metric, class)
    replicates: np.ndarray  # (metric, class, replicate)
    evaluable: np.ndarray  # (class,) bool


def group_rows(asked: Asked, groups: Iterator[Group]) -> list[Row]:
    """For each group that has exams, the macro of every metric and its difference to all other exams.

    Rows of `subgroups` without the columns of the arm.
    """
    rows: list[Row] = []
    for group in groups:
        if not group.member.any():
            continue
        n, patients = int(group.member.sum()), len(np.unique(asked.truth.patient[group.member]))
        positives = asked.truth.target[group.member]
        judged = evaluable(positives)
        counted = (n, patients, int(positives[:, judged].sum()), int(judged.sum()))
        reason = _why_not(n, int(judged.sum()), asked.fewest)
        if reason:
            found: Found = dict.fromkeys(asked.metrics, ((NAN,) * 3, (NAN,) * 3, 0))
        else:
            found = _scored(asked, group.member)
        rows += [
            (group.kind, group.name, name, "macro", *value, *counted, *difference, common, reason)
            for name, (value, difference, common) in found.items()
        ]
    return rows


def _why_not(exams: int, classes: int, fewest: int) -> str:
    if exams < fewest:
        return f"{exams} exams; {fewest} are asked for"
    return "" if classes else "no class has exams with it and without"


def _scored(asked: Asked, member: np.ndarray) -> Found:
    own, others = _score(asked, member), _score(asked, ~member)
    both = own.evaluable & others.evaluable
    apart = macro(own.point, both) - macro(others.point, both)
    apart_drawn = macro(own.replicates, both) - macro(others.replicates, both)
    value, drawn = macro(own.point, own.evaluable), macro(own.replicates, own.evaluable)
    ends, apart_ends = percentile_interval(drawn, asked.level), percentile_interval(apart_drawn, asked.level)
    return {
        name: (
            (float(value[at]), *(float(end[at]) for end in ends)),
            (float(apart[at]), *(float(end[at]) for end in apart_ends)),
            int(both.sum()),
        )
        for at, name in enumerate(asked.metrics)
    }


def _score(asked: Asked, member: np.ndarray) -> Scored:
    target = asked.truth.target[member]
    ranked = rank_classes(asked.logit[member], target, asked.thresholds)
    metrics = list(asked.metrics.values())
    point = score_classes(ranked, metrics, np.ones((1, len(target)), np.int32))[:, :, 0]
    return Scored(point, score_replicates(ranked, metrics, asked.times, asked.truth.patient[member]), evaluable(target))
