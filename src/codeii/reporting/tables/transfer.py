"""Transfer: what the start of training changes, task by task.

Experiments that compare several starts, trained on the largest share or count of their training data; macro averages
over the evaluable classes, mean over seeds. "Against first start" is the difference in macro AUROC to the experiment's
first start, on the same exams and the same resamples, so its interval may exclude zero although the two intervals
overlap. "Protocol" is the release, the split and its hash, the records left out and the preprocessing.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import (
    KEYS,
    MACROS,
    NOT_RUN,
    RUN,
    difference,
    in_order,
    macro,
    metric_word,
    over_seeds,
    score_cell,
    were_run,
    with_most_data,
    with_several_starts,
)
from codeii.reporting.study import Study

NEEDS = ("scores", "comparisons")
SECTION = "Transfer"
FIRST = ("auroc", "auprc", "f1", "fmax")


def rows(study: Study) -> tuple[Part, ...]:
    """The four metrics of the study and the paired difference; other metrics in a folded part."""
    scores = over_seeds(with_most_data(with_several_starts(study.scores)))
    scores = scores[(scores["split"] == "test") & (scores["class"] == "macro")]
    scores = scores[~scores["metric"].str.endswith("_seed_sd")]
    if scores.empty:
        return not_run("no experiment compares several starts", [*KEYS, "protocol", "synthetic"])
    metrics = in_order([*(name for name in FIRST if (scores["metric"] == name).any()), *scores["metric"]])
    runs = scores[[*RUN, "synthetic", "protocol", "not_run"]].drop_duplicates().reset_index(drop=True)
    found = {metric: _aligned(runs, macro(scores, metric)) for metric in metrics}
    paired = _aligned(runs, study.against_first[_macro_auroc(study.against_first)])
    first = [metric for metric in metrics if metric in FIRST]
    against = {"AUROC against first start": [_against(row) for _, row in paired.iterrows()]}
    names = _names(study, runs)
    shown = names | _cells(found, first[:1]) | against | _cells(found, first[1:]) | {"Protocol": list(runs["protocol"])}
    main = Part("table", pd.DataFrame(shown), _values(runs, found, paired))
    rest = [metric for metric in metrics if metric not in FIRST]
    if not rest:
        return (main,)
    return main, Part("further", pd.DataFrame(names | _cells(found, rest)), title="Further metrics", folded=True)


def _macro_auroc(comparisons: pd.DataFrame) -> pd.Series:
    return (comparisons["metric"] == "auroc") & (comparisons["class"] == MACROS[0])


def _aligned(runs: pd.DataFrame, rows_of_one: pd.DataFrame) -> pd.DataFrame:
    """One row of scores or comparisons for each run, in the order of the runs; NaN where there is none."""
    return runs[RUN].merge(rows_of_one, on=RUN, how="left")


def _names(study: Study, runs: pd.DataFrame) -> dict[str, list[str]]:
    experiments = study.marked_column(runs, "experiment")
    return {"Experiment": experiments, "Model": list(runs["model"]), "Start": list(runs["start"])}


def _cells(found: dict[str, pd.DataFrame], metrics: list[str]) -> dict[str, list[str]]:
    return {metric_word(name): [_cell(row) for _, row in found[name].iterrows()] for name in metrics}


def _cell(row: pd.Series) -> str:
    return NOT_RUN if pd.isna(row["class"]) else score_cell(row)


def _against(row: pd.Series) -> str:
    return "" if pd.isna(row["versus"]) else difference(row["difference"], row["low"], row["high"])


def _values(runs: pd.DataFrame, found: dict[str, pd.DataFrame], paired: pd.DataFrame) -> pd.DataFrame:
    values = runs.copy()
    for name, rows_of_one in found.items():
        values[name] = rows_of_one["value"]
        values[f"{name}_low"], values[f"{name}_high"] = rows_of_one["low"], rows_of_one["high"]
    counted = next(iter(found.values()))
    values["n_classes"], values["n_exams"] = counted["n_classes"], counted["n_exams"]
    values["versus"], values["difference"] = paired["versus"], paired["difference"]
    values["difference_low"], values["difference_high"] = paired["low"], paired["high"]
    return were_run(values).drop(columns="not_run")
