"""Learning curves: loss by epoch of every training.

One panel per experiment, a colour for each start; thin lines are single trainings, whatever their amount of data and
seed. Validation solid, training dotted; a point marks the epoch that was kept. Both axes are their own in each panel:
losses of different tasks are not compared.
"""

from typing import TYPE_CHECKING, Any

from codeii.reporting.rows import in_order
from codeii.reporting.study import Run, Study
from codeii.reporting.style import Picture, colours_of, not_run, panels, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("runs",)
SECTION = "Runs"


def draw(study: Study) -> Picture:
    """Small multiples, three in a row."""
    runs = [run for run in study.runs if len(run.history)]
    if not runs:
        return not_run("no network was trained", study.warning)
    names = in_order(str(run.manifest.settings["experiment"]) for run in runs)
    colours = colours_of(in_order(str(run.manifest.settings["start"]) for run in runs))
    figure, axes = panels(len(names), 3, 2.2)
    for panel, name in zip(axes, names, strict=True):
        mine = [run for run in runs if run.manifest.settings["experiment"] == name]
        panel.set_title(study.marked(name, any(run.manifest.synthetic for run in mine)))
        for run in mine:
            _draw_run(panel, run, colours[str(run.manifest.settings["start"])])
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("loss", fontsize=9)
    drawn = [pair for panel in axes for pair in zip(*panel.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in drawn}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return picture(figure, study.warning)


def _draw_run(axes: "Axes", run: Run, colour: str) -> None:
    history, best = run.history, run.card.best_epoch
    start = str(run.manifest.settings["start"])
    look: dict[str, Any] = {"color": colour, "linewidth": 0.8, "alpha": 0.8}
    axes.plot(history["epoch"], history["train_loss"], linestyle=":", **look)
    axes.plot(history["epoch"], history["validation_loss"], label=start, **look)
    kept = history[history["epoch"] == best]
    axes.plot(kept["epoch"], kept["validation_loss"], marker="o", markersize=2.5, linestyle="none", color=colour)
