"""Reading ahead: order, faults, and that the thread ends."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codeii.artifacts.tensor_store import read_tensor_store
from codeii.networks.batches import inputs_of, read
from codeii.networks.prefetch import prefetched, read_ahead

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert "read ahead" not in [thread.name for thread in threading.enumerate()]


@given(count=st.integers(0, 20), ahead=st.integers(1, 4))
def test_items_come_once_and_in_order(count: int, ahead: int) -> None:
    assert list(read_ahead((number for number in range(count)), ahead)) == list(range(count))


def test_the_thread_runs_ahead_but_not_far() -> None:
    made: list[int] = []

    def items() -> Generator[int, None, None]:
        for number in range(100):
            made.append(number)
            yield number

    with closing(read_ahead(items(), 2)) as coming:
        assert next(coming) == 0
        deadline = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert made == [0, 1, 2, 3]  # one taken, two waiting, one in hand


def test_a_fault_comes_in_its_place() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    coming = read_ahead(items(), 2)
    assert next(coming) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)


def test_who_stops_early_closes_the_source() -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            yield from range(100)
        finally:
            closed.set()

    with closing(read_ahead(items(), 1)) as coming:
        next(coming)
    assert closed.is_set()


@pytest.mark.parametrize("device", [CPU, pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"))])  # fmt: skip
def test_batches_have_the_bits_of_reading_them_one_by_one(tiny_inputs: dict[str, Path], device: str) -> None:
    store = read_tensor_store(tiny_inputs["tensors"])
    inputs = inputs_of(store, list(store.index["record_id"]))
    batches = [np.array([3, 1, 7]), np.array([0, 2]), np.array([5])]
    where = torch.device(device)
    for (picks, values), expected in zip(prefetched(inputs, batches, where), batches, strict=True):
        assert picks.tolist() == expected.tolist()
        assert torch.equal(values, read(inputs, expected, where))
