"""Batches cut from a store by row number; their order is a function of seed and pass, so a position is a number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codeii.artifacts.tensor_store import TensorStore, blocks

# First word of a random stream's seed, so that the streams of one run do not repeat each other.
ORDER_STREAM, DROPOUT_STREAM = 1, 2


@dataclass(frozen=True, slots=True)
class Inputs:
    """Some rows of an array, in their order; `values[rows] * scale` is what a network sees."""

    values: np.ndarray  # (row, ...) int16 or float32, may be memory-mapped
    rows: np.ndarray  # (record,) int64
    scale: float

    def __len__(self) -> int:
        """Number of records."""
        return len(self.rows)


def inputs_of(store: TensorStore, record_ids: Sequence[str]) -> Inputs:
    """Rows of a tensor store by record. Raises ValueError naming the records the store does not hold."""
    row_of = {record_id: row for row, record_id in enumerate(store.index["record_id"])}
    missing = [record_id for record_id in record_ids if record_id not in row_of]
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ValueError(f"{len(missing)} of {len(record_ids)} records have targets but no tensor: {named}")
    return Inputs(store.signals, np.array([row_of[record_id] for record_id in record_ids], np.int64), store.scale)


def read(inputs: Inputs, picks: np.ndarray | slice, device: torch.device) -> Tensor:
    """(B, ...) float32 of the picked records, in the store's unit."""
    counts = torch.from_numpy(inputs.values[inputs.rows[picks]]).to(device)
    return counts if counts.dtype == torch.float32 and inputs.scale == 1 else counts.float().mul_(inputs.scale)


def order_of(seed: int, number: int, count: int) -> np.ndarray:
    """(count,) the order in which pass `number` of a run visits its records."""
    return np.random.default_rng((ORDER_STREAM, seed, number)).permutation(count)


def cut(count: int, batch_size: int) -> list[slice]:
    """Batches that cover range(count). A last batch of one record joins the one before: batch norm needs company."""
    parts = list(blocks(count, batch_size))
    if len(parts) > 1 and parts[-1].stop - parts[-1].start == 1:
        parts[-2:] = [slice(parts[-2].start, count)]
    return parts


def seed_dropout(seed: int, step: int) -> None:
    """Make the randomness inside the network a function of seed and step: a resumed run needs no stored state."""
    words = np.random.SeedSequence((DROPOUT_STREAM, seed, step)).generate_state(2)
    torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
