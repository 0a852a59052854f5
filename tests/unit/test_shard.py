"""Shards: every item in exactly one, neighbours together, none moved by what comes after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.schema.shard import WHOLE, Shard


@given(count=st.integers(0, 500), shards=st.integers(1, 9), block=st.integers(1, 64))
def test_every_item_is_in_exactly_one_shard_in_its_order(count: int, shards: int, block: int) -> None:
    parts = [list(Shard(index, shards).of(range(count), block)) for index in range(shards)]
    assert sorted(item for part in parts for item in part) == list(range(count))
    assert all(part == sorted(part) for part in parts)
    longer = [list(Shard(index, shards).of(range(count + 100), block)) for index in range(shards)]
    assert all(more[: len(part)] == part for part, more in zip(parts, longer, strict=True))


def test_the_whole_is_one_shard() -> None:
    assert list(WHOLE.of("abc")) == ["a", "b", "c"]


@pytest.mark.parametrize(("index", "count"), [(2, 2), (-1, 3), (0, 0)])
def test_a_shard_that_cannot_be_is_refused(index: int, count: int) -> None:
    with pytest.raises(ValueError, match=rf"shard {index} of {count}; shards are numbered from 0"):
        Shard(index, count)
