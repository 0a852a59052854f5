"""Rows of the scores that tables and figures show, and the words their numbers are shown in."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from codeii.schema.amounts import AMOUNT
from codeii.schema.averages import NO_CLASS

KEYS = ["experiment", "model", "start"]
RUN = [*KEYS, *AMOUNT]  # and a seed
AXIS_WORDS = {"fraction": "share of training data", "per_class": "training records of each class"}
METRIC_WORDS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "fmax": "Fmax",
    "ppv": "PPV",
    "brier": "Brier score",
    "ece": "ECE",
    "f2": "F2",
    "g2": "G2",
    "cpsc2018_f1": "CPSC 2018 F1",
    "challenge2020": "Challenge 2020 score",
}
MACROS = NO_CLASS  # what is no class in the column of classes, the macro first
NOT_RUN = "not run"
NO_DATA, NO_WEIGHTS = "data not released", "weights absent"  # why something declared was not run


def metric_word(metric: str) -> str:
    """The field's spelling of a metric; a metric of another name is shown by that name."""
    return METRIC_WORDS.get(metric, metric)


def macro(scores: pd.DataFrame, metric: str = "auroc", of_class: str = "macro") -> pd.DataFrame:
    """Test rows of one metric's average over classes: every experiment, start, amount of training data and seed."""
    chosen = (scores["split"] == "test") & (scores["metric"] == metric) & (scores["class"] == of_class)
    return scores[chosen]


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows that speak for all seeds of a run: those of seed "mean"."""
    return scores[scores["seed"] == "mean"]


def single_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of one seed each: neither their mean nor their ensemble."""
    return scores[~scores["seed"].isin(("mean", "ensemble"))]


def without_ensembles(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of single seeds and of their means."""
    return scores[scores["seed"] != "ensemble"]


def with_most_data(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of each experiment and model at the largest share or count of training data it was run with."""
    if scores.empty:
        return scores
    largest = scores.groupby(["experiment", "model"])[list(AMOUNT)].transform("max")
    return scores[(scores[list(AMOUNT)] == largest).all(axis=1)]


def were_run(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that were run: without those that only say why one was not."""
    return scores[~scores["not_run"].astype(bool)]


def why_none(scores: pd.DataFrame, reason: str) -> str:
    """Why a figure has nothing to draw: no row was run, or there is no row, for the reason given."""
    return " or ".join(in_order(scores["not_run"])) if len(scores) and scores["not_run"].all() else reason


def with_several_starts(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the experiments that compare starts: transfer. Starts that were not run count."""
    return scores[_distinct(scores, "start") > 1]


def with_one_start(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the experiments with a single start: pretraining."""
    return scores[_distinct(scores, "start") == 1]


def with_several_amounts(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the experiments run on several shares of their training data, or on several counts."""
    return scores[(_distinct(scores, "fraction") > 1) | (_distinct(scores, "per_class") > 1)]


def kinds_of_amount(scores: pd.DataFrame) -> list[str]:
    """Of `fraction` and `per_class` those that the rows are by; a table or axis shows one of them."""
    return [kind for kind in AMOUNT if (scores[kind] > 0).any()]


def _distinct(scores: pd.DataFrame, column: str) -> pd.Series:
    """For each row, how many values of `column` its experiment has."""
    return scores.groupby("experiment")[column].transform("nunique").astype(int)


def seed_counts(scores: pd.DataFrame) -> dict[tuple[Any, ...], int]:
    """Number of seeds of every run: experiment, model, start, fraction and count per class."""
    counts = single_seeds(scores).groupby(RUN)["seed"].nunique().reset_index()
    return {row[:-1]: int(row[-1]) for row in counts.itertuples(index=False, name=None)}


def seed_deviation(scores: pd.DataFrame, metric: str = "auroc") -> pd.DataFrame:
    """Rows of the standard deviation over seeds of a metric's macro; runs of one seed have none."""
    return macro(scores, f"{metric}_seed_sd")


def class_total(scores: pd.DataFrame) -> dict[str, int]:
    """Number of classes of each experiment's label set, evaluable or not."""
    classes = scores[~scores["class"].isin(MACROS)]
    return {str(name): int(rows.nunique()) for name, rows in classes.groupby("experiment")["class"]}


def number(value: float, digits: int = 3) -> str:
    """A number with fixed digits and a true minus sign; "" where there is none."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def interval(value: float, low: float, high: float) -> str:
    """`0.912 (0.901–0.923)`, or the value alone where no interval was made."""
    if math.isnan(low) or math.isnan(high):
        return number(value)
    joint = "\N{EN DASH}" if low >= 0 else " to "
    return f"{number(value)} ({number(low)}{joint}{number(high)})"


def difference(value: float, low: float, high: float) -> str:
    """A difference with its sign, `+0.021 (0.004–0.038)`."""
    if math.isnan(value):
        return "not evaluable"
    return ("+" if value > 0 else "") + interval(value, low, high)


def score_cell(row: pd.Series) -> str:
    """Value and interval of one row of the scores, or why there is none, with the count it failed on."""
    if row.get("not_run"):
        return f"{NOT_RUN}: {row['not_run']}"
    value = float(row["value"])
    if not math.isnan(value):
        return interval(value, float(row["low"]), float(row["high"]))
    if row["class"] in MACROS:
        return f"not evaluable ({count(row['n_classes'])} classes)"
    return f"not evaluable ({count(row['n_positives'])} of {count(row['n_exams'])} positive)"


def count(value: float) -> str:
    """A whole number with thousands set apart; "?" where it is unknown."""
    return "?" if value is None or math.isnan(value) else f"{int(value):,}"


def percent(fraction: float) -> str:
    """`0.1` as `10 %`, `0.005` as `0.5 %`, never broken over two lines."""
    return f"{fraction * 100:.3g}\N{NO-BREAK SPACE}%"


def amount_words(fraction: float, per_class: int) -> str:
    """How much a run learned from: `10 %` of the patients, or `20 per class`."""
    return f"{count(per_class)}\N{NO-BREAK SPACE}per\N{NO-BREAK SPACE}class" if per_class else percent(fraction)


def group_words(kind: str, group: str) -> str:
    """A subgroup as people call it: `female`, `age 40-64`, `sex unknown`."""
    return f"{kind} {group}" if kind == "age" or group == "unknown" else group


def in_order(values: Iterable[str]) -> list[str]:
    """Distinct values in the order of their first appearance."""
    return list(dict.fromkeys(values))
