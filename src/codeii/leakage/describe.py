"""Descriptors of a recording: short windows around its energy peaks, each as a few numbers that survive what
copies go through.

A peak depends on nothing but the signal around it, so the same stretch of a recording has the same peaks whatever was
cut off before and after. Each window is scaled to length one (gain falls out) and projected (rate and length have
fallen out before). Any 2.5 s of a recording hold a whole window.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from codeii.leakage.waveform import BEATS, RATE_HZ, SETTLED_S, in_bands
from codeii.schema.leads import EIGHT

SHORTEST_S = 2.5  # a copy that shares less with the original is not looked for
SMOOTHED_S = 0.12  # of the energy in which peaks are looked for: about a QRS
APART_S = 0.3  # of two peaks, at least
BEFORE_S, AFTER_S, STEP_S = 0.35, 0.45, 0.01  # a window around a peak
NUMBERS = 32  # of a descriptor
SMALLEST_UV = 0.5  # root mean square of a window: less is the rounding of the stored integers

_OFFSETS_S = np.arange(-round(BEFORE_S / STEP_S), round(AFTER_S / STEP_S)) * STEP_S


class Described(NamedTuple):
    """The windows of one record."""

    seconds: np.ndarray  # (window,) float32, time of each peak from the start of the record
    vectors: np.ndarray  # (window, NUMBERS) float16


def describe(signal_uv: np.ndarray, rate_hz: int) -> Described:
    """Windows of one record, none where it is too short or still.

    signal_uv : (12, sample) int16 in `LEADS` order, uV.
    """
    (wave,) = in_bands(signal_uv, rate_hz, (BEATS,))
    at = peaks(wave)
    room = (at >= (BEFORE_S + SETTLED_S) * RATE_HZ) & (at < wave.shape[1] - 1 - (AFTER_S + SETTLED_S) * RATE_HZ)
    windows = _windows(wave, at[room])
    length = np.linalg.norm(windows, axis=1)
    loud = length > SMALLEST_UV * np.sqrt(windows.shape[1])
    vectors = (windows[loud] / length[loud, np.newaxis]) @ projection()
    return Described((at[room][loud] / RATE_HZ).astype(np.float32), vectors.astype(np.float16))


def peaks(wave: np.ndarray) -> np.ndarray:
    """Where the energy of a (lead, sample) wave is largest within `APART_S`, in fractions of a sample, rising.

    The largest peak comes first and takes its surroundings, then the next: no stretch longer than twice `APART_S` is
    left without one.
    """
    energy = np.convolve(np.einsum("lt,lt->t", wave, wave), _hann(), "same")
    settled = round(SETTLED_S * RATE_HZ)
    inside = energy[1:-1]
    top = np.flatnonzero((inside > energy[:-2]) & (inside >= energy[2:])) + 1
    top = top[(top >= settled) & (top < len(energy) - settled)]
    taken = np.zeros(len(energy), bool)
    apart = round(APART_S * RATE_HZ)
    kept = []
    for place in top[np.argsort(-energy[top], kind="stable")].tolist():
        if not taken[place]:
            kept.append(place)
            taken[max(0, place - apart) : place + apart + 1] = True
    chosen = np.sort(np.array(kept, np.int64))
    top_at: np.ndarray = chosen + vertex(energy[chosen - 1], energy[chosen], energy[chosen + 1])
    return top_at


def vertex(before: np.ndarray, at: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Place of the top of the parabola through three neighbours, from the middle one, within half a step."""
    bend = before - 2 * at + after
    place: np.ndarray = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0.0).clip(-0.5, 0.5)
    return place


def _windows(wave: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(window, lead * step) float32, read between the samples."""
    place = at[:, np.newaxis] + _OFFSETS_S * RATE_HZ
    left = np.floor(place).astype(np.int64)
    share = (place - left).astype(np.float32)
    values = wave[:, left] * (1 - share) + wave[:, left + 1] * share
    windows: np.ndarray = np.moveaxis(values, 1, 0).reshape(len(at), len(EIGHT) * len(_OFFSETS_S))
    return windows


@cache
def _hann() -> np.ndarray:
    window = np.hanning(2 * round(SMOOTHED_S * RATE_HZ / 2) + 3)[1:-1]
    smooth: np.ndarray = (window / window.sum()).astype(np.float32)
    return smooth


@cache
def projection() -> np.ndarray:
    """(lead * step, NUMBERS) float32 of random signs, the same everywhere: distances stay what they are, nearly."""
    rows = len(EIGHT) * len(_OFFSETS_S)
    bits = np.random.PCG64(0).random_raw(rows) >> np.uint64(64 - NUMBERS)
    signs = (bits[:, np.newaxis] >> np.arange(NUMBERS, dtype=np.uint64)) & np.uint64(1)
    matrix: np.ndarray = ((2 * signs.astype(np.float32) - 1) / np.sqrt(NUMBERS)).astype(np.float32)
    return matrix
