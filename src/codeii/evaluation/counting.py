"""Counts along the order of a class under resamples: by the compiled kernel where there is one, else by numpy."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codeii.native.library import load_library

LANES = 64  # resamples that the kernel counts at once
LINE = 8  # doubles in a line of the processor's cache
SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True, slots=True)
class Lines:
    """Resamples as the kernel reads them."""

    times: NDArray[np.uint8]  # (exam, 64)
    most: int  # times that an exam is drawn in a resample, at least 1
    replicates: int


def lines_of(times: np.ndarray) -> Lines | None:
    """(replicate, exam) times for the kernel; None where it is not there, or they are too many for it."""
    most = int(times.max(initial=1))
    if len(times) > LANES or most > np.iinfo(np.uint8).max or load_library(SOURCE) is None:
        return None
    lines = np.zeros((times.shape[1], LANES), np.uint8)
    lines[:, : len(times)] = times.T
    return Lines(lines, most, len(times))


def count_by_kernel(
    lines: Lines, exam: np.ndarray, target: np.ndarray, cuts: np.ndarray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positives and negatives at each cut, each (replicate, cut).

    exam, target : (element,) int64 and bool along the order; cuts : (cut,) int64, 0 first
    """
    library = load_library(SOURCE)
    if library is None:
        raise RuntimeError("lines were made for a kernel that is not there")
    kept = [np.ascontiguousarray(each, kind) for each, kind in ((exam, np.int64), (target, bool), (cuts, np.int64))]
    found = [_rows(lines.replicates, len(cuts)) for _ in range(2)]
    times, *others = (ctypes.c_void_p(each.ctypes.data) for each in (lines.times, *kept, *found))
    numbers = (ctypes.c_int64(number) for number in (len(cuts), lines.replicates, found[0].shape[1]))
    library.count_along(times, ctypes.c_int64(lines.most), *others[:3], *numbers, *others[3:])
    return found[0][:, : len(cuts)], found[1][:, : len(cuts)]


def _rows(replicates: int, cuts: int) -> NDArray[np.float64]:
    """(replicate, at least cuts) doubles; each row begins with a line of the cache, and no two far apart share its set.

    Rows of an even number of lines would: then what one row writes drives out what the others have just begun.
    """
    of_row = LINE * (-(-cuts // LINE) | 1)
    room = np.empty(replicates * of_row + LINE)
    start = -(room.ctypes.data // room.itemsize) % LINE
    return room[start : start + replicates * of_row].reshape(replicates, of_row)


def count_by_numpy(
    times: np.ndarray, exam: np.ndarray, target: np.ndarray, cuts: np.ndarray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same for (replicate, exam) int32 times."""
    at = np.flatnonzero(target)
    steps, starts = np.unique(np.searchsorted(cuts, at, "right") - 1, return_index=True)
    taken = np.add.reduceat(np.take(times, exam, axis=1), cuts[:-1], axis=1, dtype=np.int32)
    found = np.add.reduceat(np.take(times, exam[at], axis=1), starts, axis=1, dtype=np.int32)
    tp = np.zeros((len(times), len(cuts)))
    tp[:, steps + 1] = found
    called = np.zeros_like(tp)
    called[:, 1:] = taken
    np.cumsum(tp, axis=1, out=tp)
    np.cumsum(called, axis=1, out=called)
    return tp, called - tp
