"""Finds equal descriptors among millions without comparing every two.

Descriptors are turned to their principal axes. Along the first `AXES` of them the space is cut into cells; a descriptor
is looked up in its own cell and, where it lies within `TOLERANCE` of a wall, in those behind it. So two descriptors
that differ by at most `TOLERANCE` along each axis always meet, and what meets is then compared in full.

Cells are whole numbers; looking up is a binary search in their sorted list: time grows as n log n, and memory is the
descriptors plus 24 bytes each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

AXES = 12
CELL, TOLERANCE = 0.12, 0.015  # descriptors have length one; copies differ by 0.002 to 0.012 in all
NEAR = 0.1  # largest distance in full: copies stay below 0.06, different hearts above 0.1
CROWD = 5000  # a cell of more descriptors says nothing: a test pulse, a pacing spike on a flat line
BITS, HALF = 5, 16  # cells along one axis, counted from the middle; what lies outside counts as at the edge
BLOCK, PAIRS = 1 << 16, 1 << 20  # descriptors, and pairs of them, at a time


@dataclass(frozen=True, slots=True)
class Cells:
    """Descriptors sorted by cell."""

    axes: np.ndarray  # (number, AXES) float32
    keys: np.ndarray  # (descriptor,) uint64, sorted
    order: np.ndarray  # (descriptor,) int32: whose key it is


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of near descriptors of different owners; the first stands before the second."""

    first: np.ndarray  # (pair,) int32, rows of the descriptors
    second: np.ndarray
    sign: int  # -1 where the second is near the negative of the first
    distance: np.ndarray  # (pair,) float32
    crowded: np.ndarray  # descriptors that were not compared, as their cell holds a crowd


def sorted_cells(vectors: np.ndarray) -> Cells:
    """Principal axes of the descriptors (about zero, so that a negative lies opposite) and their sorted cells.

    vectors : (descriptor, number) float16 or float32; it may be a file that is mapped.
    """
    moment = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float32)
        moment += block.T @ block
    axes = np.ascontiguousarray(np.linalg.eigh(moment)[1][:, : -AXES - 1 : -1], np.float32)
    keys = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), BLOCK):
        cell, _ = _cell_and_place(vectors[start : start + BLOCK].astype(np.float32) @ axes)
        keys[start : start + BLOCK] = _keys(cell)
    order = np.argsort(keys, kind="stable").astype(np.int32)
    return Cells(axes, keys[order], order)


def near_pairs(vectors: np.ndarray, owners: np.ndarray, cells: Cells, sign: int = 1) -> Iterator[Matches]:
    """Every pair of descriptors of different owners within `TOLERANCE` along each axis and `NEAR` in all.

    vectors : (descriptor, number); owners : (descriptor,) int32, the record each belongs to
    cells : `sorted_cells` of the same descriptors
    sign : -1 looks for descriptors near the negative of others, as copies with their sign turned have
    """
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float32)
        row, low, many = _looked_up(cells, sign * (block @ cells.axes))
        crowd = many > CROWD
        crowded = np.unique(row[crowd]) + start
        row, low, many = row[~crowd] + start, low[~crowd], many[~crowd]
        for first, last in _portions(many):
            chosen = slice(first, last)
            yield _compared(
                vectors, owners, sign, row[chosen], cells.order[_runs(low[chosen], many[chosen])], many[chosen], crowded
            )
            crowded = crowded[:0]


def _looked_up(cells: Cells, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each cell that a place may share: the place's row, where the cell starts in the list, how many it holds."""
    keys, row = _reachable(places)
    order = np.argsort(keys, kind="stable")
    keys, row = keys[order], row[order]
    low = np.searchsorted(cells.keys, keys, "left")
    many = np.searchsorted(cells.keys, keys, "right") - low
    found = many > 0
    return row[found], low[found], many[found]


def _reachable(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the own cell of every place and of the cells within `TOLERANCE` of it, and whose they are."""
    cell, share = _cell_and_place(places)
    keys, row = _keys(cell), np.arange(len(places))
    wall = TOLERANCE / CELL
    step = (share > 1 - wall).astype(np.int64) - (share < wall)
    step[(cell + step < 0) | (cell + step >= 2 * HALF)] = 0
    for axis in range(AXES):
        here = step[row, axis]
        beside = np.flatnonzero(here)
        moved = keys[beside] + (here[beside] << (BITS * axis)).view(np.uint64)
        keys, row = np.concatenate([keys, moved]), np.concatenate([row, row[beside]])
    return keys, row


def _cell_and_place(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell along each axis, and how far into it."""
    scaled = places / np.float32(CELL) + HALF
    cell = np.clip(np.floor(scaled), 0, 2 * HALF - 1)
    return cell.astype(np.int64), scaled - cell


def _keys(cell: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(cell), np.uint64)
    for axis in range(AXES):
        keys |= cell[:, axis].astype(np.uint64) << np.uint64(BITS * axis)
    return keys


def _portions(many: np.ndarray) -> Iterator[tuple[int, int]]:
    """Stretches of about `PAIRS` pairs."""
    until = np.cumsum(many)
    first = 0
    while first < len(many):
        done = until[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(until, done + PAIRS, "right")))
        yield first, last
        first = last


def _runs(low: np.ndarray, many: np.ndarray) -> np.ndarray:
    """low[0], low[0] + 1, ... (many[0] of them), low[1], ..."""
    before = np.cumsum(many) - many
    runs: np.ndarray = np.arange(many.sum()) + np.repeat(low - before, many)
    return runs


def _compared(
    vectors: np.ndarray,
    owners: np.ndarray,
    sign: int,
    row: np.ndarray,
    other: np.ndarray,
    many: np.ndarray,
    crowded: np.ndarray,
) -> Matches:
    first = np.repeat(row, many)
    fit = (other > first) & (owners[other] != owners[first])
    first, second = first[fit].astype(np.int32), other[fit]
    gap = vectors[second].astype(np.float32)
    gap -= sign * vectors[first].astype(np.float32)
    squared = np.einsum("pn,pn->p", gap, gap)
    near = squared < NEAR**2
    return Matches(first[near], second[near], sign, np.sqrt(squared[near]), crowded)
