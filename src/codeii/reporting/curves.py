"""Lines of a score against the amount of training data: shared by the figures that draw them."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.ticker import NullLocator

from codeii.reporting.rows import count, over_seeds, percent, single_seeds
from codeii.reporting.style import FAINT, label_ends, rounded_limits, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DODGE = 1.045  # neighbouring lines stand this factor apart, so that their intervals do not hide one another


def draw_line(
    axes: "Axes", by: str, means: pd.DataFrame, seeds: pd.DataFrame, colour: str, line: Any, place: float
) -> tuple[float, float]:
    """One line with intervals and its seeds as points; returns its right end in data coordinates.

    by : column of the x axis, `fraction` or `per_class`; place : dodge, 0 in the middle;
    means, seeds : rows of scores with that column, `value` (and `low`, `high`).
    """
    shift = DODGE**place
    means = means.dropna(subset="value").sort_values(by)
    x, y = means[by] * shift, means["value"]
    axes.errorbar(
        x,
        y,
        yerr=whiskers(list(y), list(means["low"]), list(means["high"])),
        color=colour,
        linestyle=line,
        marker="o",
        elinewidth=1.0,
        capsize=0,
    )
    axes.plot(
        seeds[by] * shift,
        seeds["value"],
        linestyle="none",
        marker="o",
        markersize=3.2,
        markerfacecolor="white",
        markeredgecolor=colour,
        markeredgewidth=0.7,
        alpha=0.8,
    )
    return (float(x.iloc[-1]), float(y.iloc[-1])) if len(means) else (float("nan"), float("nan"))


def dress(axes: "Axes", by: str, rows: pd.DataFrame, ends: list[tuple[float, float, str, str]]) -> None:
    """Limits, ticks and direct labels, once every line is drawn.

    by : column of the x axis; rows : those drawn, among others; ends : (x, y, text, colour) of each line.
    """
    drawn = pd.concat([over_seeds(rows), single_seeds(rows)])  # an ensemble's score is not
    amounts = sorted(set(drawn[by]))
    axes.set_xscale("log")
    axes.set_xlim(amounts[0] / 1.35, amounts[-1] * 1.2)
    axes.set_ylim(*rounded_limits(pd.concat([drawn["value"], drawn["low"], drawn["high"]])))
    axes.set_xticks(amounts, [percent(amount) if by == "fraction" else count(amount) for amount in amounts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", length=3, color=FAINT)
    label_ends(axes, [end for end in ends if end[1] == end[1]])
