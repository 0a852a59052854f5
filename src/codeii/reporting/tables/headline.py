"""Headline: macro AUROC of every experiment on its test split.

One row per experiment and model, one column per start, trained on the largest share or count of the experiment's
training data; mean over seeds. "Classes" counts the classes with positive and negative test exams, which the macro
averages, out of those of the label set. "Protocol" is the release, the split and its hash, the records left out and
the preprocessing. Folded below: the same without classes of very few test positives.
"""

from collections.abc import Callable

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import (
    NOT_RUN,
    RUN,
    amount_words,
    class_total,
    count,
    in_order,
    macro,
    over_seeds,
    score_cell,
    seed_counts,
    were_run,
    with_most_data,
)
from codeii.reporting.study import Study

NEEDS = ("scores",)
SECTION = "Results"
FREQUENT = {
    "value": "auroc_frequent",
    "low": "frequent_low",
    "high": "frequent_high",
    "n_classes": "n_classes_frequent",
}
COLUMNS = (*RUN, "auroc", "low", "high", *FREQUENT.values(), "n_classes", "n_classes_total", "n_exams", "n_seeds")
COLUMNS = (*COLUMNS, "protocol", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One grid of experiments by starts, and one folded for frequent classes; the file holds one row per start."""
    found = with_most_data(over_seeds(macro(study.scores)))
    if found.empty:
        return not_run("there are no scores of a test split", COLUMNS)
    frequent = with_most_data(over_seeds(macro(study.scores, of_class="macro_frequent")))
    values = found.rename(columns={"value": "auroc"})
    values = values.merge(frequent[[*RUN, *FREQUENT]].rename(columns=FREQUENT), on=RUN, how="left")
    totals, seeds = class_total(study.scores), seed_counts(study.scores)
    values["n_classes_total"] = [totals.get(name, 0) for name in values["experiment"]]
    values["n_seeds"] = [seeds.get(key, 0) for key in values[RUN].itertuples(index=False, name=None)]
    lines = [_line(study, group) for _, group in values.groupby(["experiment", "model"], sort=False)]
    return (
        Part("table", _by_start(lines, found, score_cell), were_run(values)[list(COLUMNS)]),
        Part("frequent", _by_start(lines, frequent, _with_classes), title="Frequent classes only", folded=True),
    )


def _line(study: Study, group: pd.DataFrame) -> dict[str, str]:
    """What all starts of an experiment and model have in common; the smallest number of seeds of any start."""
    run, first = were_run(group), group.iloc[0]
    classes = f"{count(first['n_classes'])} of {count(first['n_classes_total'])}" if len(run) else ""
    return {
        "Experiment": study.marked(first["experiment"], bool(first["synthetic"])),
        "Model": first["model"],
        "Training data": amount_words(first["fraction"], first["per_class"]),
        "Classes": classes,
        "Exams": count(first["n_exams"]) if len(run) else "",
        "Seeds": count(run["n_seeds"].min()) if len(run) else "",
        "Protocol": first["protocol"],
        "key": f"{first['experiment']} {first['model']}",
    }


def _with_classes(row: pd.Series) -> str:
    return f"{score_cell(row)}, {count(row['n_classes'])} classes" if pd.notna(row["value"]) else score_cell(row)


def _by_start(lines: list[dict[str, str]], found: pd.DataFrame, cell: Callable[[pd.Series], str]) -> pd.DataFrame:
    cells = {(f"{row['experiment']} {row['model']}", row["start"]): cell(row) for _, row in found.iterrows()}
    starts = in_order(found["start"])
    return pd.DataFrame(
        [
            {name: line[name] for name in ("Experiment", "Model")}
            | {start: cells.get((line["key"], start), NOT_RUN) for start in starts}
            | {name: line[name] for name in ("Classes", "Exams", "Seeds", "Training data", "Protocol")}
            for line in lines
        ]
    )
