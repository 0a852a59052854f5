"""Many files at once: a bounded number of threads, one line of progress, an end at the first fault that matters."""

import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.space import DiskFull
from codeii.schema.progress import byte_progress

Item = TypeVar("Item")
Made = TypeVar("Made")
Receive = Callable[[int], None]
MOST_FAULTS = 5  # files that may fail before the rest is given up: one lost file, or a lost network


def in_parallel(
    items: Sequence[Item],
    work: Callable[[Item, Receive], Made],
    halt: Callable[[], None],
    threads: int,
    total: int | None,
    what: str,
) -> Generator[tuple[Item, Made], None, None]:
    """Yield each item with what `work` made of it, as they finish; show progress in bytes.

    work : called in a thread with the item and a function to tell of bytes received. halt : ends work under way.
    total : bytes expected, None where unknown.

    The consumer runs in one thread, so what it writes down needs no lock. A fault of integrity and a full disk end
    all at once; other faults are raised together at the end, or once there are `MOST_FAULTS`.
    """
    events: queue.SimpleQueue[int | tuple[Item, Future[Made]]] = queue.SimpleQueue()
    faults: list[Exception] = []
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="fetch") as pool:
        try:
            for item in items:
                future = pool.submit(work, item, events.put)
                future.add_done_callback(lambda done, item=item: events.put((item, done)))  # type: ignore[misc]
            for finished, future in _finished(events, len(items), total, what):
                try:
                    made = future.result()
                except (IntegrityError, DiskFull):
                    raise
                except (ValueError, OSError) as error:
                    faults.append(error)
                    if len(faults) >= MOST_FAULTS:
                        break
                else:
                    yield finished, made
        finally:
            halt()
            pool.shutdown(wait=True, cancel_futures=True)
    if faults:
        raise _together(faults, len(items))


def _finished(
    events: "queue.SimpleQueue[int | tuple[Item, Future[Made]]]", count: int, total: int | None, what: str
) -> Iterator[tuple[Item, "Future[Made]"]]:
    """Items with their futures as they finish, with progress in between."""
    done: list[tuple[Item, Future[Made]]] = []

    def steps() -> Iterator[int]:
        left = count
        while left:
            try:
                event = events.get(timeout=1.0)
            except queue.Empty:
                event = 0  # nothing came: the line of progress says so
            if isinstance(event, int):
                yield event
            else:
                left -= 1
                done.append(event)
                yield 0

    for _ in byte_progress(steps(), total, what):
        while done:
            yield done.pop()


def _together(faults: Sequence[Exception], count: int) -> Exception:
    text = "\n".join(str(fault) for fault in faults)
    more = "" if len(faults) < MOST_FAULTS else "; the rest was given up"
    said = f"{text}\n{len(faults)} of {count} files failed{more}. What came is kept: run the same again to go on"
    return type(faults[0])(said) if isinstance(faults[0], ValueError) else OSError(said)
