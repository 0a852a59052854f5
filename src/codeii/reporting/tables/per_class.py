"""Class by class: AUROC, AUPRC and F1 of every class on the test split.

Trained on the largest share or count of training data, mean over seeds; one folded grid per experiment and model,
commonest class first. The threshold behind F1 was chosen on the validation split; where seeds chose different ones the
range is shown.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import (
    KEYS,
    MACROS,
    NOT_RUN,
    RUN,
    count,
    in_order,
    number,
    over_seeds,
    score_cell,
    single_seeds,
    with_most_data,
)
from codeii.reporting.study import Study
from codeii.schema.amounts import AMOUNT

NEEDS = ("scores",)
SECTION = "Classes"
METRICS = {"auroc": "AUROC", "auprc": "AUPRC", "f1": "F1"}
ON = [*KEYS, "class"]
COLUMNS = (*RUN, "class", "n_positives", "n_exams")
COLUMNS = (*COLUMNS, *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")))
COLUMNS = (*COLUMNS, "threshold_low", "threshold_high", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One file of all classes; one folded grid for each experiment and model."""
    scores = with_most_data(study.scores)
    scores = scores[~scores["class"].isin(MACROS)]
    tested = over_seeds(scores[scores["split"] == "test"])
    tested = tested[tested["metric"].isin(METRICS)]
    if tested.empty:
        return not_run("there are no scores of classes on a test split", COLUMNS)
    cells = {(*(row[key] for key in ON), row["metric"]): row for _, row in tested.iterrows()}
    classes = tested.drop_duplicates(ON)[[*ON, *AMOUNT, "n_positives", "n_exams", "synthetic"]]
    values = classes.merge(_thresholds(scores), on=ON, how="left")
    for metric in METRICS:
        _add_metric(values, cells, metric)
    parts = [_grid(study, group, cells) for _, group in values.groupby(["experiment", "model"], sort=False)]
    return (Part("table", pd.DataFrame(), values[list(COLUMNS)]), *parts)


def _thresholds(scores: pd.DataFrame) -> pd.DataFrame:
    chosen = single_seeds(scores[scores["metric"] == "threshold"])
    ranges = chosen.groupby(ON, sort=False)["value"].agg(["min", "max"]).reset_index()
    return ranges.rename(columns={"min": "threshold_low", "max": "threshold_high"})


def _add_metric(values: pd.DataFrame, cells: dict[tuple[str, ...], pd.Series], metric: str) -> None:
    found = [cells.get((*key, metric)) for key in values[ON].itertuples(index=False, name=None)]
    for end, column in (("", "value"), ("_low", "low"), ("_high", "high")):
        values[f"{metric}{end}"] = [float("nan") if row is None else row[column] for row in found]


def _grid(study: Study, group: pd.DataFrame, cells: dict[tuple[str, ...], pd.Series]) -> Part:
    order = {name: place for place, name in enumerate(in_order(group["class"]))}
    group = group.assign(place=group["class"].map(order))
    group = group.sort_values(["n_positives", "place"], ascending=[False, True], kind="stable")
    shown = {"Class": list(group["class"])}
    positives = zip(group["n_positives"], group["n_exams"], strict=True)
    shown["Positives"] = [f"{count(some)} of {count(every)}" for some, every in positives]
    shown["Start"] = list(group["start"])
    keys = list(group[ON].itertuples(index=False, name=None))
    for metric, word in METRICS.items():
        found = [cells.get((*key, metric)) for key in keys]
        shown[word] = [NOT_RUN if row is None else score_cell(row) for row in found]
    lows, highs = group["threshold_low"], group["threshold_high"]
    shown["Threshold"] = [_range(low, high) for low, high in zip(lows, highs, strict=True)]
    first = group.iloc[0]
    title = study.marked(f"{first['experiment']}, {first['model']}", bool(first["synthetic"]))
    return Part("grid", pd.DataFrame(shown), title=f"{title}: {len(order)} classes", folded=True)


def _range(low: float, high: float) -> str:
    first, last = number(low), number(high)
    return first if first == last else f"{first}\N{EN DASH}{last}"
