"""Door of a run's events: one JSON line each, appended while the run goes on.

A training tells what it does and nothing else: no tracker is asked, nothing is waited for, and a disk that is full
stops nothing. Events are for people and trackers; no result is made from them.
"""

import json
import math
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def append(folder: Path, event: str, **facts: object) -> None:
    """Add one event with the time in UTC; numbers that are not finite become words (nan, inf, -inf).

    Never raises OSError: what cannot be written is said once on standard error.
    """
    told = {"event": event, "time": datetime.now(UTC).isoformat(), **facts}
    line = json.dumps(_plain(told), ensure_ascii=False, default=str).encode() + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("ab+", buffering=0) as file:
            file.write(b"\n" + line if _is_torn(file.fileno()) else line)
    except OSError as error:
        _complain(folder, error.strerror or str(error))


def read(folder: Path) -> list[dict[str, Any]]:
    """Events of the run as it stands, in order; none where there is no file.

    These are the ones of what it is made of now (`state` of the last start), since it last began at step 0, up to its
    end: former settings may have been run in between. A line that a kill has torn is left out, and of an
    epoch that was repeated after a resume the later one is kept.
    """
    try:
        lines = (folder / EVENTS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    told = _of_the_last_state([event for event in map(_event_of, lines) if event is not None])
    begun = [place for place, event in enumerate(told) if event["event"] == "start" and not _is_resumed(event)]
    told = told[begun[-1] if begun else 0 :]
    ended = [place for place, event in enumerate(told) if event["event"] == "end"]
    told = told[: ended[0] + 1] if ended else told  # what follows is of a run that failed before it began
    latest = {event.get("epoch"): place for place, event in enumerate(told) if event["event"] == "epoch"}
    return [
        event for place, event in enumerate(told) if event["event"] != "epoch" or latest[event.get("epoch")] == place
    ]


def _of_the_last_state(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events that follow a start of the same `state` as the last start; all where there is no start."""
    state, states = None, []
    for event in told:
        state = event.get("state") if event["event"] == "start" else state
        states.append(state)
    return [event for event, of in zip(told, states, strict=True) if of == state]


def this_process() -> dict[str, Any]:
    """What tells this process from every other, for the event `start`: pid, host and boot of the machine."""
    boot_id = BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.is_file() else ""
    return {"pid": os.getpid(), "host": socket.gethostname(), "boot_id": boot_id}


def _is_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _is_resumed(event: Mapping[str, Any]) -> bool:
    return bool(event.get("resumed_from_step"))


def _event_of(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "event" in value else None


def _plain(value: Any) -> Any:
    """The same for JSON: scalars of NumPy and PyTorch as Python's, what is not finite as a word."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    if callable(item := getattr(value, "item", None)):
        value = item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@cache
def _complain(folder: Path, why: str) -> None:
    print(f"{folder / EVENTS}: {why}; the run goes on, and what it tells is lost", file=sys.stderr)
