"""Subgroups: scores of women and men and of age bands, and how far each stands from all other exams.

Each start at its largest amount of training data, thresholds of the whole validation split. Macro AUROC is over the
classes that a group can judge, so groups differ in what they are asked; the difference is over the classes that the
group and all others can judge, on the same resamples. These are many comparisons, uncorrected. Site and device are not
kept in the records and have no groups. Folded below: the other metrics.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count, difference, group_words, in_order, interval, metric_word
from codeii.reporting.study import Study

NEEDS = ("analyses",)
SECTION = "Subgroups"
COLUMNS = ("experiment", "model", "start", "kind", "group", "metric", "value", "low", "high", "n_exams", "reason")


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each group, AUROC first."""
    found = study.analysed["subgroups"]
    if found.empty:
        return not_run("no run was predicted", COLUMNS)
    metrics = in_order(found["metric"])
    first = "auroc" if "auroc" in metrics else metrics[0]
    parts = [Part("table", _lines(study, found[found["metric"] == first]), found.drop(columns=["protocol", "not_run"]))]
    parts += [
        Part(f"of_{metric}", _lines(study, found[found["metric"] == metric]), title=metric_word(metric), folded=True)
        for metric in metrics
        if metric != first
    ]
    return tuple(parts)


def _lines(study: Study, found: pd.DataFrame) -> pd.DataFrame:
    metric = metric_word(str(found["metric"].iat[0]))
    return pd.DataFrame(
        {
            "Experiment": study.marked_column(found, "experiment"),
            "Model": list(found["model"]),
            "Start": list(found["start"]),
            "Group": [group_words(*pair) for pair in zip(found["kind"], found["group"], strict=True)],
            "Exams": [count(value) for value in found["n_exams"]],
            "Positives": [count(value) for value in found["n_positives"]],
            "Classes": [count(value) for value in found["n_classes"]],
            f"Macro {metric}": [_value(row) for _, row in found.iterrows()],
            "Against all others": [_difference(row) for _, row in found.iterrows()],
        }
    )


def _value(row: pd.Series) -> str:
    return f"not evaluable ({row['reason']})" if row["reason"] else interval(row["value"], row["low"], row["high"])


def _difference(row: pd.Series) -> str:
    ends = row["difference"], row["difference_low"], row["difference_high"]
    classes = f"{count(row['n_common'])} class{'' if row['n_common'] == 1 else 'es'}"
    return "" if pd.isna(row["difference"]) else f"{difference(*ends)}, {classes}"
