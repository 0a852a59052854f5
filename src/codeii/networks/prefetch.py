"""Batches read ahead of the computation that uses them."""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from codeii.networks.batches import Inputs, Picks, announced, as_seen, read

Item = TypeVar("Item")
AHEAD = 2  # batches that wait; more would only hold memory


def prefetched(inputs: Inputs, batches: Sequence[Picks], device: torch.device) -> Iterator[tuple[Picks, Tensor]]:
    """Each batch's picks with its (B, ...) float32 values on the device, as `read` gives them, in order.

    On CUDA a thread reads the next batches into pinned memory and copies them on a stream of its own while the device
    computes; int16 crosses the bus and becomes float32 on the other side. On a CPU the copy would take the time of the
    processor that computes, and batches are read when asked for; the disk fetches the next one meanwhile.
    A fault of the reading thread is raised here. The thread ends when the consumer stops.
    """
    if device.type != "cuda":
        for picks in announced(inputs, batches):
            yield picks, read(inputs, picks, device)
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    made = (_copied(inputs, picks, device, stream) for picks in announced(inputs, batches))
    with closing(read_ahead(made, AHEAD)) as coming:
        for picks, counts, arrived in coming:
            torch.cuda.current_stream(device).wait_event(arrived)
            counts.record_stream(torch.cuda.current_stream(device))  # its memory is not reused before it was read
            yield picks, as_seen(counts, inputs)


def read_ahead(items: Generator[Item, None, None], ahead: int) -> Generator[Item, None, None]:
    """The same items in the same order, made by a thread that is at most `ahead` items in front, plus one in hand.

    What making an item raises is raised in its place. Closing the iterator ends the thread and closes `items`.
    """
    places: queue.Queue[Future[Item] | None] = queue.Queue(ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, places, stopped), name="read ahead", daemon=True)
    thread.start()
    try:
        while (made := places.get()) is not None:
            yield made.result()
    finally:
        stopped.set()
        while thread.is_alive():  # it may be waiting for a place
            while not places.empty():
                places.get_nowait()
            thread.join(0.01)


def _fill(
    items: Generator[Item, None, None], places: "queue.Queue[Future[Item] | None]", stopped: threading.Event
) -> None:
    with closing(items):
        while not stopped.is_set():
            made: Future[Item] = Future()
            try:
                made.set_result(next(items))
            except StopIteration:
                break
            except BaseException as error:
                made.set_exception(error)
                places.put(made)
                break
            places.put(made)
    places.put(None)


def _copied(
    inputs: Inputs, picks: Picks, device: torch.device, stream: torch.cuda.Stream
) -> tuple[Picks, Tensor, torch.cuda.Event]:
    """A batch on its way to the device, and the event of its arrival. Runs in the reading thread."""
    gathered = torch.from_numpy(cast(np.ndarray, inputs.values[inputs.rows[picks]]))
    with torch.cuda.stream(stream):
        counts = gathered.pin_memory().to(device, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record(stream)
    return picks, counts, arrived
