"""G2 of the PTB-XL benchmark (Strodthoff et al. 2021)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codeii.evaluation.whole import Whole, label_weighted_counts, ratio


def why_not(classes: Sequence[str]) -> str:
    """It applies to every label set."""
    return ""


def rows(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """One for each class."""
    return {name: (name,) for name in classes}


def judged(target: np.ndarray) -> NDArray[np.bool_]:
    """Exams with a class; the benchmark's weight of an exam without one is 1 / 0."""
    return np.asarray(target.any(axis=1))


def score_all(whole: Whole) -> dict[str, NDArray[np.float64]]:
    """TP / (TP + FP + 2 FN) of each class, every exam weighing 1 / (number of its classes); macro over classes.

    Decisions as for F2: this study's thresholds from the validation split, and the most probable class where none is
    called. With the benchmark's thresholds these are its numbers.
    """
    tp, fp, fn = label_weighted_counts(whole)
    return dict(zip(whole.classes, ratio(tp, tp + fp + 2 * fn).T, strict=True))
