"""Comparisons: which differences between trained networks are more than chance.

Every two starts, models or experiments of a task that learned from the same amount of data, on the same test exams;
differences are of macro AUROC, seeds averaged. Intervals and p values come from the same resamples of the test
patients, so p is never below 2 / (resamples + 1); the last column corrects all pairs of a task together (Holm 1979).
Folded below: the classes that differ by DeLong's test, whose variance counts exams by patient, corrected over the
classes of a pair.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import MACROS, amount_words, count, difference, in_order, number
from codeii.reporting.study import Study

NEEDS = ("comparisons",)
SECTION = "Comparisons"
COLUMNS = ("task", "experiment", "model", "start", "versus_experiment", "versus_model", "versus", "fraction")
SHOWN_CLASSES = 60  # of the smallest p values; the file has all


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each pair, and one for each class of a pair that differs."""
    found = study.compared["comparisons"]
    found = found[(found["metric"] == "auroc") & (found["class"] == MACROS[0])].reset_index(drop=True)
    if found.empty:
        return not_run("no task has two arms that learned from the same amount of data", COLUMNS)
    of_classes = study.compared["delong"].sort_values("p_holm", kind="stable", ignore_index=True)
    return (
        Part("table", _pairs(study, found), found.drop(columns=["protocol", "not_run"])),
        Part(
            "classes",
            _classes(study, of_classes[of_classes["p_holm"] < 0.05].head(SHOWN_CLASSES)),
            of_classes.drop(columns=["protocol", "not_run"]),
            title="Classes that differ by DeLong's test",
            note=_note(of_classes),
            folded=True,
        ),
    )


def _pairs(study: Study, found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Task": study.marked_column(found, "task"),
            "Compared": [_arm(row, "") for _, row in found.iterrows()],
            "With": [_arm(row, "versus_") for _, row in found.iterrows()],
            "Training data": _amounts(found),
            "Difference in AUROC": [
                difference(row["difference"], row["low"], row["high"]) for _, row in found.iterrows()
            ],
            "p": [p_words(p) for p in found["p"]],
            "p, Holm": [p_words(p) for p in found["p_holm"]],
        }
    )


def _classes(study: Study, found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Task": study.marked_column(found, "task"),
            "Compared": [_arm(row, "") for _, row in found.iterrows()],
            "With": [_arm(row, "versus_") for _, row in found.iterrows()],
            "Training data": _amounts(found),
            "Class": list(found["class"]),
            "Positive exams": [count(value) for value in found["n_positives"]],
            "AUROC": [number(value) for value in found["auroc"]],
            "of the other": [number(value) for value in found["versus_auroc"]],
            "Difference": _differences(found),
            "p, Holm": [p_words(p) for p in found["p_holm"]],
        }
    )


def _note(of_classes: pd.DataFrame) -> str:
    differ, tested = int((of_classes["p_holm"] < 0.05).sum()), int(of_classes["p_holm"].notna().sum())
    shown = f"; the {SHOWN_CLASSES} smallest p values are shown" if differ > SHOWN_CLASSES else ""
    return f"{count(differ)} of {count(tested)} tested classes of all pairs have a corrected p below 0.05{shown}."


def _amounts(found: pd.DataFrame) -> list[str]:
    return [amount_words(*amount) for amount in zip(found["fraction"], found["per_class"], strict=True)]


def _differences(found: pd.DataFrame) -> list[str]:
    return [difference(*ends) for ends in zip(found["difference"], found["low"], found["high"], strict=True)]


def _arm(row: pd.Series, which: str) -> str:
    """A side of a pair: its start, and what else tells both sides apart."""
    start = row["versus" if which else "start"]
    apart = [str(row[f"{which}{name}"]) for name in ("model", "experiment") if row[name] != row[f"versus_{name}"]]
    return ", ".join([str(start), *in_order(apart)])


def p_words(p: float) -> str:
    """Two figures, or that it is below a thousandth."""
    if pd.isna(p):
        return ""
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
