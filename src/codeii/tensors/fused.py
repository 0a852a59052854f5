"""Calls `fused.c`: preprocessing of int16 records at the speed of the cache, with the values of `prepare`.

The filters are SciPy's, as for `prepare`; here they are laid out for the kernel. What the kernel does not do (the
band-pass and the running median, `zoom` and `decimate_joined`, recorded limb leads, scaling, a high-pass of an unusual
order) is left to the caller.
"""

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from codeii.native.library import load_library
from codeii.schema.params import Preprocessing
from codeii.tensors.filter import baseline_sos, notch
from codeii.tensors.resample import anti_aliasing, ratio, resampled_length

SOURCE = Path(__file__).with_suffix(".c")
BESIDE = 4  # records side by side: what the registers hold
LARGEST_WORK = 1 << 21  # doubles (16 MiB) that a thread keeps for them; of longer records fewer go side by side
ALIGNMENT = 64  # bytes, of a vector

Stack = np.ndarray | Sequence[np.ndarray]

_of_thread = threading.local()


class _Steps(ctypes.Structure):
    """`steps` of fused.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("stride", "samples", "made", "high_edge", "notch_edge")),
        *((name, ctypes.c_int64) for name in ("pairs", "down", "width")),
        *((name, ctypes.c_void_p) for name in ("high", "notch", "taps", "first")),
    )


class _Delivery(ctypes.Structure):
    """`delivery` of fused.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("leads", "length", "windows")),
        *((name, ctypes.c_void_p) for name in ("starts", "rows", "clipped")),
    )


@dataclass(frozen=True, slots=True)
class _Filter:
    """One of the two filters: by how much it extends a record, its coefficients, its steady states. Edge 0: none."""

    edge: int
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class _Taps:
    """The anti-aliasing filter by output: outputs come in pairs, a round of pairs advances by `down` inputs."""

    table: np.ndarray  # (pair, width, 2) float64
    first: np.ndarray  # (pair,) int64, first input of each in the first round
    down: int


