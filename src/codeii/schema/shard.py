"""Shards: the parts of a source that are read and preprocessed by jobs of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
BLOCK = 256  # neighbours of a list stay together: they lie in the same folder or file as a rule


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` of `count`. Every item of a list belongs to exactly one of the `count` shards."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"shard {self.index} of {self.count}; shards are numbered from 0 to {self.count - 1}")

    def of(self, items: Iterable[T], block: int = BLOCK) -> Iterator[T]:
        """The items of this shard, in their order: blocks of `block` items are dealt to the shards in turn.

        A list need not know its length, and an item added at its end moves no other.
        """
        return (item for position, item in enumerate(items) if position // block % self.count == self.index)


WHOLE = Shard(0, 1)
