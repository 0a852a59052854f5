"""Label efficiency: how many times the training data the other start needs to score the same.

Macro AUROC at each amount, read off the other start's curve, which is straight between its points on a logarithmic
scale; where it falls, its best score with less data counts. "At least" and "at most" stand where that curve ends before
the score is reached. Folded below: what is fitted to each curve, the score gained per tenfold data, and with four
amounts or more a power law and the score it tends to.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import MACROS, amount_words, difference, interval
from codeii.reporting.study import Study

NEEDS = ("comparisons",)
SECTION = "Fewer labels"
COLUMNS = ("task", "model", "start", "versus", "fraction", "per_class", "times", "low", "high")
PARAMETERS = {"per_tenfold": "AUROC per tenfold data", "asymptote": "tends to", "exponent": "exponent", "rmse": "left"}


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each start, other start and amount; one for each fitted curve."""
    saved, fits = (_macro_auroc(study.compared[name]) for name in ("efficiency", "fits"))
    if saved.empty and fits.empty:
        return not_run("no task was trained on several amounts of data", COLUMNS)
    parts = [
        Part("table", _saved(study, saved), saved.drop(columns=["protocol", "not_run"]), note=_nothing(saved)),
        Part(
            "fits",
            _fits(study, fits),
            fits.drop(columns=["protocol", "not_run"]),
            title="Curves over the amount of training data",
            folded=True,
        ),
    ]
    return tuple(parts)


def _macro_auroc(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["metric"] == "auroc") & (table["class"] == MACROS[0])].reset_index(drop=True)


def _nothing(saved: pd.DataFrame) -> str:
    return "No two starts of one task were trained on several amounts of data." if saved.empty else ""


def _saved(study: Study, saved: pd.DataFrame) -> pd.DataFrame:
    if saved.empty:
        return pd.DataFrame()
    amounts = zip(saved["fraction"], saved["per_class"], strict=True)
    return pd.DataFrame(
        {
            "Task": study.marked_column(saved, "task"),
            "Model": list(saved["model"]),
            "Start": list(saved["start"]),
            "Trained on": [amount_words(*amount) for amount in amounts],
            "Other start": list(saved["versus"]),
            "needs times the data": [_times(row, "times", "bound") for _, row in saved.iterrows()],
            "from": [_times(row, "low", "low_bound") for _, row in saved.iterrows()],
            "to": [_times(row, "high", "high_bound") for _, row in saved.iterrows()],
        }
    )


def _times(row: pd.Series, name: str, bound: str) -> str:
    if pd.isna(row[name]):
        return "?"
    return f"{row[bound]} {row[name]:.2g}".strip()


def _fits(study: Study, fits: pd.DataFrame) -> pd.DataFrame:
    keys = ["task", "experiments", "model", "start", "form", "reason", "synthetic"]
    lines = []
    for (task, experiments, model, start, form, reason, synthetic), of_fit in fits.groupby(keys, sort=False):
        found = of_fit.set_index("parameter")
        line = {"Task": study.marked(str(task), bool(synthetic)), "Experiments": experiments, "Model": model}
        line |= {"Start": start, "Form": form or f"none: {reason}"}
        for name, word in PARAMETERS.items():
            shown = difference if name == "per_tenfold" else interval
            there = name in found.index
            line[word] = shown(*found.loc[name, ["value", "low", "high"]].astype(float)) if there else ""
        lines.append(line)
    return pd.DataFrame(lines)
