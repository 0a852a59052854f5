"""Fewer labels: macro AUROC against the amount of training data.

One panel per experiment that compares starts, one line per start. Filled points are means over seeds with their
intervals, open points single seeds. The amount is a share of the training patients, or in panels of their own a count
of records of each class, on a logarithmic scale; starts at the same amount are moved apart.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from codeii.reporting.curves import draw_line, dress
from codeii.reporting.rows import (
    AXIS_WORDS,
    in_order,
    kinds_of_amount,
    macro,
    over_seeds,
    single_seeds,
    were_run,
    why_none,
    with_several_amounts,
    with_several_starts,
    without_ensembles,
)
from codeii.reporting.study import Study
from codeii.reporting.style import Picture, colours_of, lines_of, not_run, panels, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("scores",)
SECTION = "Fewer labels"


def draw(study: Study) -> Picture:
    """Small multiples, two in a row."""
    scores = macro(with_several_amounts(with_several_starts(study.scores)))
    if scores["value"].notna().sum() == 0:
        reason = "no experiment compares starts on several shares or counts of its training data"
        return not_run(why_none(scores, reason), study.warning)
    scores = without_ensembles(were_run(scores))
    experiments, kinds = in_order(scores["experiment"]), kinds_of_amount(scores)
    colours, lines = colours_of(in_order(scores["start"])), lines_of(in_order(scores["model"]))
    figure, axes = panels(len(experiments), 2, 2.7)
    for panel, experiment in zip(axes, experiments, strict=True):
        rows = scores[scores["experiment"] == experiment]
        panel.set_title(study.marked(experiment, bool(rows["synthetic"].any())))
        (by,) = kinds_of_amount(rows)
        _draw_panel(panel, by, rows, colours, lines)
        if len(kinds) > 1:
            panel.set_xlabel(AXIS_WORDS[by])
    if len(kinds) == 1:
        figure.supxlabel(AXIS_WORDS[kinds[0]], fontsize=9)
    figure.supylabel("macro AUROC", fontsize=9)
    return picture(figure, study.warning)


def _draw_panel(axes: "Axes", by: str, rows: pd.DataFrame, colours: dict[str, str], lines: dict[str, Any]) -> None:
    keys = list(dict.fromkeys(zip(rows["model"], rows["start"], strict=True)))
    several = rows["model"].nunique() > 1
    ends = []
    for number, (model, start) in enumerate(keys):
        of_line = rows[(rows["model"] == model) & (rows["start"] == start)]
        place = number - (len(keys) - 1) / 2
        end = draw_line(axes, by, over_seeds(of_line), single_seeds(of_line), colours[start], lines[model], place)
        ends.append((*end, f"{start}, {model}" if several else start, colours[start]))
    dress(axes, by, rows, ends)
