"""Fewer labels: macro AUROC against the share of training data, from every start.

Mean over seeds of the macro average over evaluable classes. Folded below: the difference to the experiment's first
start at the same share, paired on exams and resamples, and the standard deviation over seeds.
"""

from collections.abc import Callable

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import (
    KEYS,
    MACROS,
    NOT_RUN,
    difference,
    macro,
    number,
    over_seeds,
    percent,
    score_cell,
    seed_counts,
    seed_deviation,
    were_run,
    with_several_fractions,
    with_several_starts,
)
from codeii.reporting.study import Study

NEEDS = ("scores",)
SECTION = "Fewer labels"
ON = [*KEYS, "fraction"]
COLUMNS = (*ON, "auroc", "low", "high", "seed_sd", "n_seeds", "n_exams", "n_classes")
COLUMNS = (*COLUMNS, "versus", "difference", "difference_low", "difference_high", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """Three grids of experiment, model and start by share of training data; the file holds one row per run."""
    scores = with_several_fractions(with_several_starts(study.scores))
    found = over_seeds(macro(scores))
    if found.empty:
        return not_run("no experiment compares starts on several shares of its training data", COLUMNS)
    deviations = over_seeds(seed_deviation(scores))
    paired = study.comparisons[(study.comparisons["metric"] == "auroc") & (study.comparisons["class"] == MACROS[0])]
    values = _values(were_run(found), deviations, paired, seed_counts(scores))
    starts = found.drop_duplicates(KEYS)[[*KEYS, "synthetic"]]
    return (
        Part("table", _by_fraction(study, starts, found, score_cell, NOT_RUN), values),
        Part(
            "differences",
            _by_fraction(study, starts, paired, _difference, ""),
            title="Difference in macro AUROC to the first start",
            folded=True,
        ),
        Part(
            "deviations",
            _by_fraction(study, starts, deviations, lambda row: number(row["value"]), ""),
            title="Standard deviation of macro AUROC over seeds",
            note="Empty where a run has one seed.",
            folded=True,
        ),
    )


def _difference(row: pd.Series) -> str:
    return difference(row["difference"], row["low"], row["high"])


def _by_fraction(
    study: Study, starts: pd.DataFrame, found: pd.DataFrame, cell: Callable[[pd.Series], str], missing: str
) -> pd.DataFrame:
    """Rows of `found` as a grid: one line per start, one column per share of training data."""
    cells = {(*(row[key] for key in KEYS), row["fraction"]): cell(row) for _, row in found.iterrows()}
    lines = []
    for experiment, model, start, synthetic in starts.itertuples(index=False, name=None):
        line = {"Experiment": study.marked(experiment, bool(synthetic)), "Model": model, "Start": start}
        for fraction in sorted(set(found["fraction"])):
            line[percent(fraction)] = cells.get((experiment, model, start, fraction), missing)
        lines.append(line)
    return pd.DataFrame(lines)


def _values(
    found: pd.DataFrame, deviations: pd.DataFrame, paired: pd.DataFrame, seeds: dict[tuple[str, str, str, float], int]
) -> pd.DataFrame:
    spread = deviations[[*ON, "value"]].rename(columns={"value": "seed_sd"})
    names = {"low": "difference_low", "high": "difference_high"}
    gaps = paired[[*ON, "versus", "difference", "low", "high"]].rename(columns=names)
    values = found.rename(columns={"value": "auroc"}).merge(spread, on=ON, how="left").merge(gaps, on=ON, how="left")
    values["n_seeds"] = [seeds.get(key, 0) for key in values[ON].itertuples(index=False, name=None)]
    return values[list(COLUMNS)]
