"""The join finds what a comparison of every two finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.leakage import join
from codeii.leakage.join import AXES, NEAR, TOLERANCE, near_pairs, sorted_cells

NUMBERS = 32


def pairs_of(vectors: np.ndarray, owners: np.ndarray, sign: int = 1) -> dict[tuple[int, int], float]:
    cells = sorted_cells(vectors)
    found: dict[tuple[int, int], float] = {}
    for matches in near_pairs(vectors, owners, cells, sign):
        for first, second, distance in zip(matches.first, matches.second, matches.distance, strict=True):
            assert (int(first), int(second)) not in found, "a pair came twice"
            found[int(first), int(second)] = float(distance)
    return found


def every_pair(vectors: np.ndarray, owners: np.ndarray, sign: int = 1) -> tuple[set, set]:
    """Pairs that must be found (within the tolerance along each axis), and those that may be."""
    axes = sorted_cells(vectors).axes
    exact = vectors.astype(np.float64)
    must, may = set(), set()
    for first in range(len(exact)):
        for second in range(first + 1, len(exact)):
            gap = exact[second] - sign * exact[first]
            if owners[first] != owners[second] and np.linalg.norm(gap) < NEAR:
                may.add((first, second))
                if np.abs(gap @ axes).max() < 0.99 * TOLERANCE:
                    must.add((first, second))
    return must, may


@given(st.integers(0, 10_000), st.sampled_from([1, -1]))
def test_near_descriptors_of_different_owners_are_found(seed: int, sign: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((60, NUMBERS))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    copies = sign * base[:30] + 0.03 * rng.random((30, 1)) * rng.standard_normal((30, NUMBERS)) / np.sqrt(NUMBERS) * 2
    vectors = np.concatenate([base, copies]).astype(np.float16)
    owners = rng.integers(0, 40, len(vectors)).astype(np.int32)
    must, may = every_pair(vectors, owners, sign)
    found = pairs_of(vectors, owners, sign)
    assert must <= set(found) <= may
    assert len(must) > 10
    for (first, second), distance in found.items():
        exact = np.linalg.norm(vectors[second].astype(float) - sign * vectors[first].astype(float))
        assert distance == pytest.approx(exact, abs=1e-5)


def test_blocks_and_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    vectors = (0.07 * rng.standard_normal((500, NUMBERS)) / np.sqrt(NUMBERS)).astype(np.float16)
    owners = np.arange(500, dtype=np.int32)
    whole = pairs_of(vectors, owners)
    assert len(whole) > 1000
    monkeypatch.setattr(join, "BLOCK", 64)
    monkeypatch.setattr(join, "PAIRS", 100)
    assert pairs_of(vectors, owners) == whole


def test_descriptors_at_the_edge_of_the_cells_are_found_too() -> None:
    vectors = np.zeros((2, NUMBERS), np.float16)
    vectors[:, 0] = 5.0, 5.01  # far beyond the last cell
    assert pairs_of(vectors, np.array([0, 1], np.int32)).keys() == {(0, 1)}


def test_a_crowd_is_named_and_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "CROWD", 50)
    rng = np.random.default_rng(0)
    crowd = np.full((60, NUMBERS), 0.1)
    others = rng.standard_normal((4, NUMBERS)) / np.sqrt(NUMBERS)
    vectors = np.concatenate([crowd, others, others]).astype(np.float16)
    owners = np.arange(len(vectors), dtype=np.int32)
    matches = list(near_pairs(vectors, owners, sorted_cells(vectors)))
    assert set(np.concatenate([one.crowded for one in matches]).tolist()) == set(range(60))
    assert {(int(a), int(b)) for one in matches for a, b in zip(one.first, one.second, strict=True)} == {
        (60, 64),
        (61, 65),
        (62, 66),
        (63, 67),
    }


def test_there_are_as_many_bits_as_axes_need() -> None:
    assert AXES * join.BITS <= 64 and 2**join.BITS == 2 * join.HALF
