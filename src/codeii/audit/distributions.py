"""What people look at first: lengths, amplitudes, how well limb leads close, ages by sex. Counts, ready to draw."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from codeii.artifacts.audit import Histogram
from codeii.audit.signals import seconds_of

LENGTH_S = np.append(np.arange(-0.25, 60.5, 0.5), 1e6)  # the last bin holds whatever is longer than a minute
PEAK_TO_PEAK_MV = np.geomspace(0.05, 65.6, 61)
RESIDUAL = np.geomspace(1e-4, 10, 51)
AGE_YEARS = np.arange(0, 121, 5).astype(float)
DIGITS = 6


def distributions(records: pd.DataFrame) -> Mapping[str, Histogram]:
    """Histograms by name, over fixed edges: two sources, or two runs, can be laid over each other."""
    shapes = {
        "length_s": histogram(seconds_of(records), LENGTH_S),
        "peak_to_peak_mv": histogram(records["peak_to_peak_uv"] / 1e3, PEAK_TO_PEAK_MV),
        "limb_residual": histogram(records["limb_residual"], RESIDUAL),
    }
    for sex in ("female", "male", "unknown"):
        shapes[f"age_years {sex}"] = histogram(records["age_years"][records["sex"] == sex], AGE_YEARS)
    return shapes


def histogram(values: pd.Series, edges: np.ndarray) -> Histogram:
    """Counts of the known values between the edges; those outside count at the ends."""
    known = values.dropna().to_numpy(np.float64)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    rounded = tuple(float(f"{edge:.{DIGITS}g}") for edge in edges)
    return Histogram(rounded, tuple(map(int, counts)), int(values.isna().sum()))
