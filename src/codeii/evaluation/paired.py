"""Differences between the starts of an experiment on the same exams and the same resamples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeii.evaluation.bootstrap import percentile_interval
from codeii.evaluation.rows import Row
from codeii.schema.amounts import amount_word
from codeii.schema.averages import AVERAGES


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs that differ in nothing but the seed."""

    experiment: str
    model: str
    start: str
    fraction: float
    per_class: int

    @property
    def amount(self) -> str:
        """The amount of training data, as paths say it."""
        return amount_word(self.fraction, self.per_class)


@dataclass(frozen=True, slots=True)
class SeedMean:
    """Averages over the classes of an arm, averaged over its seeds."""

    seeds: tuple[int, ...]
    value: np.ndarray  # (metric, average)
    replicates: np.ndarray  # (metric, average, replicate)


def compare_starts(
    arms: Mapping[Arm, SeedMean], reference: str, metrics: Sequence[str], level: float, n_exams: int
) -> list[Row]:
    """Rows of `COMPARISON_COLUMNS`: each start minus the reference start, per model and amount of data.

    Raises ValueError where an arm has no reference arm, or one with other seeds.
    """
    rows: list[Row] = []
    for arm, mean in arms.items():
        if arm.start == reference:
            continue
        base = arms.get(replace(arm, start=reference))
        if base is None:
            known = sorted({other.start for other in arms if other.amount == arm.amount})
            raise ValueError(
                f"reference start {reference!r} has no run of {arm.model} at {arm.amount}; there are {known}"
            )
        if sorted(base.seeds) != sorted(mean.seeds):
            raise ValueError(f"{arm.start} has seeds {mean.seeds}, the reference {reference} has {base.seeds}")
        difference = mean.value - base.value
        low, high = percentile_interval(mean.replicates - base.replicates, level)
        of = (arm.experiment, arm.model, arm.start, reference, arm.fraction, arm.per_class)
        rows += [
            (*of, metric, name, *(float(part[at, row]) for part in (difference, low, high)), n_exams, len(mean.seeds))
            for row, name in enumerate(AVERAGES)
            for at, metric in enumerate(metrics)
        ]
    return rows
