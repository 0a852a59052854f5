"""Transfer: macro AUROC of every task from every start.

Experiments that compare starts, trained on the largest share or count of their training data; points are means over
seeds, bars their intervals.
"""

from typing import TYPE_CHECKING

import pandas as pd

from codeii.reporting.rows import (
    in_order,
    macro,
    over_seeds,
    score_cell,
    why_none,
    with_most_data,
    with_several_starts,
)
from codeii.reporting.study import Study
from codeii.reporting.style import (
    FAINT,
    INK,
    Picture,
    colours_of,
    new_figure,
    not_run,
    picture,
    rounded_limits,
    whiskers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("scores",)
SECTION = "Transfer"
ROW_IN = 0.23


def draw(study: Study) -> Picture:
    """One row per experiment, model and start, in blocks by experiment."""
    scores = over_seeds(with_most_data(with_several_starts(macro(study.scores))))
    if scores["value"].notna().sum() == 0:
        return not_run(why_none(scores, "no experiment compares several starts"), study.warning)
    experiments = in_order(scores["experiment"])
    lines = len(scores) + len(experiments)
    figure = new_figure(ROW_IN * lines + 0.9)
    axes = figure.add_subplot()
    colours = colours_of(in_order(scores["start"]))
    y, ticks = 0.0, []
    for experiment in experiments:
        rows = scores[scores["experiment"] == experiment]
        several = rows["model"].nunique() > 1
        ticks.append((y, study.marked(experiment, bool(rows["synthetic"].any())), True))
        for _, row in rows.iterrows():
            y += 1.0
            ticks.append((y, f"{row['start']}, {row['model']}" if several else row["start"], False))
            _draw_row(axes, row, y, colours[row["start"]])
        y += 1.0
    axes.set_xlim(*rounded_limits(pd.concat([scores["value"], scores["low"], scores["high"]])))
    _dress(axes, ticks, y)
    return picture(figure, study.warning)


def _draw_row(axes: "Axes", row: pd.Series, y: float, colour: str) -> None:
    if pd.notna(row["value"]):
        bars = whiskers([row["value"]], [row["low"]], [row["high"]])
        axes.errorbar([row["value"]], [y], xerr=bars, color=colour, marker="o", linestyle="none", elinewidth=1.4)
    axes.annotate(
        score_cell(row), (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8, annotation_clip=False
    )


def _dress(axes: "Axes", ticks: list[tuple[float, str, bool]], bottom: float) -> None:
    axes.set_ylim(bottom - 0.3, -0.8)
    axes.set_yticks([place for place, _, _ in ticks], [text for _, text, _ in ticks])
    for label, (_, _, heading) in zip(axes.get_yticklabels(), ticks, strict=True):
        label.set_fontweight("bold" if heading else "normal")
        label.set_color(INK if heading else FAINT)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("macro AUROC")
