"""Which class is called where another one is true.

Classes are not exclusive, so a plain confusion matrix counts what occurs together as confusion. Here an exam counts
for (true, called) only where it does not have the called class: calling it is a mistake. The share of such mistakes is
set beside that among exams with neither class: what lies above it comes with the true class.
"""

import numpy as np

from codeii.evaluation.rows import Row


def confusion_rows(called: np.ndarray, target: np.ndarray, classes: tuple[str, ...]) -> list[Row]:
    """Rows of `confusion` without the columns of the arm: every two classes of which exams have the first alone.

    called, target : (exam, class) bool
    """
    wrong = (called & ~target).astype(np.float64)
    has, lacks = target.astype(np.float64), (~target).astype(np.float64)
    n, mistaken = has.T @ lacks, has.T @ wrong  # (true, called): called is absent wherever it is called wrongly
    without, all_wrong = lacks.T @ lacks, lacks.T @ wrong
    rows: list[Row] = []
    for true, name in enumerate(classes):
        for other, called_name in enumerate(classes):
            if true == other or not n[true, other]:
                continue
            counts = int(n[true, other]), int(mistaken[true, other])
            elsewhere = int(without[true, other]), int(all_wrong[true, other])
            rows.append((name, called_name, *counts, _share(*counts), *elsewhere, _share(*elsewhere)))
    return rows


def _share(whole: int, part: int) -> float:
    return part / whole if whole else float("nan")
