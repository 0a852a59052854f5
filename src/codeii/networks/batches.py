"""Batches cut from a store by row number; their order is a function of seed and pass, so a position is a number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from codeii.artifacts.tensor_store import Signals, TensorStore, blocks
from codeii.networks.standardise import AS_STORED, Standard

Picks = TypeVar("Picks", np.ndarray, slice)

# First word of a random stream's seed, so that the streams of one run do not repeat each other.
ORDER_STREAM, DROPOUT_STREAM = 1, 2


@dataclass(frozen=True, slots=True)
class Inputs:
    """Some rows of an array, in their order; a network sees `values[rows] * scale`, standardised."""

    values: Signals | np.ndarray  # (row, ...) int16 or float32
    rows: np.ndarray  # (input,) int64
    scale: float
    record: np.ndarray  # (input,) int64, ascending: which of the records asked for each input is (a section of)
    standard: Standard = AS_STORED  # in the unit of values * scale

    def __len__(self) -> int:
        """Number of inputs: that of the records, or more where long records are cut into sections."""
        return len(self.rows)

    def standardised(self, standard: Standard) -> "Inputs":
        """The same inputs, seen by a network that was trained behind this standard."""
        return replace(self, standard=standard)


def inputs_of(store: TensorStore, record_ids: Sequence[str] | np.ndarray) -> Inputs:
    """Rows of a tensor store by record, all sections of each. Raises ValueError naming the records it does not hold."""
    asked = pd.Index(record_ids).get_indexer(pd.Index(store.index["record_id"]))
    rows = np.flatnonzero(asked >= 0)
    found = np.zeros(len(record_ids), bool)
    found[asked[rows]] = True
    missing = [record_id for record_id, there in zip(record_ids, found, strict=True) if not there]
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ValueError(f"{len(missing)} of {len(record_ids)} records have targets but no tensor: {named}")
    rows = rows[np.argsort(asked[rows], kind="stable")]
    return Inputs(store.signals, rows, store.scale, asked[rows])


def record_means(inputs: Inputs, answers: np.ndarray) -> np.ndarray:
    """(record, K) float32 mean over the sections of each record of (input, K) answers. Sums are made in float64."""
    starts = np.flatnonzero(np.diff(inputs.record, prepend=-1))
    counts = np.diff(starts, append=len(inputs))[:, None]
    return (np.add.reduceat(answers.astype(np.float64), starts) / counts).astype(np.float32)


def read(inputs: Inputs, picks: np.ndarray | slice, device: torch.device) -> Tensor:
    """(B, ...) float32 of the picked inputs, as the network sees them."""
    return as_seen(torch.from_numpy(inputs.values[inputs.rows[picks]]).to(device), inputs)


def as_seen(counts: Tensor, inputs: Inputs) -> Tensor:
    """float32 values, in the store's unit or standardised, of what a store holds; may change `counts`."""
    scale, standard = inputs.scale, inputs.standard
    if standard != AS_STORED:
        return counts.float().mul_(scale / standard.deviation).sub_(standard.mean / standard.deviation)
    return counts if counts.dtype == torch.float32 and scale == 1 else counts.float().mul_(scale)


def announced(inputs: Inputs, batches: Sequence[Picks]) -> Iterator[Picks]:
    """The same batches; while one is worked on, the disk fetches the next."""
    for place, picks in enumerate(batches):
        if isinstance(inputs.values, Signals):
            for coming in batches[place : place + 2] if place == 0 else batches[place + 1 : place + 2]:
                inputs.values.announce(inputs.rows[coming])
        yield picks


def order_of(seed: int, number: int, count: int) -> np.ndarray:
    """(count,) the order in which pass `number` of a run visits its records."""
    return np.random.default_rng((ORDER_STREAM, seed, number)).permutation(count)


def cut(count: int, batch_size: int) -> list[slice]:
    """Batches that cover range(count). A last batch of one record joins the one before: batch norm needs company."""
    parts = list(blocks(count, batch_size))
    if len(parts) > 1 and parts[-1].stop - parts[-1].start == 1:
        parts[-2:] = [slice(parts[-2].start, count)]
    return parts


def seed_dropout(seed: int, step: int, rank: int = 0) -> None:
    """Make the randomness inside the network a function of seed, step and rank: a resumed run needs no stored state."""
    words = np.random.SeedSequence((DROPOUT_STREAM, seed, step, rank)).generate_state(2)
    torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
