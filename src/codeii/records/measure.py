"""What is measured of every record: amplitude, limb-lead arithmetic, offsets, still stretches, steps, wander, mains.

Few operations on exact sums (`sums`); what is rare is looked for only where a cheap bound allows it.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from codeii.records.sums import TONES_HZ, WAVE, Sums, slopes, stretch, sums_of, thin
from codeii.schema.record import Measures

MAINS_HZ = TONES_HZ[:2]
MARGIN_HZ = 5  # between mains and half the rate, beyond which nothing is recorded


@dataclass(frozen=True, slots=True)
class Look:
    """One signal with what was computed of it: by lead where it is a list, else of the worst lead."""

    signal_uv: np.ndarray  # (lead, sample) int16
    rate_hz: int
    low: list[int]
    high: list[int]
    peaks_uv: list[int]  # peak-to-peak amplitude
    mean_uv: float  # distance of the mean from zero
    step_uv: float  # largest difference of neighbouring samples
    wander_uv: float  # range of the means of whole seconds
    mains_uv: tuple[float, float]  # amplitude at 50 and at 60 Hz; NaN where the rate is too low
    gap_uv: float  # largest distance of a recorded limb lead from the one derived from I and II
    residual: float  # largest standard deviation of those distances over the size of I and II
    still: int  # samples of the longest stretch in which some lead does not change
    repeats: int  # samples whose twelve values occur more than once, about
    products: np.ndarray  # (lead, lead) float64, of the slopes of each two leads, summed

    @property
    def slopes(self) -> np.ndarray:
        """(lead, moment) int32 of the shape, at about `SHAPE_HZ`."""
        return slopes(self.signal_uv, self.rate_hz)

    @property
    def slopes_hz(self) -> float:
        """Moments of `slopes` in a second."""
        return self.rate_hz / thin(self.rate_hz)


def look_at(signal_uv: np.ndarray, rate_hz: int) -> Look:
    """Measure a (12, sample) int16 signal of at least one second, uV."""
    sums, samples = sums_of(signal_uv, rate_hz), signal_uv.shape[1]
    return Look(
        signal_uv=signal_uv,
        rate_hz=rate_hz,
        low=sums.low,
        high=sums.high,
        peaks_uv=[high - low for high, low in zip(sums.high, sums.low, strict=True)],
        mean_uv=max(map(abs, sums.total)) / samples,
        step_uv=float(sums.step),
        wander_uv=sums.swing / rate_hz,
        mains_uv=_mains(sums, rate_hz, samples),
        gap_uv=sums.gap / 2,
        residual=_residual(sums, samples),
        still=sums.still,
        repeats=sums.repeats,
        products=sums.products,
    )


def measures_of(look: Look, clipped_share: float) -> Measures:
    """The measures that are stored, rounded so that the last bits of another processor do not show."""
    return Measures(
        peak_to_peak_uv=float(max(look.peaks_uv)),
        limb_residual=round(look.residual, 6),
        limb_gap_uv=look.gap_uv,
        mean_uv=round(look.mean_uv, 3),
        clipped_share=round(clipped_share, 6),
        still_s=round(look.still / look.rate_hz, 3),
        step_uv=look.step_uv,
        wander_uv=round(look.wander_uv, 3),
        mains_50_uv=round(look.mains_uv[0], 3),
        mains_60_uv=round(look.mains_uv[1], 3),
    )


def _residual(sums: Sums, samples: int) -> float:
    """0 for leads that close, about 1 for wrong ones, 0 for a flat record, as `schema.leads` defines it."""
    one, two, three, right, left, foot = sums.total[:6]
    gaps = (2 * (three + one - two), 2 * right + one + two, 2 * (left - one) + two, 2 * (foot - two) + one)
    variances = [  # in whole numbers: no digit is lost where a mean is large
        samples * square - total * total for square, total in zip(sums.squares, (one, two, *gaps), strict=True)
    ]
    size = variances[0] + variances[1]
    return float((max(variances[2:]) / (2 * size)) ** 0.5) if size else 0.0  # gaps are doubled, their squares fourfold


@cache
def _scale(length: int) -> float:
    """uV of a tone from its sum under a wave."""
    return float(2 / np.hanning(length + 2).sum() / WAVE)


def _mains(sums: Sums, rate_hz: int, samples: int) -> tuple[float, float]:
    """Amplitude at 50 and 60 Hz, each in its worst lead, uV.

    Stretches of two seconds are transformed one by one and their powers averaged: mains drift, a line over the whole
    record would be too narrow. The power at 55 Hz, where no mains are, is taken off.
    """
    length = stretch(rate_hz, samples)
    count = samples // length
    heard = [
        max(0.0, line / count) ** 0.5 * _scale(length) if hz + MARGIN_HZ <= rate_hz / 2 else math.nan
        for line, hz in zip(sums.lines, MAINS_HZ, strict=True)
    ]
    return heard[0], heard[1]
