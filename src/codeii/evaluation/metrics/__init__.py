"""The metrics: one file each, named in `params.yaml` under `evaluation: metrics`. There are two shapes of them.

A metric of one class exports

    def score(curve: Curve) -> NDArray[np.float64]    # (replicate,)

where `Curve` (codeii.evaluation.ranking) is one class under some resamples of its exams. Ranking metrics use its
counts `tp` and `fp` at the cuts along the falling logit, metrics of the decision use `decided_tp` and `decided_fp`,
metrics of the probabilities use `exam`, `target`, `probability` and `times`. Each resample passed in has a positive
and a negative; a class or resample without is undefined and never reaches a metric. Every score is finite. The same
function gives the micro average, from the curve of all classes pooled.

A metric of all classes together exports

    def why_not(classes) -> str                        # why it says nothing of a label set; "" where it applies
    def rows(classes) -> dict[str, tuple[str, ...]]    # what it scores: a class, or a group and the classes in it
    def judged(target) -> NDArray[np.bool_]            # (exam,) the exams it is made from; others are left out, counted
    def score_all(whole: Whole) -> dict[str, NDArray]  # (replicate,) by the same names

where `Whole` (codeii.evaluation.whole) is a run under some resamples and a group is one of the names in
codeii.schema.averages. NaN is a score that is undefined in a resample. Of a metric that scores every class, the macros
and the weighted average are made as of any other; its classes are undefined where those of other metrics are.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve
from codeii.evaluation.whole import Whole

Metric = Callable[[Curve], NDArray[np.float64]]


class WholeMetric(Protocol):
    """A file with a metric of all classes together."""

    def why_not(self, classes: Sequence[str]) -> str:
        """Why it does not apply to these classes, "" where it does."""

    def rows(self, classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The classes that each of its scores is made from."""

    def judged(self, target: np.ndarray) -> NDArray[np.bool_]:
        """(exam,) the exams that count."""

    def score_all(self, whole: Whole) -> dict[str, NDArray[np.float64]]:
        """(replicate,) by class or group."""


def metric_names() -> list[str]:
    """Names of the metrics that exist: one file of this folder each."""
    return sorted(module.name for module in iter_modules(__path__))


def load_metrics(names: Sequence[str]) -> list[Metric]:
    """Functions of the named metrics of one class, in order. Raises ValueError on a name without such a file."""
    of_class, whole = load_by_shape(names)
    if whole:
        raise ValueError(f"metric {', '.join(names[place] for place in whole)} is of all classes, not of one")
    return list(of_class.values())


def load_by_shape(names: Sequence[str]) -> tuple[dict[int, Metric], dict[int, WholeMetric]]:
    """Metrics of one class, and metrics of all classes together, each by its place among the names.

    Raises ValueError on a name without a file.
    """
    unknown = sorted(set(names) - set(metric_names()))
    if unknown:
        raise ValueError(f"metric {', '.join(unknown)} does not exist; there are {', '.join(metric_names())}")
    modules = {place: import_module(f"{__name__}.{name}") for place, name in enumerate(names)}
    whole = {place: cast(WholeMetric, module) for place, module in modules.items() if hasattr(module, "score_all")}
    return {place: module.score for place, module in modules.items() if place not in whole}, whole
