"""One look for all figures: fonts, colours for any eye, direct labels, and the words that mark synthetic data."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_IN = 9.0
SCREEN_DPI = 96
PNG_DPI = 2 * SCREEN_DPI
INK, FAINT, GRID, ALARM = "#1a1a1a", "#5f6368", "#e3e5e8", "#a4161a"

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color), darkest first, without its yellow: too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", ":", "-.")

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # matplotlib brings it along: the same letters everywhere
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a class name is a dollar sign
    "svg.fonttype": "path",
    "svg.hashsalt": "codeii",
    "figure.dpi": SCREEN_DPI,
    "figure.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished figure, as vectors and as pixels at twice the screen's density."""

    svg: str
    png: bytes


@contextmanager
def in_style() -> Iterator[None]:
    """Draw with the look of the house, whatever matplotlib's settings are outside."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure that keeps its parts from overlapping."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(count: int, columns: int, panel_height_in: float) -> tuple[Figure, "list[Axes]"]:
    """A figure of `count` panels, at most `columns` in a row."""
    across = max(1, min(columns, count))
    down = math.ceil(count / across)
    figure = new_figure(down * panel_height_in + 0.35, WIDTH_IN if across > 1 else 0.72 * WIDTH_IN)
    grid = figure.add_gridspec(down, across)
    return figure, [figure.add_subplot(grid[index // across, index % across]) for index in range(count)]


def picture(figure: Figure, warning: str) -> Picture:
    """Render a figure, with the warning drawn on it in words where there is one."""
    if warning:
        figure.suptitle(warning, x=0.01, ha="left", fontsize=9, fontweight="bold", color=ALARM)
    vectors, pixels = BytesIO(), BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(vectors, format="svg", metadata=nothing)
    figure.set_layout_engine("none")  # both have the places that were found once
    figure.savefig(pixels, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Picture(vectors.getvalue().decode("utf-8"), pixels.getvalue())


def not_run(reason: str, warning: str) -> Picture:
    """A figure without data that says why."""
    figure = new_figure(1.1)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.0, 0.5, fill(f"not run: {reason}", 100), va="center", color=FAINT, transform=axes.transAxes)
    return picture(figure, warning)


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in order; they repeat after seven."""
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}


def lines_of(names: Sequence[str]) -> dict[str, Any]:
    """A line style for each name, in order; they repeat after four."""
    return {name: LINES[index % len(LINES)] for index, name in enumerate(names)}


def label_ends(axes: "Axes", ends: Iterable[tuple[float, float, str, str]]) -> None:
    """Write names at the right ends of lines, moved apart where they would touch.

    ends : (x, y, text, colour) in data coordinates; call it after the axes' limits are set.
    """
    ordered = sorted(ends, key=lambda end: end[1])
    low, high = axes.get_ylim()
    gap = 0.07 * (high - low) * max((text.count("\n") + 1 for _, _, text, _ in ordered), default=1)
    places = spread([y for _, y, _, _ in ordered], gap, low, high)
    for (x, y, text, colour), place in zip(ordered, places, strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(1.03, (place - low) / (high - low)),
            textcoords="axes fraction",
            color=colour,
            fontsize=8,
            va="center",
            annotation_clip=False,
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Rising places near rising `values`, at least `gap` apart, inside [low, high] as far as they fit."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + gap) if places else max(value, low))
    ceiling = high
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], ceiling)
        ceiling = places[index] - gap
    return places


def whiskers(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> list[list[float]]:
    """Lengths below and above each value as matplotlib's `errorbar` wants them; an unknown bound has length 0."""
    below = [0.0 if math.isnan(low) else max(0.0, value - low) for value, low in zip(values, lows, strict=True)]
    above = [0.0 if math.isnan(high) else max(0.0, high - value) for value, high in zip(values, highs, strict=True)]
    return [below, above]


def rounded_limits(values: Iterable[float], step: float = 0.05, top: float = 1.0) -> tuple[float, float]:
    """Axis limits on whole steps around the finite values, never above `top`; (0, top) without any."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, top
    low = math.floor(min(finite) / step + 1e-9) * step
    high = math.ceil(max(finite) / step - 1e-9) * step
    return (low, min(high, top)) if high > low else (low - step, min(low + step, top))