@dataclass(frozen=True, slots=True)
class Kernel:
    """The compiled kernel with the filters of one stored rate and one preprocessing."""

    library: ctypes.CDLL
    rates_hz: tuple[int, int]  # stored, wanted
    high: _Filter
    notch: _Filter
    taps: _Taps

    def counts(self, stack: Stack, kept: int, starts: Sequence[int], out: np.ndarray) -> np.ndarray:
        """Fill `out` with the windows of every record that begin at `starts`; how many samples were clipped in each.

        stack : (record, 12, sample) int16, or its records as a list; the first `kept` samples are used
        out : (record x start, 8 or 12, samples) int16, contiguous  ->  (record x start,) int64
        """
        begins, clipped = np.array(starts, np.int64), np.zeros(len(out), np.int64)
        rows = _addresses(out)
        self._run(stack, kept, _Delivery(*out.shape[1:], len(begins), *map(_address, (begins, rows, clipped))))
        return clipped

    def doubles(self, stack: Stack, kept: int) -> np.ndarray:
        """Filtered and resampled, before rounding: (record, 8, sample) float64, in the unit of the stored records."""
        out = np.empty((len(stack), 8, resampled_length(kept, *self.rates_hz)))
        begins = np.zeros(1, np.int64)
        rows = _addresses(out)
        self._run(stack, kept, _Delivery(0, out.shape[-1], 1, _address(begins), _address(rows), None))
        return out

    def _run(self, stack: Stack, kept: int, delivery: _Delivery) -> None:
        if not len(stack):
            return
        records = (
            np.ascontiguousarray(stack) if isinstance(stack, np.ndarray) else list(map(np.ascontiguousarray, stack))
        )
        pointers = _addresses(records)
        edge = max(self.high.edge, self.notch.edge)
        vectors = kept + 2 * edge
        beside = max(1, min(BESIDE, len(records), LARGEST_WORK // (8 * vectors)))
        work = _work(8 * vectors * beside)
        steps = _Steps(
            records[0].shape[-1],
            kept,
            resampled_length(kept, *self.rates_hz),
            self.high.edge,
            self.notch.edge,
            len(self.taps.first),
            self.taps.down,
            self.taps.table.shape[1],
            *map(_address, (self.high.values, self.notch.values, self.taps.table, self.taps.first)),
        )
        self.library.fused(
            ctypes.byref(steps),
            ctypes.byref(delivery),
            ctypes.c_void_p(_address(pointers)),
            ctypes.c_int64(len(records)),
            ctypes.c_int64(beside),
            ctypes.c_void_p(_address(work)),
            ctypes.c_int64(edge),
        )


def kernel(rate_hz: int, settings: Preprocessing, notch_hz: int | None) -> Kernel | None:
    """The kernel for records of `rate_hz`, None where `prepare` is to be taken instead."""
    within = settings.resampling == "polyphase" and settings.baseline in ("none", "elliptic")
    within = within and settings.median_baseline_seconds is None and settings.limb_leads == "computed"
    library = load_library(SOURCE) if within else None
    high = _high_pass(rate_hz) if settings.baseline == "elliptic" else _Filter(0, np.zeros(1))
    if library is None or high is None:
        return None
    narrow = _Filter(0, np.zeros(1)) if notch_hz is None else _notch(rate_hz, notch_hz)
    return Kernel(library, (rate_hz, settings.rate_hz), high, narrow, _taps(*ratio(rate_hz, settings.rate_hz)))


@cache
def _high_pass(rate_hz: int) -> _Filter | None:
    """A first-order section with its zero at 1, then one of second order: so it is at every rate from 3 Hz on."""
    from scipy.signal import sosfilt_zi

    sos = baseline_sos(rate_hz)
    if sos.shape != (2, 6):
        return None
    (b0, b1, b2, _, a1, a2), second = sos
    if b1 != -b0 or b2 or a2 or second[0] != 1:
        return None
    steady = sosfilt_zi(sos)
    values = [b0, a1, second[1], second[2], second[4], second[5], steady[0, 0], steady[1, 0], steady[1, 1]]
    return _Filter(3 * 4, np.array(values))  # sosfiltfilt: thrice the number of taps, here 4


@cache
def _notch(rate_hz: int, notch_hz: int) -> _Filter:
    from scipy.signal import lfilter_zi

    numerator, denominator = notch(rate_hz, notch_hz)
    steady = lfilter_zi(numerator, denominator)
    return _Filter(3 * 3, np.array([*numerator[:2], *denominator[1:], *steady]))  # filtfilt: thrice the taps


@cache
def _taps(up: int, down: int) -> _Taps:
    """Output m is the sum over inputs n of taps[half + down m - up n] x[n]: laid out for pairs of outputs."""
    taps = np.ones(1) if up == down else anti_aliasing(up, down) * up
    half = len(taps) // 2
    outputs = np.arange(up if up % 2 == 0 else 2 * up)  # after so many the phases come again
    first, last = -((half - down * outputs) // up), (half + down * outputs) // up
    first = np.ascontiguousarray(first[::2])
    width = int((last[1::2] - first).max()) + 1
    inputs = first[:, None] + np.arange(width)
    index = half + down * outputs.reshape(-1, 1, 2) - up * inputs[:, :, None]
    within = (index >= 0) & (index < len(taps))
    table = np.where(within, taps[np.clip(index, 0, len(taps) - 1)], 0.0)
    return _Taps(np.ascontiguousarray(table), first.astype(np.int64), down * len(outputs) // up)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _addresses(rows: Stack) -> np.ndarray:
    if not isinstance(rows, np.ndarray):
        return np.array([_address(row) for row in rows], np.uintp)
    return np.arange(len(rows), dtype=np.uintp) * np.uintp(rows.strides[0]) + np.uintp(_address(rows))


def _work(doubles: int) -> np.ndarray:
    """Memory of this thread, aligned, kept for its next call: memory that is touched for the first time is slow."""
    work: np.ndarray | None = getattr(_of_thread, "work", None)
    if work is None or len(work) < doubles:
        room = np.empty(doubles + ALIGNMENT // 8)
        skipped = -_address(room) % ALIGNMENT // 8
        work = room[skipped : skipped + doubles]
        if doubles <= LARGEST_WORK:
            _of_thread.work = work
    return work
