"""What the measures of a record rest on: extremes, runs, and sums of whole numbers over its samples.

They are exact, so that neither the order of adding nor the processor shows in a measure, and the compiled kernel
(`sums.c`) gives the very numbers of the reference, here in NumPy. One record of 12 x 5,000 samples takes the kernel
about 0.03 ms, the reference half a millisecond.
"""

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from codeii.native.library import load_library
from codeii.schema.leads import LEADS

LIMBS = 6  # rows of the limb leads
SHAPE_HZ = 100  # of the slopes by which leads are compared
TONES_HZ = (50, 60, 55)  # mains, and where none are: as much power as there is the heart's or the muscles'
WAVE = 8191  # largest value of a wave: four products of pairs of samples fit 32 bits
SPARE = 5  # bits of buckets beyond those of the samples: 1 in 64 falls into a full one by chance
SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True, slots=True)
class Sums:
    """One signal's extremes and sums, by lead or of the worst lead."""

    low: list[int]  # by lead
    high: list[int]
    total: list[int]  # of all samples
    squares: list[int]  # of I and II, and of the doubled gaps between III, aVR, aVL, aVF and what I and II say of them
    gap: int  # largest of these, doubled
    swing: int  # largest range of the sums of whole seconds
    step: int  # largest difference of neighbouring samples
    still: int  # samples of the longest stretch without a change
    repeats: int  # samples whose twelve values occurred before, and at most one in 64 others
    lines: list[float]  # power under the waves of 50 and of 60 Hz beyond that at 55 Hz, summed over the stretches
    products: np.ndarray  # (12, 12) float64, of the slopes of each two leads, summed


class _Found(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64 * len(LEADS)) for name in ("low", "high", "total")),
        ("squares", ctypes.c_int64 * LIMBS),
        *((name, ctypes.c_int64) for name in ("gap", "swing", "step", "still", "repeats")),
        ("lines", ctypes.c_double * 2),
        ("products", ctypes.c_double * len(LEADS) ** 2),
    )


class _Ask(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("samples", "rate", "length", "bits", "thin")),
        *((name, ctypes.c_void_p) for name in ("waves", "lots")),
    )


def sums_of(signal_uv: np.ndarray, rate_hz: int) -> Sums:
    """The sums of a (12, sample) int16 signal of at least one second, by the kernel where there is one."""
    library = load_library(SOURCE)
    return reference(signal_uv, rate_hz) if library is None else _by_kernel(library, signal_uv, rate_hz)


