"""Ctrl-C and SIGTERM, noticed between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WATCHED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def noticed() -> Iterator[list[int]]:
    """Yield a list that receives the number of each SIGINT or SIGTERM; the former handlers come back at the end."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield received
        return
    former = {number: signal.signal(number, note) for number in WATCHED}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
