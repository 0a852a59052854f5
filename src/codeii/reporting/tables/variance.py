"""Variance: how far training again, and other test patients, would move a score.

Standard deviations of macro AUROC. Over seeds: trainings of the same network on the same data; nothing where there is
one. Over test patients: resamples of the test split, seeds averaged. They answer different questions and are not added.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import MACROS, amount_words, count, interval, number
from codeii.reporting.study import Study

NEEDS = ("comparisons",)
SECTION = "Comparisons"
COLUMNS = ("task", "experiment", "model", "start", "fraction", "per_class", "value", "seed_sd", "test_sd", "n_seeds")


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each arm of several seeds; the file has every arm."""
    points = study.compared["curves"]
    points = points[(points["metric"] == "auroc") & (points["class"] == MACROS[0])].reset_index(drop=True)
    if points.empty:
        return not_run("no score was resampled", COLUMNS)
    several = points[points["n_seeds"] > 1]
    note = "" if len(several) else "No experiment was trained with several seeds."
    return (Part("table", _shown(study, several), points.drop(columns=["protocol", "not_run"]), note=note),)


def _shown(study: Study, points: pd.DataFrame) -> pd.DataFrame:
    if points.empty:
        return pd.DataFrame()
    amounts = zip(points["fraction"], points["per_class"], strict=True)
    return pd.DataFrame(
        {
            "Experiment": study.marked_column(points, "experiment"),
            "Model": list(points["model"]),
            "Start": list(points["start"]),
            "Training data": [amount_words(*amount) for amount in amounts],
            "Macro AUROC": [interval(row["value"], row["low"], row["high"]) for _, row in points.iterrows()],
            "Seeds": [count(value) for value in points["n_seeds"]],
            "SD over seeds": [number(value) for value in points["seed_sd"]],
            "SD over test patients": [number(value) for value in points["test_sd"]],
        }
    )
