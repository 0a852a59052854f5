"""Which records of a step's batch a rank takes: together all of them, each once."""

import math
from dataclasses import dataclass

import numpy as np

from codeii.networks.batches import cut
from codeii.networks.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True)
class Share:
    """A rank's records of a batch, by their places in it."""

    size: int  # of the batch, the records of all ranks together
    parts: list[int]  # how many of its own records are in each of the parts in which the batch goes through the network
    places: np.ndarray  # (own record,) ascending

    @property
    def whole(self) -> bool:
        """Whether the rank has the batch for itself."""
        return len(self.places) == self.size


def share_of(size: int, parts: int, ranks: Ranks = ALONE) -> Share:
    """The share of a rank, which may be nothing. Each part is dealt out by itself: batch norms see the same parts.

    A last part of one record joins the one before, as batch norm needs company.
    """
    cuts = cut(size, math.ceil(size / parts))
    dealt = [np.arange(part.start, part.stop)[ranks.rank :: ranks.count] for part in cuts]
    return Share(size, [len(places) for places in dealt], np.concatenate(dealt))
