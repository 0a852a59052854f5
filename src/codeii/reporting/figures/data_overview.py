"""What is in the data: length, amplitude, fit of the limb leads, and age by sex, one row for each source.

Bars count records that were kept. Length: half a second each, the last bar at 60 s holds longer ones. Amplitude: of
the lead with the largest, from lowest to highest sample. Limb leads: how far III, aVR, aVL and aVF are from what I and
II say they are; right of the dotted line leads are in a wrong order, and leads that a reader derived always fit. Age:
five years each, men above the line and women below it; who is of unknown age or sex is counted in the corner.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from codeii.artifacts.audit import Audit, Histogram
from codeii.reporting.rows import count
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, FAINT, INK, Picture, new_figure, not_run, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("audits",)
SECTION = "Data"
ROW_IN = 1.75
OF_SEX = {"female": (-1, COLOURS[1]), "male": (1, COLOURS[0])}
TITLES = ("length, s", "amplitude, mV peak to peak", "residual of the limb leads", "age, years")
LOOSE = 0.25  # residual of leads in a wrong order
BAR = "#7d8ea3"


def draw(study: Study) -> Picture:
    """Small multiples: a row for each source, a column for each measure."""
    audits = {name: audit for name, audit in study.audits.items() if audit.report.counts["kept"]}
    if not audits:
        return not_run("no record was read", study.warning)
    figure = new_figure(ROW_IN * len(audits) + 0.5)
    grid = figure.add_gridspec(len(audits), len(TITLES))
    for row, (name, audit) in enumerate(audits.items()):
        panels = [figure.add_subplot(grid[row, column]) for column in range(len(TITLES))]
        shapes = audit.report.distributions
        _title(panels[0], study.marked(name, audit.manifest.synthetic), audit)
        _lengths(panels[0], shapes["length_s"])
        _logarithmic(panels[1], shapes["peak_to_peak_mv"], (0.3, 1, 3, 10, 30))
        _logarithmic(panels[2], shapes["limb_residual"], (1e-4, 1e-3, 1e-2, 1e-1, 1))
        panels[2].axvline(LOOSE, color=FAINT, linewidth=0.8, linestyle=":")
        _ages(panels[3], shapes)
        if row == len(audits) - 1:
            for panel, title in zip(panels, TITLES, strict=True):
                panel.set_xlabel(title)
    return picture(figure, study.warning)


def _title(axes: "Axes", name: str, audit: Audit) -> None:
    counts = audit.report.counts
    text = f"{name}: {count(counts['kept'])} records of {count(counts['patients'])} patients"
    axes.set_title(text, fontsize=9)  # a title makes no room to its right: it may reach over the next panels


def _bars(axes: "Axes", edges: np.ndarray, counts: np.ndarray, colour: str = BAR) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colour, linewidth=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.grid(axis="x", visible=False)


def _lengths(axes: "Axes", shape: Histogram) -> None:
    """Seconds from 0 to a little beyond the longest; the last bin is drawn as wide as the others."""
    edges, counts = np.array(shape.edges), np.array(shape.counts)
    edges[-1] = 2 * edges[-2] - edges[-3]
    _bars(axes, edges, counts)
    axes.set_xlim(0, max(14.0, float(edges[int(np.flatnonzero(counts).max()) + 1]) + 2))


def _logarithmic(axes: "Axes", shape: Histogram, ticks: tuple[float, ...]) -> None:
    """From the first to the last tick, wider where records lie beyond."""
    edges, counts = np.array(shape.edges), np.array(shape.counts)
    _bars(axes, edges, counts)
    there = np.flatnonzero(counts)
    axes.set_xscale("log")
    axes.set_xlim(min(ticks[0], float(edges[there[0]])), max(ticks[-1], float(edges[there[-1] + 1])))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _ages(axes: "Axes", shapes: Mapping[str, Histogram]) -> None:
    largest = 1
    for sex, (side, colour) in OF_SEX.items():
        shape = shapes[f"age_years {sex}"]
        counts = np.array(shape.counts)
        largest = max(largest, int(counts.max(initial=0)))
        _bars(axes, np.array(shape.edges), side * counts, colour)
        place = (0.03, 0.04 if side < 0 else 0.9)
        axes.annotate(f"{sex} {count(counts.sum())}", place, xycoords="axes fraction", fontsize=7.5, color=colour)
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xlim(0, 110)
    axes.set_ylim(-1.45 * largest, 1.45 * largest)
    axes.set_yticks([-largest, 0, largest], [count(largest), "0", count(largest)])
    sexless = shapes["age_years unknown"]
    unknown = sum(shapes[f"age_years {sex}"].unknown for sex in OF_SEX) + sum(sexless.counts) + sexless.unknown
    if unknown:
        axes.annotate(
            f"unknown {count(unknown)}", (0.97, 0.04), xycoords="axes fraction", ha="right", fontsize=7.5, color=FAINT
        )
