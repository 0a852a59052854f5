"""A tracing on millimetre paper, 25 mm/s and 10 mm/mV, as small SVG (and PNG): 4 columns of 3 leads, rhythm below.

Drawing is done by the package ecg_plot; here the grid becomes a pattern and the traces short relative paths,
which makes the file a tenth of the size at the same look.
"""

import re
from io import BytesIO
from typing import Any

import numpy as np

from codeii.schema.leads import LEADS

LONGEST_S = 10.0
STEP_MM = 0.2  # a trace keeps its lowest and highest sample in each step: one line's width
RHYTHM = "II"
PAPER_MINOR, PAPER_MAJOR = "#f8e0e0", "#e6b8b8"
LEAST_MV, MOST_MV = 1.0, 3.0  # the paper reaches this far from the baseline at least, and at most
PNG_PER_MM = 192 / 25.4 / 2
NO_SOFTWARE: Any = {"Software": None}  # no version of a library inside the file


def ecg_svg(signal_uv: np.ndarray, rate_hz: int, title: str) -> str:
    """SVG of the first ten seconds of a tracing.

    signal_uv : (12, sample) in `LEADS` order, uV, finite. title : printed above; may be any text.
    Raises ValueError on another shape, a rate that is not positive, or a value that is not finite.
    """
    chart = _chart(signal_uv, rate_hz, title)
    svg = re.sub(r' d="(M[^"]*)"', lambda match: f' d="{_short_path(match[1])}"', str(chart.to_svg()))
    svg = re.sub(r'(?<==")(-?\d+\.\d{3})\d+(?=")', r"\1", svg)
    background = svg.index("/>", svg.index("</defs>")) + 2
    return svg[:background] + _paper(chart.panels) + svg[background:]


def ecg_png(signal_uv: np.ndarray, rate_hz: int, title: str) -> bytes:
    """PNG of the same picture; arguments and errors as of `ecg_svg`."""
    from matplotlib.image import imsave

    file = BytesIO()
    imsave(file, ecg_pixels(signal_uv, rate_hz, title), format="png", metadata=NO_SOFTWARE)
    return file.getvalue()


def ecg_pixels(signal_uv: np.ndarray, rate_hz: int, title: str) -> np.ndarray:
    """(height, width, 4) uint8 of the same picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection

    chart = _chart(signal_uv, rate_hz, title)
    figure, axes = chart.to_matplotlib()
    for spacing, colour, width_mm in ((1.0, PAPER_MINOR, 0.1), (5.0, PAPER_MAJOR, 0.15)):
        lines = [line for panel in chart.panels for line in _rulings(panel, spacing)]
        axes.add_collection(
            LineCollection(lines, colors=colour, linewidths=width_mm * 72 / 25.4, zorder=0.5), autolim=False
        )
    figure.set_dpi(PNG_PER_MM * 25.4)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def _rulings(panel: Any, spacing: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Lines of the paper behind a panel, `spacing` mm apart, through its left edge and its baseline."""
    right, bottom = panel.x + panel.width, panel.y + panel.height
    across = np.arange(panel.x, right + 1e-6, spacing)
    first = panel.baseline - np.floor((panel.baseline - panel.y) / spacing + 1e-6) * spacing
    down = np.arange(first, bottom + 1e-6, spacing)
    return [((x, panel.y), (x, bottom)) for x in across] + [((panel.x, y), (right, y)) for y in down]


def _chart(signal_uv: np.ndarray, rate_hz: int, title: str) -> Any:
    from ecg_plot import plot
    from ecg_plot.chart import Style

    if signal_uv.ndim != 2 or len(signal_uv) != len(LEADS) or not signal_uv.shape[1]:
        raise ValueError(f"signal has shape {signal_uv.shape}, expected (12, sample)")
    if rate_hz <= 0:
        raise ValueError(f"rate_hz {rate_hz} is not positive")
    if not np.isfinite(signal_uv).all():
        raise ValueError("the signal holds values that are not finite")
    signal_mv = signal_uv[:, : int(LONGEST_S * rate_hz)].astype(np.float64) / 1000.0
    return plot(
        signal_mv,
        sample_rate=rate_hz,
        units="mV",
        lead_names=list(LEADS),
        title=title,
        layout="12lead",
        rhythm_lead=RHYTHM,
        time_mode="sequential",
        amplitude_range=_paper_range(signal_mv),
        style=Style(grid=False, line_width=0.22, axes=False),
    )


def _paper_range(signal_mv: np.ndarray) -> tuple[float, float]:
    """Half millivolts around the tracing, within the limits of the paper; what lies beyond is marked by ecg_plot."""
    low = np.clip(np.floor(2 * signal_mv.min() - 0.1) / 2, -MOST_MV, -LEAST_MV)
    high = np.clip(np.ceil(2 * signal_mv.max() + 0.1) / 2, LEAST_MV, MOST_MV)
    return float(low), float(high)


def _short_path(d: str) -> str:
    """The same path with the extremes of each `STEP_MM` only, in relative steps of 0.01 mm."""
    points = np.array([pair.split(",") for pair in d[1:].split(" L")], np.float64)
    hundredths = np.rint(100 * points[_extremes(points)]).astype(np.int64)
    steps = np.diff(hundredths, axis=0)
    start = ",".join(_decimal(value) for value in hundredths[0])
    return f"M{start}l" + " ".join(f"{_decimal(x)},{_decimal(y)}" for x, y in steps) if len(steps) else f"M{start}l0,0"


def _extremes(points: np.ndarray) -> np.ndarray:
    """Row numbers of the first and last point and of the lowest and highest of each step along x."""
    if len(points) < 64:  # the calibration pulse
        return np.arange(len(points))
    step = np.floor((points[:, 0] - points[0, 0]) / STEP_MM).astype(np.int64)
    rising = np.lexsort((points[:, 1], step))
    firsts = np.flatnonzero(np.diff(step[rising], prepend=-1))
    lasts = np.append(firsts[1:], len(points)) - 1
    return np.unique(np.concatenate([[0, len(points) - 1], rising[firsts], rising[lasts]]))


def _decimal(hundredths: int) -> str:
    """`-5` as `-.05`, `120` as `1.2`."""
    text = f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text.replace("-0", "0") or "0"


def _paper(panels: Any) -> str:
    """Millimetre paper behind each panel: two patterns, anchored at the panel's left edge and baseline."""
    lines = []
    for panel in panels:
        name = f"paper-{panel.x:g}-{panel.baseline:g}".replace(".", "_")  # equal names mean equal paper
        corner = f'x="{panel.x:g}" y="{panel.baseline:g}"'
        box = f'x="{panel.x:g}" y="{panel.y:g}" width="{panel.width:g}" height="{panel.height:g}"'
        lines.append(
            f'<pattern id="{name}" patternUnits="userSpaceOnUse" {corner} width="5" height="5">'
            f'<path d="M1,0v5M2,0v5M3,0v5M4,0v5M0,1h5M0,2h5M0,3h5M0,4h5" stroke="{PAPER_MINOR}" stroke-width=".1"/>'
            f'<path d="M0,0v5M0,0h5" stroke="{PAPER_MAJOR}" stroke-width=".3"/></pattern>'
            f'<rect {box} fill="url(#{name})" stroke="{PAPER_MAJOR}" stroke-width=".15"/>'
        )
    return "".join(lines)
