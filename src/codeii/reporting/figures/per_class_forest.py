"""Class by class: AUROC of the pretraining task, commonest class first.

Experiments whose checkpoints others start from (without any: the first experiment), on the largest share or count of
their training data, first start. Points are means over seeds, bars their intervals; on the right the test exams with
the class. A class without a point has no positive or no negative test exam.
"""

from typing import TYPE_CHECKING

import pandas as pd

from codeii.reporting.rows import MACROS, count, in_order, over_seeds, with_most_data
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, FAINT, Picture, new_figure, not_run, picture, rounded_limits, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("runs", "scores")
SECTION = "Classes"
ROW_IN = 0.19
DODGE = 0.28


def draw(study: Study) -> Picture:
    """One panel per pretraining experiment, one below the other; models of an experiment share its panel."""
    scores = over_seeds(with_most_data(study.scores))
    scores = scores[(scores["split"] == "test") & (scores["metric"] == "auroc") & ~scores["class"].isin(MACROS)]
    if scores.empty:
        return not_run("there are no scores of classes on a test split", study.warning)
    experiments = pretraining_experiments(study, in_order(scores["experiment"]))
    groups = [_of_first_start(scores, name) for name in experiments]
    heights = [ROW_IN * group["class"].nunique() + 0.8 for group in groups]
    figure = new_figure(sum(heights) + 0.3)
    grid = figure.add_gridspec(len(groups), 1, height_ratios=heights)
    for number, (name, group) in enumerate(zip(experiments, groups, strict=True)):
        axes = figure.add_subplot(grid[number, 0])
        axes.set_title(study.marked(name, bool(group["synthetic"].any())))
        _draw_panel(axes, group)
    return picture(figure, study.warning)


def pretraining_experiments(study: Study, scored: list[str]) -> list[str]:
    """Scored experiments that some run starts from, in order; the first scored one where there are none."""
    given = {str(run.manifest.settings["init"]) for run in study.runs}
    return [name for name in scored if name in given] or scored[:1]


def _of_first_start(scores: pd.DataFrame, experiment: str) -> pd.DataFrame:
    first = in_order(scores["start"][scores["experiment"] == experiment])[0]
    return scores[(scores["experiment"] == experiment) & (scores["start"] == first)]


def _draw_panel(axes: "Axes", rows: pd.DataFrame) -> None:
    counts = rows.drop_duplicates("class").sort_values("n_positives", ascending=False, kind="stable")
    place = {name: number for number, name in enumerate(counts["class"])}
    models = in_order(rows["model"])
    for number, model in enumerate(models):
        found = rows[(rows["model"] == model) & rows["value"].notna()]
        y = [place[name] + DODGE * (number - (len(models) - 1) / 2) for name in found["class"]]
        bars = whiskers(list(found["value"]), list(found["low"]), list(found["high"]))
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(
            found["value"], y, xerr=bars, color=colour, marker="o", linestyle="none", markersize=4, label=model
        )
    for _, row in counts.iterrows():
        text = f"{count(row['n_positives'])} of {count(row['n_exams'])}"
        where = (1.01, place[row["class"]])
        axes.annotate(text, where, xycoords=("axes fraction", "data"), va="center", fontsize=7.5, annotation_clip=False)
    axes.set_yticks(list(place.values()), list(place))
    axes.set_ylim(len(place) - 0.4, -0.6)
    axes.set_xlim(*rounded_limits(pd.concat([rows["value"], rows["low"], rows["high"]])))
    axes.set_xlabel("AUROC")
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.axvline(0.5, color=FAINT, linewidth=0.8, linestyle=":")
    if len(models) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(models), frameon=False, fontsize=8)
