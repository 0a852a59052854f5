"""Calibration: what share of exams has a class, against the probability the network gave it.

All classes that the test split can judge, together, in bins of equal mass; on the diagonal probabilities come true. One
panel per experiment, one line per start: solid as trained, dotted with its temperature. Bars are Wilson intervals of
the shares as if every class of every exam were drawn alone, which makes them too narrow. Both axes are
spread out near zero (square roots): most classes are rare. Experiments that were trained on all their data.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from codeii.artifacts.analyses import POOLED
from codeii.reporting.rows import in_order
from codeii.reporting.study import Study
from codeii.reporting.style import FAINT, Picture, colours_of, not_run, panels, picture, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("analyses",)
SECTION = "Calibration"
AS_TRAINED = "as trained"
TICKS = (0, 0.05, 0.2, 0.5, 1)


def draw(study: Study) -> Picture:
    """Small multiples, three in a row."""
    bins = study.analysed["calibration"]
    bins = bins[(bins["class"] == POOLED) & (bins["fraction"] == 1)]
    if bins.empty:
        return not_run("no run trained on all data has a class that the test split can judge", study.warning)
    names = in_order(bins["experiment"])
    colours = colours_of(in_order(bins["start"]))
    figure, axes = panels(len(names), 3, 2.6)
    for panel, experiment in zip(axes, names, strict=True):
        rows = bins[bins["experiment"] == experiment]
        panel.set_title(study.marked(experiment, bool(rows["synthetic"].any())))
        _draw_panel(panel, rows, colours)
    figure.supxlabel("mean probability", fontsize=9)
    figure.supylabel("share of positives", fontsize=9)
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return picture(figure, study.warning)


def _draw_panel(axes: "Axes", rows: pd.DataFrame, colours: dict[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    for (_, start, word), of_run in rows.groupby(["model", "start", "probability"], sort=False):
        x, y, colour = of_run["mean_probability"], of_run["observed"], colours[str(start)]
        if word != AS_TRAINED:
            axes.plot(x, y, color=colour, linestyle=":", linewidth=1.2)
            continue
        bars = whiskers(list(y), list(of_run["low"]), list(of_run["high"]))
        axes.errorbar(x, y, yerr=bars, color=colour, marker="o", markersize=3, elinewidth=0.7, label=str(start))
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_yscale("function", functions=(_root, np.square))
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _root(value: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.clip(value, 0, None)))
