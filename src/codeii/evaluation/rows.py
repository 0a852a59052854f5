"""Rows of the score tables: which number stands for what, and what it was counted on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
    interval: tuple[np.ndarray, np.ndarray] | None,
    made: np.ndarray | None = None,
) -> list[Row]:
    """Rows of `SCORE_COLUMNS` for some rows of a tally.

    of : experiment, model, start, fraction, per_class, seed, split; value, low, high : (metric, row); no interval
    gives NaN; made : (metric, row) bool, which of them there are, all where it is not given.
    """
    low, high = interval or (np.full(value.shape, np.nan),) * 2
    return [
        (*of, metric, tally.names[row], *(float(part[at, row]) for part in (value, low, high)), *counted)
        for row in chosen
        for counted in [(tally.n_exams, int(tally.n_positives[row]), int(tally.n_classes[row]))]
        for at, metric in enumerate(metrics)
        if made is None or made[at, row]
    ]
