"""Scaling: macro AUROC against the share of pretraining data.

Experiments with a single start that were run on several shares of their own training data; one line per experiment
and model. Filled points are means over seeds with their intervals, open points single seeds.
"""

from codeii.reporting.curves import draw_line, dress
from codeii.reporting.rows import (
    macro,
    over_seeds,
    single_seeds,
    were_run,
    why_none,
    with_one_start,
    with_several_fractions,
)
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, Picture, not_run, panels, picture

NEEDS = ("scores",)
SECTION = "Pretraining"


def draw(study: Study) -> Picture:
    """One panel."""
    scores = macro(with_several_fractions(with_one_start(study.scores)))
    if scores["value"].notna().sum() == 0:
        reason = "no experiment with one start was run on several shares of its training data"
        return not_run(why_none(scores, reason), study.warning)
    scores = were_run(scores)
    figure, (axes,) = panels(1, 1, 3.4)
    keys = list(dict.fromkeys(zip(scores["experiment"], scores["model"], strict=True)))
    ends = []
    for number, (experiment, model) in enumerate(keys):
        rows = scores[(scores["experiment"] == experiment) & (scores["model"] == model)]
        colour, place = COLOURS[number % len(COLOURS)], number - (len(keys) - 1) / 2
        end = draw_line(axes, over_seeds(rows), single_seeds(rows), colour, "-", place)
        text = _short(keys, experiment, model)
        ends.append((*end, study.marked(text, bool(rows["synthetic"].any())), colour))
    dress(axes, scores, ends)
    axes.set_xlabel("share of pretraining data")
    axes.set_ylabel("macro AUROC")
    return picture(figure, study.warning)


def _short(keys: list[tuple[str, str]], experiment: str, model: str) -> str:
    """What tells a line from the others: its experiment, its model or both."""
    several = [len({key[place] for key in keys}) > 1 for place in (0, 1)]
    return f"{experiment},\n{model}" if all(several) else model if several[1] else experiment
