"""Confusion: which class is called where another one is true.

Of the exams with the class of the row and without that of the column, the share called the column, less that share
among exams with neither: what comes with the class of the row. Classes may occur together, so those that do are no
confusion here. First experiment of each source that was trained on all its data, last start; of many classes those
that are taken for another most. White: fewer than five such exams.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from codeii.reporting.rows import in_order
from codeii.reporting.study import Study
from codeii.reporting.style import Picture, not_run, panels, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("analyses",)
SECTION = "Failures"
MOST = 12  # classes of a panel
FEWEST = 5  # exams with the class of the row and without that of the column
PANELS = 4


def draw(study: Study) -> Picture:
    """One panel per experiment, two in a row."""
    found = study.analysed["confusion"]
    found = found[found["fraction"] == 1]
    if found.empty:
        return not_run("no run trained on all data has two classes that can be told apart", study.warning)
    chosen = _chosen(found)
    figure, axes = panels(len(chosen), 2, 4.0)
    for panel, (experiment, rows) in zip(axes, chosen.items(), strict=True):
        panel.set_title(study.marked(experiment, bool(rows["synthetic"].any())))
        _draw_panel(panel, rows)
    return picture(figure, study.warning)


def _chosen(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Last starts, the experiment of the most classes first; one that shares classes would show the same again."""
    shown: dict[str, pd.DataFrame] = {}
    seen: set[str] = set()
    sizes = found.groupby("experiment", sort=False)["true"].nunique()
    for name in map(str, sizes.sort_values(ascending=False, kind="stable").index):
        rows = found[found["experiment"] == name]
        classes = set(rows["true"])
        if classes & seen or len(shown) == PANELS:
            continue
        seen |= classes
        shown[name] = rows[(rows["start"] == in_order(rows["start"])[-1]) & (rows["model"] == rows["model"].iat[0])]
    return shown


def _draw_panel(axes: "Axes", rows: pd.DataFrame) -> None:
    enough = rows[rows["n"] >= FEWEST].assign(excess=rows["share"] - rows["elsewhere"].fillna(0))
    worst = pd.concat([enough.groupby(side)["excess"].max() for side in ("true", "called")], axis=1).max(axis=1)
    names = list(worst.sort_values(ascending=False, kind="stable").index[:MOST])
    names = [name for name in in_order(rows["true"]) if name in names]
    grid = enough.pivot_table(index="true", columns="called", values="excess").reindex(index=names, columns=names)
    values = grid.to_numpy(np.float64)
    axes.imshow(np.clip(values, 0, None), cmap="Blues", vmin=0, vmax=max(0.3, np.nanmax(values, initial=0.0)))
    axes.grid(visible=False)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value) and value >= 0.05:
            axes.text(
                column,
                row,
                f"{value:.2f}".lstrip("0"),
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if value > 0.25 else "black",
            )
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
