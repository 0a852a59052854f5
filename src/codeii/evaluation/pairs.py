"""Differences between arms of one task on the same exams and the same resamples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from codeii.evaluation.bootstrap import basic_interval, percentile_interval, two_sided_p
from codeii.evaluation.holm import holm
from codeii.evaluation.rows import Row
from codeii.schema.amounts import Amount, amount_word


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs that differ in nothing but the seed."""

    experiment: str
    model: str
    start: str
    fraction: float
    per_class: int

    @property
    def amount(self) -> Amount:
        """How much its runs learn from."""
        return self.fraction, self.per_class

    @property
    def words(self) -> str:
        """The arm as paths say it."""
        return f"{self.experiment}/{self.model}/{self.start}-{amount_word(*self.amount)}"


@dataclass(frozen=True, slots=True)
class Resampled:
    """Averages and groups of an arm, averaged over its seeds."""

    n_seeds: int
    value: np.ndarray  # (metric, class)
    replicates: np.ndarray  # (metric, class, replicate)


def pairs_of(arms: Sequence[Arm]) -> Iterator[tuple[Arm, Arm]]:
    """Every two arms that learned from the same amount, the later one first: it is compared with the earlier one."""
    for early, late in combinations(arms, 2):
        if early.amount == late.amount:
            yield late, early


def compare_arms(
    arms: dict[Arm, Resampled],
    metrics: Sequence[str],
    classes: Sequence[str],
    level: float,
    n_exams: int,
) -> list[Row]:
    """Rows of `COMPARISON_COLUMNS`: each arm minus each earlier one of the same amount, for every metric and average.

    The p values of one metric and average are one family, all pairs of the task together (`holm`). A score that is
    undefined for either gives no row.
    """
    pairs = list(pairs_of(list(arms)))
    if not pairs:
        return []
    apart = [arms[late].value - arms[early].value for late, early in pairs]
    ends, p = [], np.full((len(pairs), len(metrics), len(classes)), np.nan)
    for number, (late, early) in enumerate(pairs):
        drawn = arms[late].replicates - arms[early].replicates
        percentile = percentile_interval(drawn, level)
        ends.append(np.stack([*percentile, *basic_interval(apart[number], percentile)]))
        p[number] = np.where(np.isnan(apart[number]), np.nan, two_sided_p(drawn))
    adjusted = np.apply_along_axis(holm, 0, p)
    family = (~np.isnan(p)).sum(axis=0)
    return [
        (
            *(late.experiment, late.model, late.start, early.experiment, early.model, early.start),
            *(*late.amount, metric, name, float(apart[number][at, row]), *map(float, ends[number][:, at, row])),
            *(float(p[number, at, row]), float(adjusted[number, at, row]), int(family[at, row])),
            *(n_exams, arms[late].n_seeds, arms[early].n_seeds),
        )
        for number, (late, early) in enumerate(pairs)
        for row, name in enumerate(classes)
        for at, metric in enumerate(metrics)
        if not np.isnan(apart[number][at, row])
    ]
