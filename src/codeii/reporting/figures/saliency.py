"""Saliency: which samples an answer rests on, as a band behind the trace.

Integrated gradients of the logit of the class, from a signal of zeros (Sundararajan et al. 2017): red speaks for the
class, blue against it. The signal is the one the network was given, after preprocessing. Such pictures can show the
input alone: the last line of each title is the rank correlation with the same picture of a network of random weights
(Adebayo et al. 2018), which must stay below a stated bound. What lights up is where the network looked, not why.
"""

from typing import TYPE_CHECKING

import numpy as np

from codeii.artifacts.explanations import Explanations
from codeii.reporting.study import Study
from codeii.reporting.style import INK, Picture, new_figure, not_run, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("explanations",)
SECTION = "Failures"
MOST = 3  # cases
LEAD_MV = 2.0  # between two leads


def draw(study: Study) -> Picture:
    """One panel per case, below one another: the first of each kind of the first run that has them."""
    chosen = [(found, at) for found in study.explanations for at in _first_of_kinds(found)][:MOST]
    if not chosen:
        return not_run("no run was explained", study.warning)
    figure = new_figure(3.9 * len(chosen) + 0.3)
    grid = figure.add_gridspec(len(chosen), 1)
    for number, (found, at) in enumerate(chosen):
        _draw_case(figure.add_subplot(grid[number, 0]), study, found, at)
    return picture(figure, study.warning)


def _first_of_kinds(found: Explanations) -> list[int]:
    chosen = found.cases.drop_duplicates("record_id").drop_duplicates("kind")
    return [int(at) for at in chosen.index]


def _draw_case(axes: "Axes", study: Study, found: Explanations, at: int) -> None:
    case, facts = found.cases.iloc[at], found.manifest.facts
    signal, attribution = found.signal[at], found.attribution[at]
    seconds = np.arange(signal.shape[1]) / facts["rate_hz"]
    spread = np.ptp(signal) or 1.0
    step = LEAD_MV if facts["unit"] == "mV" else spread
    size = _smooth(attribution, facts["rate_hz"])
    most = np.quantile(np.abs(size), 0.995) or 1.0
    for row, lead in enumerate(facts["leads"]):
        base = -row * step
        band = (0, seconds[-1], base - step / 2, base + step / 2)
        axes.imshow(size[row][None], extent=band, cmap="bwr", vmin=-most, vmax=most, aspect="auto", alpha=0.55)
        axes.plot(seconds, np.clip(signal[row], -step, step) + base, color=INK, linewidth=0.5)
        axes.text(-0.01, base, lead, ha="right", va="center", fontsize=7, transform=axes.get_yaxis_transform())
    axes.set_ylim(-len(signal) * step + step / 2, step / 2)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("s", fontsize=8)
    name = study.marked(facts["experiment"], found.manifest.synthetic)
    agreement = case["after_randomisation"]
    axes.set_title(
        f"{name}, record {case['record_id']}: {case['class']} {case['kind']}, {case['probability']:.3f} "
        f"(threshold {case['threshold']:.3f}), true: {case['true'] or 'none'}\n"
        f"correlation with random weights {agreement:.2f}, bound {facts['bound']:g}",
        fontsize=8,
    )


def _smooth(attribution: np.ndarray, rate_hz: float) -> np.ndarray:
    """Means over 40 ms: single samples are finer than a line."""
    width = max(1, round(0.04 * rate_hz))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(row, kernel, "same") for row in attribution])
