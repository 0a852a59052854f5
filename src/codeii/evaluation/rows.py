"""Rows of the score tables: which number stands for what, and what it was counted on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codeii.artifacts.scores import BOUNDED
from codeii.evaluation.bootstrap import basic_interval, percentile_interval
from codeii.evaluation.exams import Truth
from codeii.schema.averages import AVERAGES

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What the rows of one split are counted on: a row per class, then one per name in `AVERAGES`, then the groups."""

    names: tuple[str, ...]
    n_exams: int
    n_positives: np.ndarray  # (row,) of an average or group: summed over its classes
    n_classes: np.ndarray  # (row,) 1 for a class
    members: np.ndarray  # (average, class) bool
    evaluable: np.ndarray  # (class,) bool

    @property
    def averages(self) -> slice:
        """The rows of the averages."""
        return slice(len(self.evaluable), len(self.evaluable) + len(AVERAGES))

    @property
    def overall(self) -> list[int]:
        """The rows that sum up a run: its macro and its groups."""
        return [len(self.evaluable), *range(self.averages.stop, len(self.names))]


@dataclass(frozen=True, slots=True)
class Intervals:
    """How sure (metric, row) scores are, each field of that shape."""

    low: np.ndarray
    high: np.ndarray
    basic_low: np.ndarray
    basic_high: np.ndarray
    resamples: np.ndarray  # in which the score is defined

    def of(self, metric: int, row: int) -> tuple[float, float, float, float, int]:
        """One score's, in the order of `SCORE_COLUMNS`."""
        ends = (self.low, self.high, self.basic_low, self.basic_high)
        low, high, basic_low, basic_high = (float(end[metric, row]) for end in ends)
        return low, high, basic_low, basic_high, int(self.resamples[metric, row])


def no_intervals(shape: tuple[int, ...]) -> Intervals:
    """Of scores that were not resampled."""
    nothing = np.full(shape, np.nan)
    return Intervals(nothing, nothing, nothing, nothing, np.zeros(shape, np.int64))


def intervals_of(value: np.ndarray, replicates: np.ndarray, metrics: Sequence[str], level: float) -> Intervals:
    """Percentile and basic intervals; a basic interval is cut where the metric ends.

    value : (metric, row); replicates : (metric, row, replicate), NaN where undefined
    """
    low, high = percentile_interval(replicates, level)
    basic_low, basic_high = basic_interval(value, (low, high))
    bounded = np.isin(metrics, BOUNDED)
    for end in (basic_low, basic_high):
        end[bounded] = np.clip(end[bounded], 0, 1)
    return Intervals(low, high, basic_low, basic_high, (~np.isnan(replicates)).sum(axis=-1))


def tally_of(
    truth: Truth, classes: Sequence[str], few_positives: int, groups: Mapping[str, Sequence[str]] | None = None
) -> Tally:
    """Count the exams of a split. An average takes the evaluable classes; a frequent macro those of enough positives.

    groups : the classes of each group
    """
    frequent = truth.evaluable & (truth.positives >= few_positives)
    members = np.stack([frequent if name == "macro_frequent" else truth.evaluable for name in AVERAGES])
    of_groups = [[name in chosen for name in classes] & truth.evaluable for chosen in (groups or {}).values()]
    several = np.stack([*members, *of_groups])
    return Tally(
        names=(*classes, *AVERAGES, *(groups or {})),
        n_exams=len(truth.target),
        n_positives=np.concatenate([truth.positives, several @ truth.positives]),
        n_classes=np.concatenate([np.ones(len(classes), np.int64), several.sum(axis=1)]),
        members=members,
        evaluable=truth.evaluable,
    )


def score_rows(
    of: Row,
    metrics: Sequence[str],
    tally: Tally,
    chosen: Iterable[int],
    value: np.ndarray,
    interval: "Intervals | None" = None,
    made: np.ndarray | None = None,
) -> list[Row]:
    """Rows of `SCORE_COLUMNS` for some rows of a tally.

    of : experiment, model, start, fraction, per_class, seed, split; value : (metric, row); no interval gives
    NaN; made : (metric, row) bool, which of them there are, all where it is not given.
    """
    found = interval or no_intervals(value.shape)
    return [
        (*of, metric, tally.names[row], float(value[at, row]), *found.of(at, row), *counted)
        for row in chosen
        for counted in [(tally.n_exams, int(tally.n_positives[row]), int(tally.n_classes[row]))]
        for at, metric in enumerate(metrics)
        if made is None or made[at, row]
    ]