def stretch(rate_hz: int, samples: int) -> int:
    """Samples of a stretch that is looked at for mains: two seconds, or one where there are no two."""
    return rate_hz * min(2, samples // rate_hz)


def thin(rate_hz: int) -> int:
    """Samples from one moment of the slopes to the next."""
    return max(1, rate_hz // SHAPE_HZ)


@lru_cache(maxsize=64)  # rates and lengths may be many
def waves(rate_hz: int, samples: int) -> np.ndarray:
    """(6, sample) int16: cosines, then sines of `TONES_HZ` under a window of Hann, `WAVE` high."""
    turns = 2 * np.pi * np.outer(TONES_HZ, np.arange(samples) / rate_hz)
    window = np.hanning(samples + 2)[1:-1]
    return np.rint(np.concatenate([np.cos(turns), np.sin(turns)]) * window * WAVE).astype(np.int16)


@cache
def _lots() -> np.ndarray:
    """(12,) odd uint32 weights under which different samples hardly ever give the same number."""
    return np.random.Generator(np.random.PCG64(0)).integers(0, 1 << 32, len(LEADS), np.uint32) | np.uint32(1)


def _bits(samples: int) -> int:
    return min(32, samples.bit_length() + SPARE)


@lru_cache(maxsize=64)
def _ask(rate_hz: int, samples: int) -> tuple[_Ask, np.ndarray, np.ndarray]:
    """What the kernel is told besides the signal, with the arrays it points to."""
    length, lots = stretch(rate_hz, samples), _lots()
    wave = waves(rate_hz, length)
    told = _Ask(samples, rate_hz, length, _bits(samples), thin(rate_hz), _address(wave), _address(lots))
    return told, wave, lots


def _by_kernel(library: ctypes.CDLL, signal_uv: np.ndarray, rate_hz: int) -> Sums:
    signal, found, samples = np.ascontiguousarray(signal_uv), _Found(), signal_uv.shape[1]
    asked = _ask(rate_hz, samples)
    if not library.sums_of(ctypes.c_void_p(_address(signal)), ctypes.byref(asked[0]), ctypes.byref(found)):
        raise MemoryError(f"no memory for the marks of {samples} samples")
    return Sums(
        *(found.low[:], found.high[:], found.total[:], found.squares[:]),
        *(found.gap, found.swing, found.step, found.still, found.repeats, found.lines[:]),
        np.frombuffer(found.products).reshape(len(LEADS), len(LEADS)),
    )


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def reference(signal_uv: np.ndarray, rate_hz: int) -> Sums:
    """The same sums in NumPy."""
    signal, samples = signal_uv.astype(np.int32), signal_uv.shape[1]
    steps = signal[:, 1:] - signal[:, :-1]
    told = _doubled_gaps(signal)
    squares = (np.concatenate([signal[:2], told]).astype(np.int64) ** 2).sum(axis=1)
    length = stretch(rate_hz, samples)
    seconds = signal[:, : samples // length * length].reshape(len(LEADS), -1, rate_hz).sum(axis=2, dtype=np.int64)
    moving = slopes(signal_uv, rate_hz).astype(np.float64)
    return Sums(
        low=signal.min(axis=1).tolist(),
        high=signal.max(axis=1).tolist(),
        total=signal.sum(axis=1, dtype=np.int64).tolist(),
        squares=squares.tolist(),
        gap=int(np.abs(told).max()),
        swing=int(np.ptp(seconds, axis=1).max()),
        step=int(np.abs(steps).max(initial=0)),
        still=longest_still(steps == 0),
        repeats=_repeats(signal),
        lines=_lines(signal, rate_hz),
        products=moving @ moving.T,
    )


def slopes(signal_uv: np.ndarray, rate_hz: int) -> np.ndarray:
    """(lead, moment) int32 differences over about 20 ms: steep waves count, baseline wander does not."""
    coarse = signal_uv[:, :: thin(rate_hz)].astype(np.int32)
    found: np.ndarray = coarse[:, 2:] - coarse[:, :-2]
    return found


def _doubled_gaps(signal: np.ndarray) -> np.ndarray:
    """(4, sample) twice the distances of III, aVR, aVL, aVF from what I and II say of them (`schema.leads`)."""
    one, two, three, right, left, foot = signal[:LIMBS]
    return np.stack([2 * (three + one - two), 2 * right + one + two, 2 * (left - one) + two, 2 * (foot - two) + one])


def longest_still(equal: np.ndarray) -> int:
    """Samples of the longest stretch without a change, from (lead, sample) bool "equal to the next"; 1 for none.

    Runs are found by doubling, in one long integer: a run of 2k begins where two runs of k follow each other. A
    column of False keeps a stretch from reaching from one lead into the next.
    """
    bits, length = int.from_bytes(np.packbits(np.pad(equal, ((0, 0), (0, 1)))).tobytes(), "big"), 0
    powers = []
    while bits:
        powers.append(bits)
        bits &= bits >> (1 << (len(powers) - 1))
    for power in range(len(powers) - 1, -1, -1):
        longer = (powers[power] if not length else bits & (powers[power] >> length)) if powers else 0
        if longer:
            bits, length = longer, length + (1 << power)
    return length + 1


def _lines(signal: np.ndarray, rate_hz: int) -> list[float]:
    length = stretch(rate_hz, signal.shape[1])
    power = np.zeros((len(LEADS), len(TONES_HZ)))
    for start in range(0, signal.shape[1] - length + 1, length):
        # products of whole numbers below 2^53: exact
        tones = signal[:, start : start + length].astype(np.float64) @ waves(rate_hz, length).T.astype(np.float64)
        squares = tones * tones
        power += squares[:, : len(TONES_HZ)] + squares[:, len(TONES_HZ) :]
    lines: list[float] = (power[:, :2] - power[:, 2:]).max(axis=0).tolist()
    return lines


def _repeats(signal: np.ndarray) -> int:
    samples = int(signal.shape[1])
    marks = (_lots()[:, None] * signal.astype(np.uint32)).sum(axis=0, dtype=np.uint32)
    buckets: np.ndarray = np.unique(marks >> np.uint32(32 - _bits(samples)))
    return samples - len(buckets)
