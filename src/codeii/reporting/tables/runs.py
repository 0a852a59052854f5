"""Runs: every network trained, how long it trained and which epoch was kept.

The epoch kept is the one the recipe selects on the validation split; the test split has no part in it. Classes that
have fewer records than the count per class are named beside it.
"""

from collections.abc import Iterable

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import amount_words, count, number
from codeii.reporting.study import Run, Study
from codeii.schema.amounts import AMOUNT

NEEDS = ("runs",)
SECTION = "Runs"
NAMES = ("experiment", "task", "model", "start", "init", "mode", *AMOUNT, "seed")
COLUMNS = (
    *NAMES,
    "parameters",
    "training_records",
    "epochs",
    "best_epoch",
    "best_validation_loss",
    "fell_short",
    "synthetic",
)


def rows(study: Study) -> tuple[Part, ...]:
    """One line per run, in the order of params.yaml, folded."""
    if not study.runs:
        return not_run("no network was trained", COLUMNS)
    values = pd.DataFrame([_line(run) for run in study.runs], columns=list(COLUMNS))
    title = f"{count(len(values))} runs"
    return (Part("table", _shown(study, values), values, title, folded=True),)


def _line(run: Run) -> dict[str, object]:
    kept = run.history[run.history["epoch"] == run.card.best_epoch]
    return {
        **{name: run.manifest.settings[name] for name in NAMES},
        "parameters": run.card.parameters,
        "training_records": run.manifest.facts["records"]["train"],
        "epochs": len(run.history),
        "best_epoch": run.card.best_epoch,
        "best_validation_loss": kept["validation_loss"].item(),
        "fell_short": ", ".join(run.manifest.facts.get("fell_short", ())),
        "synthetic": run.manifest.synthetic,
    }


def _shown(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    shown: dict[str, Iterable[str]] = {
        "Experiment": study.marked_column(values, "experiment"),
        "Model": values["model"],
        "Start": values["start"],
        "Trained": values["mode"].map(lambda mode: mode.replace("_", " ")),
        "Training data": [_amount(row) for _, row in values.iterrows()],
        "Seed": values["seed"].map(str),
        "Parameters": values["parameters"].map(count),
        "Records": values["training_records"].map(count),
        "Epochs": values["epochs"].map(count),
        "Epoch kept": values["best_epoch"].map(count),
        "Validation loss": values["best_validation_loss"].map(lambda loss: number(float(loss), 4)),
    }
    return pd.DataFrame({name: list(column) for name, column in shown.items()})


def _amount(run: pd.Series) -> str:
    words = amount_words(run["fraction"], run["per_class"])
    return f"{words} (fewer of {run['fell_short']})" if run["fell_short"] else words
