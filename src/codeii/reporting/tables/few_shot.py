"""Fewer labels: macro AUROC against the amount of training data, from every start.

Mean over seeds of the macro average over evaluable classes. Shares of the training patients and numbers of records of
each class have grids of their own. Folded below: the difference to the experiment's first start at the same amount,
paired on exams and resamples, and the standard deviation over seeds.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import (
    KEYS,
    MACROS,
    NOT_RUN,
    RUN,
    amount_words,
    difference,
    kinds_of_amount,
    macro,
    number,
    over_seeds,
    score_cell,
    seed_counts,
    seed_deviation,
    were_run,
    with_several_amounts,
    with_several_starts,
)
from codeii.reporting.study import Study

NEEDS = ("scores", "comparisons")
SECTION = "Fewer labels"
OF_SCORES = ("auroc", "low", "high", "seed_sd", "n_seeds", "n_exams", "n_classes")
COLUMNS = (*OF_SCORES, "versus", "difference", "difference_low", "difference_high", "synthetic")
TITLES = {"fraction": "", "per_class": "By records of each class"}
PARTS = {
    "fraction": ("table", "differences", "deviations"),
    "per_class": ("counts", "differences_of_counts", "deviations_of_counts"),
}


def rows(study: Study) -> tuple[Part, ...]:
    """Three grids of experiment, model and start by share of training data, and three by records of each class.

    A file holds one row per run: `table.csv` those by share, `counts.csv` those by records of each class.
    """
    scores = with_several_amounts(with_several_starts(study.scores))
    found = over_seeds(macro(scores))
    if found.empty:
        reason = "no experiment compares starts on several shares or counts of its training data"
        return not_run(reason, (*KEYS, "fraction", *COLUMNS))
    deviations = over_seeds(seed_deviation(scores))
    paired = study.against_first
    paired = paired[(paired["metric"] == "auroc") & (paired["class"] == MACROS[0])]
    values = _values(were_run(found), deviations, paired, seed_counts(scores))
    kinds, parts = kinds_of_amount(found), []
    if "fraction" not in kinds:  # a table always has its file
        parts.append(Part("table", pd.DataFrame(), _of_kind(values, "fraction")))
    for kind in kinds:
        parts += _parts(study, kind, *(rows[rows[kind] > 0] for rows in (found, paired, deviations, values)))
    return tuple(parts)


def _parts(
    study: Study, kind: str, found: pd.DataFrame, paired: pd.DataFrame, deviations: pd.DataFrame, values: pd.DataFrame
) -> list[Part]:
    """The grids of one kind of amount."""
    starts = found.drop_duplicates(KEYS)[[*KEYS, "synthetic"]]
    name, differences, spreads = PARTS[kind]
    title = TITLES[kind]
    after = f", {title[0].lower()}{title[1:]}" if title else ""
    return [
        Part(name, _by_amount(study, starts, found, score_cell, NOT_RUN), _of_kind(values, kind), title),
        Part(
            differences,
            _by_amount(study, starts, paired, _difference, ""),
            title=f"Difference in macro AUROC to the first start{after}",
            folded=True,
        ),
        Part(
            spreads,
            _by_amount(study, starts, deviations, lambda row: number(row["value"]), ""),
            title=f"Standard deviation of macro AUROC over seeds{after}",
            note="Empty where a run has one seed.",
            folded=True,
        ),
    ]


def _of_kind(values: pd.DataFrame, kind: str) -> pd.DataFrame:
    return values.loc[values[kind] > 0, [*KEYS, kind, *COLUMNS]]


def _difference(row: pd.Series) -> str:
    return difference(row["difference"], row["low"], row["high"])


def _by_amount(
    study: Study, starts: pd.DataFrame, found: pd.DataFrame, cell: Callable[[pd.Series], str], missing: str
) -> pd.DataFrame:
    """Rows of `found` as a grid: one line per start, one column per amount of training data."""
    cells = {tuple(row[key] for key in RUN): cell(row) for _, row in found.iterrows()}
    amounts = sorted(set(zip(found["fraction"], found["per_class"], strict=True)))
    lines = []
    for experiment, model, start, synthetic in starts.itertuples(index=False, name=None):
        line = {"Experiment": study.marked(experiment, bool(synthetic)), "Model": model, "Start": start}
        for amount in amounts:
            line[amount_words(*amount)] = cells.get((experiment, model, start, *amount), missing)
        lines.append(line)
    return pd.DataFrame(lines)


def _values(
    found: pd.DataFrame, deviations: pd.DataFrame, paired: pd.DataFrame, seeds: dict[tuple[Any, ...], int]
) -> pd.DataFrame:
    spread = deviations[[*RUN, "value"]].rename(columns={"value": "seed_sd"})
    names = {"low": "difference_low", "high": "difference_high"}
    gaps = paired[[*RUN, "versus", "difference", "low", "high"]].rename(columns=names)
    values = found.rename(columns={"value": "auroc"}).merge(spread, on=RUN, how="left").merge(gaps, on=RUN, how="left")
    values["n_seeds"] = [seeds.get(key, 0) for key in values[RUN].itertuples(index=False, name=None)]
    return values
