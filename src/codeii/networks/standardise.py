"""One mean and one standard deviation over all leads and samples, learned from training records alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from codeii.artifacts.checkpoint import CheckpointCard
from codeii.artifacts.tensor_store import Signals, blocks

BLOCK_SAMPLES = 1 << 22  # squares of so many int16 sum to less than 2^53: float64 holds every partial sum exactly


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and standard deviation in the unit of the tensors; a network sees (value - mean) / deviation."""

    mean: float = 0.0
    deviation: float = 1.0


AS_STORED = Standard()


def standard_of(card: CheckpointCard) -> Standard:
    """What the network of a checkpoint was trained behind."""
    return Standard(card.input_mean, card.input_deviation)


def standard_over(values: Signals, rows: np.ndarray, scale: float) -> Standard:
    """Mean and population standard deviation over all leads and samples of some rows, times `scale`.

    values : (row, lead, sample) int16; zeros beside a record that is shorter than its tensor count like any sample.

    Sums are whole numbers, so the result is the same bits in any order and in every process.
    Raises ValueError when all samples are equal.
    """
    count = total = squares = 0
    for block in _flat(values, rows):
        count += block.size
        total += int(block.sum())
        squares += int(block @ block)
    spread = count * squares - total * total  # count^2 times the variance
    if not spread:
        raise ValueError(f"all {count} samples of the training records are equal; there is nothing to standardise by")
    return Standard(total / count * scale, math.sqrt(spread) / count * scale)


def _flat(values: Signals, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The samples of the rows in their order on disk, as float64 vectors of at most `BLOCK_SAMPLES`."""
    in_order = np.sort(rows)
    size = max(1, BLOCK_SAMPLES // math.prod(values.shape[1:]))
    for part in blocks(len(in_order), size):
        samples = values[in_order[part]].astype(np.float64).reshape(-1)
        for piece in blocks(len(samples), BLOCK_SAMPLES):  # one row may be longer than a block
            yield samples[piece]
