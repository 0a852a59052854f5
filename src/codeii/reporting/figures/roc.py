"""ROC curves: sensitivity against false alarms on the test split, averaged over classes and seeds.

One panel per experiment, trained on the largest share or count of its data, one line per start: the mean over the
evaluable classes and then over seeds of the sensitivity at each false-positive rate. The area under such a line is
the macro AUROC of the tables, which also give its interval. The dotted diagonal is chance.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from codeii.artifacts.targets import Targets
from codeii.reporting.study import Study
from codeii.reporting.style import FAINT, Picture, colours_of, lines_of, not_run, panels, picture
from codeii.schema.amounts import Amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = ("targets", "runs", "predictions")
SECTION = "Results"
RATES = np.linspace(0.0, 1.0, 201)
ACROSS = 3

Key = tuple[str, str, str]  # experiment, model, start


def draw(study: Study) -> Picture:
    """Small multiples, three in a row, with one legend for the starts."""
    curves = mean_curves(study)
    if not curves:
        return not_run("there are no predictions with targets that can be evaluated", study.warning)
    experiments = list(dict.fromkeys(experiment for experiment, _, _ in curves))
    colours = colours_of(list(dict.fromkeys(start for _, _, start in curves)))
    lines = lines_of(list(dict.fromkeys(model for _, model, _ in curves)))
    origin = {str(one.manifest.settings["run"]["experiment"]): one.manifest.synthetic for one in study.predictions}
    figure, axes = panels(len(experiments), ACROSS, 2.9)
    for panel, experiment in zip(axes, experiments, strict=True):
        panel.set_title(study.marked(experiment, origin[experiment]), fontsize=8.5)
        for (name, model, start), sensitivity in curves.items():
            if name == experiment:
                panel.plot(RATES, sensitivity, color=colours[start], linestyle=lines[model])
        _dress(panel)
    for place, panel in enumerate(axes):
        panel.set_xlabel("false-positive rate" if place >= len(axes) - ACROSS else "")
        panel.set_ylabel("sensitivity" if place % ACROSS == 0 else "")
    _legend(figure, colours, lines)
    return picture(figure, study.warning)


def mean_curves(study: Study) -> dict[Key, np.ndarray]:
    """Sensitivity at `RATES` of each experiment, model and start at most training data, mean over its seeds."""
    task_of = {str(run.manifest.settings["experiment"]): str(run.manifest.settings["task"]) for run in study.runs}
    largest: dict[str, Amount] = {}
    named = [(one.manifest.settings["run"], one) for one in study.predictions]
    for run, _ in named:
        largest[run["experiment"]] = max(_amount(run), largest.get(run["experiment"], (0.0, 0)))
    truths = {task: exam_truth(targets) for task, targets in study.targets.items()}
    found: dict[Key, list[np.ndarray]] = {}
    for run, one in named:
        truth = truths.get(task_of.get(run["experiment"], ""))
        if truth is None or _amount(run) != largest[run["experiment"]]:
            continue
        logits = one.exam_logits("test").loc[truth.index, list(truth.columns)]
        curve = macro_curve(truth.to_numpy(), logits.to_numpy())
        if curve is not None:
            found.setdefault((run["experiment"], run["model"], run["start"]), []).append(curve)
    return {key: np.mean(curves, axis=0) for key, curves in found.items()}


def _amount(run: Mapping[str, Any]) -> Amount:
    return run["fraction"], run["per_class"]


def exam_truth(targets: Targets) -> pd.DataFrame:
    """0/1 of every class of each test exam, indexed by exam_id; an exam has a class when one of its records has."""
    return targets.of("test").groupby("exam_id")[list(targets.classes)].max()


def macro_curve(truth: np.ndarray, logits: np.ndarray) -> np.ndarray | None:
    """Sensitivity at `RATES`, mean over the classes with positives and negatives; None without such a class."""
    curves = [curve_of(truth[:, column] == 1, logits[:, column]) for column in _evaluable(truth)]
    return np.mean(curves, axis=0) if curves else None


def _evaluable(truth: np.ndarray) -> Iterable[int]:
    positives = truth.sum(axis=0)
    return np.flatnonzero((positives > 0) & (positives < len(truth))).tolist()


def curve_of(positive: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Sensitivity at `RATES` of one class: hits and false alarms at each distinct logit, joined by lines."""
    order = np.argsort(-logit, kind="stable")
    falling = logit[order]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    hits = np.concatenate([[0], np.cumsum(positive[order])[last]])
    alarms = np.concatenate([[0], last + 1]) - hits
    return _upper_value(alarms / alarms[-1], hits / hits[-1])


def _upper_value(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height at `RATES` of the line through points with rising x and y; on a vertical step its upper end."""
    left = np.searchsorted(x, RATES, side="right") - 1
    right = np.minimum(left + 1, len(x) - 1)
    width = np.where(right > left, x[right] - x[left], 1.0)
    return np.asarray(y[left] + (RATES - x[left]) / width * (y[right] - y[left]))


def _dress(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    axes.set_aspect("equal")
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])


def _legend(figure: "Figure", colours: dict[str, str], lines: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=colour, label=start) for start, colour in colours.items()]
    if len(lines) > 1:
        entries += [Line2D([], [], color=FAINT, linestyle=line, label=model) for model, line in lines.items()]
    figure.legend(handles=entries, loc="outside lower left", ncols=min(6, len(entries)), frameon=False, fontsize=8)
