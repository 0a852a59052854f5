"""Scaling: macro AUROC against the amount of pretraining data.

Experiments with a single start that were run on several shares of their own training data, or in a panel of its own on
several counts of records of each class; one line per experiment and model. Filled points are means over seeds with
their intervals, open points single seeds.
"""

from typing import TYPE_CHECKING

import pandas as pd

from codeii.reporting.curves import draw_line, dress
from codeii.reporting.rows import (
    AXIS_WORDS,
    kinds_of_amount,
    macro,
    over_seeds,
    single_seeds,
    were_run,
    why_none,
    with_one_start,
    with_several_amounts,
    without_ensembles,
)
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, Picture, not_run, panels, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("scores",)
SECTION = "Pretraining"


def draw(study: Study) -> Picture:
    """One panel for shares, one for counts."""
    scores = macro(with_several_amounts(with_one_start(study.scores)))
    if scores["value"].notna().sum() == 0:
        reason = "no experiment with one start was run on several shares or counts of its training data"
        return not_run(why_none(scores, reason), study.warning)
    scores = without_ensembles(were_run(scores))
    kinds = kinds_of_amount(scores)
    figure, axes = panels(len(kinds), 1, 3.4)
    for panel, by in zip(axes, kinds, strict=True):
        _draw_panel(panel, by, study, scores[scores[by] > 0])
    return picture(figure, study.warning)


def _draw_panel(axes: "Axes", by: str, study: Study, scores: pd.DataFrame) -> None:
    keys = list(dict.fromkeys(zip(scores["experiment"], scores["model"], strict=True)))
    ends = []
    for number, (experiment, model) in enumerate(keys):
        rows = scores[(scores["experiment"] == experiment) & (scores["model"] == model)]
        colour, place = COLOURS[number % len(COLOURS)], number - (len(keys) - 1) / 2
        end = draw_line(axes, by, over_seeds(rows), single_seeds(rows), colour, "-", place)
        text = _short(keys, experiment, model)
        ends.append((*end, study.marked(text, bool(rows["synthetic"].any())), colour))
    dress(axes, by, scores, ends)
    axes.set_xlabel(AXIS_WORDS[by].replace("training", "pretraining"))
    axes.set_ylabel("macro AUROC")


def _short(keys: list[tuple[str, str]], experiment: str, model: str) -> str:
    """What tells a line from the others: its experiment, its model or both."""
    several = [len({key[place] for key in keys}) > 1 for place in (0, 1)]
    return f"{experiment},\n{model}" if all(several) else model if several[1] else experiment
