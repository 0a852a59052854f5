"""What is measured of every record: amplitude, limb-lead arithmetic, offsets, still stretches, steps, wander, mains.

One pass over a signal of 12 x 5,000 samples takes about a tenth of a millisecond: whole arrays, no loop over samples,
and what is rare is looked for only where a cheap bound allows it.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from codeii.schema.leads import LEADS, derive
from codeii.schema.record import Measures

LIMBS = 6  # rows of the limb leads
MAINS_HZ = (50, 60)
BESIDE_HZ = 55  # where no mains are: as much power as here is the heart's or the muscles'
MARGIN_HZ = 5  # between mains and half the rate, beyond which nothing is recorded
SHAPE_HZ = 100  # of the slopes by which leads are compared


@dataclass(frozen=True, slots=True)
class Look:
    """One signal with what was computed of it: by lead where it says (lead,), else of the worst lead."""

    signal_uv: np.ndarray  # (lead, sample) int16
    rate_hz: int
    low: np.ndarray  # (lead,)
    high: np.ndarray  # (lead,)
    peaks_uv: np.ndarray  # (lead,) int64 peak-to-peak amplitude
    mean_uv: float  # distance of the mean from zero
    step_uv: float  # largest difference of neighbouring samples
    wander_uv: float  # range of the means of whole seconds
    mains_uv: tuple[float, float]  # amplitude at 50 and at 60 Hz; NaN where the rate is too low
    gap_uv: float  # largest distance of a recorded limb lead from the one derived from I and II
    residual: float  # largest standard deviation of those distances over the size of I and II
    still: int  # samples of the longest stretch in which some lead does not change
    repeats: int  # samples whose twelve values occur more than once, about
    slopes: np.ndarray  # (lead, moment) of the shape, at about `SHAPE_HZ`

    @property
    def slopes_hz(self) -> float:
        """Moments of `slopes` in a second."""
        return self.rate_hz / max(1, self.rate_hz // SHAPE_HZ)


def look_at(signal_uv: np.ndarray, rate_hz: int) -> Look:
    """Measure a (12, sample) int16 signal of at least one second, uV."""
    signal = signal_uv.astype(np.float32)  # exact: int16 has 16 bits, float32 24
    mean_uv = signal @ np.ones(signal.shape[1], np.float32) / signal.shape[1]
    gap_uv, residual = _closing(signal[:LIMBS], mean_uv[:LIMBS])
    steps = signal[:, 1:] - signal[:, :-1]
    equal = np.zeros(signal.shape, bool)
    np.equal(steps, 0, out=equal[:, :-1])
    wander_uv, mains_uv = _slow_and_mains(signal, rate_hz)
    low, high = signal_uv.min(axis=1), signal_uv.max(axis=1)
    return Look(
        signal_uv=signal_uv,
        rate_hz=rate_hz,
        low=low,
        high=high,
        peaks_uv=high.astype(np.int64) - low,
        mean_uv=float(np.abs(mean_uv).max()),
        step_uv=float(max(steps.max(), -steps.min())),
        wander_uv=wander_uv,
        mains_uv=mains_uv,
        gap_uv=gap_uv,
        residual=residual,
        still=longest_still(equal),
        repeats=_repeats(signal),
        slopes=_slopes(signal, rate_hz),
    )


def measures_of(look: Look, clipped_share: float) -> Measures:
    """The measures that are stored, rounded so that the last bits of another processor do not show."""
    return Measures(
        peak_to_peak_uv=float(look.peaks_uv.max()),
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


def longest_still(equal: np.ndarray) -> int:
    """Samples of the longest stretch without a change, from (lead, sample) bool "equal to the next"; 1 for none.

    The last column is False, so that no stretch reaches from one lead into the next. Runs are found by doubling, in
    one long integer: a run of 2k begins where two runs of k follow each other.
    """
    bits, length = int.from_bytes(np.packbits(equal).tobytes(), "big"), 0
    powers = []
    while bits:
        powers.append(bits)
        bits &= bits >> (1 << (len(powers) - 1))
    for power in range(len(powers) - 1, -1, -1):
        longer = (powers[power] if not length else bits & (powers[power] >> length)) if powers else 0
        if longer:
            bits, length = longer, length + (1 << power)
    return length + 1


@cache
def _limb_law() -> np.ndarray:
    """(6, 6) float32: rows I, II as they are; III, aVR, aVL, aVF as recorded minus as derived from I and II."""
    law = np.eye(LIMBS, dtype=np.float32)
    for row, name in enumerate(LEADS[2:LIMBS], start=2):
        law[row, :2] = -derive(name, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    return law


def _closing(limbs: np.ndarray, mean_uv: np.ndarray) -> tuple[float, float]:
    """Largest gap in uV, and the residual: 0 for leads that close, about 1 for wrong ones, 0 for a flat record.

    As `schema.leads` defines them, in one product and without a copy in double precision.
    """
    told = _limb_law() @ limbs
    variance = np.vecdot(told, told) / told.shape[1] - (_limb_law() @ mean_uv) ** 2
    size, most = float(variance[:2].sum()) / 2, float(variance[2:].max())
    gaps = told[2:]
    return float(max(gaps.max(), -gaps.min())), (max(0.0, most) / size) ** 0.5 if size > 0 else 0.0


@cache
def _waves(rate_hz: int, samples: int) -> np.ndarray:
    """(sample, 8) float32: two halves for means; cosine and sine, windowed, of 50, 60 and `BESIDE_HZ`."""
    window = np.hanning(samples + 2)[1:-1]
    halves = np.repeat(np.eye(2), [samples // 2, samples - samples // 2], axis=0)
    turns = 2 * np.pi * np.outer(np.arange(samples) / rate_hz, [*MAINS_HZ, BESIDE_HZ])
    waves = np.hstack([np.cos(turns), np.sin(turns)]) * window[:, None] * 2 / window.sum()
    return np.hstack([halves / halves.sum(axis=0), waves]).astype(np.float32)


def _slow_and_mains(signal: np.ndarray, rate_hz: int) -> tuple[float, tuple[float, float]]:
    """Range of the means of seconds, and the amplitude at 50 and 60 Hz, each in its worst lead, uV.

    Stretches of two seconds are transformed one by one and their powers averaged: mains drift, a line over the whole
    record would be too narrow. The power at 55 Hz, where no mains are, is taken off.
    """
    leads, length = len(signal), rate_hz * min(2, signal.shape[1] // rate_hz)
    count = signal.shape[1] // length
    found = signal[:, : count * length].reshape(leads * count, length) @ _waves(rate_hz, length)
    means, tones = found[:, :2].reshape(leads, -1), found[:, 2:]
    if length == rate_hz:  # of less than two seconds there is one second only
        means = means.mean(axis=1, keepdims=True)
    square = (tones * tones).reshape(leads, count, 6).sum(axis=1)
    power = square[:, :3] + square[:, 3:]
    line = ((power[:, :2] - power[:, 2:]).max(axis=0) / count).tolist()
    heard = [
        max(0.0, most) ** 0.5 if hz + MARGIN_HZ <= rate_hz / 2 else math.nan
        for most, hz in zip(line, MAINS_HZ, strict=True)
    ]
    return float((means.max(axis=1) - means.min(axis=1)).max()), (heard[0], heard[1])


@cache
def _lots() -> np.ndarray:
    """(12,) float32 weights under which different samples hardly ever give the same number."""
    return np.random.Generator(np.random.PCG64(0)).uniform(0.5, 1.5, len(LEADS)).astype(np.float32)


def _repeats(signal: np.ndarray) -> int:
    """About how many samples occur a second time with the same value in every lead."""
    marks = np.sort(_lots() @ signal)
    return int(np.count_nonzero(marks[1:] == marks[:-1]))


def _slopes(signal: np.ndarray, rate_hz: int) -> np.ndarray:
    """(lead, moment) differences over about 20 ms: steep waves count, baseline wander does not."""
    coarse = np.ascontiguousarray(signal[:, :: max(1, rate_hz // SHAPE_HZ)])
    slopes: np.ndarray = coarse[:, 2:] - coarse[:, :-2]
    return slopes
