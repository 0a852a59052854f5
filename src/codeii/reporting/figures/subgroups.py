"""Subgroups: macro AUROC of women and men and of age bands.

First and last start of each experiment that was trained on all its data, with intervals; the number of exams stands at
the right. Groups have their own evaluable classes: the table holds differences over common ones.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from codeii.reporting.rows import count, group_words, in_order
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, Picture, not_run, panels, picture, rounded_limits, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("analyses",)
SECTION = "Subgroups"
DODGE = 0.2


def draw(study: Study) -> Picture:
    """One panel per experiment, three in a row; groups from top to bottom."""
    found = study.analysed["subgroups"]
    found = found[(found["metric"] == "auroc") & (found["fraction"] == 1) & found["value"].notna()]
    if found.empty:
        return not_run("no group of a run trained on all data can be judged by AUROC", study.warning)
    labels = [group_words(*pair) for pair in zip(found["kind"], found["group"], strict=True)]
    found, names = found.assign(label=labels), in_order(found["experiment"])
    figure, axes = panels(len(names), 3, 2.7)
    for panel, experiment in zip(axes, names, strict=True):
        rows = found[found["experiment"] == experiment]
        panel.set_title(study.marked(experiment, bool(rows["synthetic"].any())))
        _draw_panel(panel, rows)
    figure.supxlabel("macro AUROC", fontsize=9)
    return picture(figure, study.warning)


def _draw_panel(axes: "Axes", rows: pd.DataFrame) -> None:
    groups, starts = in_order(rows["label"]), in_order(rows["start"])
    chosen = list(dict.fromkeys([starts[0], starts[-1]]))
    for number, start in enumerate(chosen):
        found = rows[(rows["start"] == start) & (rows["model"] == rows["model"].iat[0])]
        y = [groups.index(label) + DODGE * (2 * number - len(chosen) + 1) for label in found["label"]]
        bars = whiskers(list(found["value"]), list(found["low"]), list(found["high"]))
        look: dict[str, Any] = {"color": COLOURS[number], "marker": "o", "markersize": 4, "linestyle": "none"}
        axes.errorbar(found["value"], y, xerr=bars, label=start, **look)
    counts = rows.drop_duplicates("label")
    for place, exams in enumerate(counts["n_exams"]):
        at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
        axes.annotate(count(exams), (1.02, place), fontsize=7.5, **at)
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(*rounded_limits(pd.concat([rows["value"], rows["low"], rows["high"]])))
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, -0.42), ncols=1, frameon=False, fontsize=7)
