"""The metrics: one file, one function, named in `params.yaml` under `evaluation: metrics`.

Every file exports

    def score(curve: Curve) -> NDArray[np.float64]    # (replicate,)

where `Curve` (codeii.evaluation.ranking) is one class under some resamples of its exams. Ranking metrics use its
counts `tp` and `fp` at the cuts along the falling logit, metrics of the decision use the row `decided`, metrics of
the probabilities use `target`, `probability` and `times`. Each resample passed in has a positive and a negative; a
class or resample without is undefined and never reaches a metric. Every score is finite.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.ranking import Curve

Metric = Callable[[Curve], NDArray[np.float64]]


def metric_names() -> list[str]:
    """Names of the metrics that exist: one file of this folder each."""
    return sorted(module.name for module in iter_modules(__path__))


def load_metrics(names: Sequence[str]) -> list[Metric]:
    """Functions of the named metrics, in order. Raises ValueError on a name without a file."""
    unknown = sorted(set(names) - set(metric_names()))
    if unknown:
        raise ValueError(f"metric {', '.join(unknown)} does not exist; there are {', '.join(metric_names())}")
    return [import_module(f"{__name__}.{name}").score for name in names]
