"""Follow a study while it trains: what the runs tell is mirrored into MLflow every few seconds.

All it knows is in the runs' events and in the store, so it may be stopped, killed and started at will. After any fault
of the store it forgets what it holds in memory and begins again from the events; what was logged is not logged twice.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from codeii.artifacts import events
from codeii.tracking.epochs import Epoch, milliseconds, told
from codeii.tracking.processes import is_dead
from codeii.tracking.provenance import git_tags
from codeii.tracking.runs import (
    PROCESS,
    Child,
    child_of,
    close_dead,
    contradicts,
    log_epochs,
    params_of,
    parent_of,
)
from codeii.tracking.store import LONGEST_WAIT_S, Store, faults, longer, mark_of, open_store, patiently, sentence_of

EVERY_S = 3.0
LAST_TRY_S = 10.0  # when told to end
STOPPED = "codeii.stopped"
FAULT = ": "  # in the reason of a run that ended by an error: its class and its words; else a signal or a time limit
Mark = tuple[int, int]


@dataclass(slots=True)
class Followed:
    """One run as it was mirrored last."""

    child: Child
    experiment: str
    mark: Mark  # of the file of events
    start: dict[str, Any] = field(default_factory=dict)  # the process that runs it, or ran it


@dataclass(slots=True)
class Memory:
    """What is known of the store since it was opened; may be thrown away at any time."""

    store: Store
    mark: Mark | None  # of the store's file
    parents: dict[str, str] = field(default_factory=dict)  # experiment -> run, as it is in the store
    statuses: dict[str, str] = field(default_factory=dict)  # experiment -> status of its parent
    runs: dict[Path, Followed] = field(default_factory=dict)  # folder of a run's events -> run


def follow(
    uri: str,
    study: str,
    stop: Event,
    say: Callable[[str], None],
    every_s: float = EVERY_S,
    last_try_s: float = LAST_TRY_S,
) -> None:
    """Mirror the runs below scratch/ of the working directory until `stop` is set, then once more, to the end.

    A store that is locked, read-only or gone is waited for, longer each time; `say` is told once.
    """
    memory: Memory | None = None
    wait, silent = every_s, False
    while not stop.is_set():
        try:
            memory = mirror(uri, study, memory)
            wait, silent = every_s, False
        except faults() as fault:
            if not silent:
                say(f"the store does not answer ({sentence_of(fault)}); the runs go on, and it is tried again")
            memory, silent, wait = None, True, min(longer(wait), LONGEST_WAIT_S)
        stop.wait(wait)
    _, said = patiently(lambda: mirror(uri, study, None), last_try_s)
    if said:
        say(f"the store still does not answer ({said}); the rule `track` logs finished runs, or follow again")


def mirror(uri: str, study: str, memory: Memory | None) -> Memory:
    """One round over all runs. Returns what is known now; raises one of `faults()` where the store fails."""
    if memory is None or memory.mark != mark_of(uri):
        store = open_store(uri, study, Path("results/tracking"))
        memory = Memory(store, mark_of(uri))
        close_dead(store)
    for path in sorted(Path("scratch").glob(f"*/*/*/*/{events.EVENTS}")):
        _mirror_run(memory, path)
    for experiment in memory.parents:
        _settle(memory, experiment)
    return memory


def _mirror_run(memory: Memory, path: Path) -> None:
    """Bring one run up to date, if it told something or its process may have died."""
    stat = path.stat()
    mark, known = (stat.st_size, stat.st_mtime_ns), memory.runs.get(path.parent)
    if known is not None and known.mark == mark:
        if known.child.status == "RUNNING" and is_dead(known.start):
            _set_status(memory.store, known.child, "KILLED", round(time.time() * 1000))
        return
    happened = events.read(path.parent)
    start = next((event for event in reversed(happened) if event["event"] == "start"), None)
    if start is None:
        return
    epochs = told(happened)
    if known is None or contradicts(known.child, epochs):
        known = memory.runs[path.parent] = _attach(memory, start, epochs, milliseconds(happened[0]), mark)
    log_epochs(memory.store.client, known.child, epochs)
    if not known.child.fingerprint:  # the rule `track` has not finished it
        _follow_process(memory.store, known, happened, start)
    known.start, known.mark = start, mark


def _attach(memory: Memory, start: Mapping[str, Any], epochs: list[Epoch], began_ms: int, mark: Mark) -> Followed:
    settings, store = start["settings"], memory.store
    experiment = str(settings["experiment"])
    if experiment not in memory.parents:
        memory.parents[experiment] = parent_of(store, experiment)
        memory.statuses[experiment] = store.client.get_run(memory.parents[experiment]).info.status
    child = child_of(store, memory.parents[experiment], settings, epochs, began_ms)
    if not child.logged and not child.fingerprint:
        store.client.log_batch(child.run_id, params=params_of(settings), tags=git_tags())
    return Followed(child, experiment, mark)


def _follow_process(store: Store, known: Followed, happened: list[dict[str, Any]], start: Mapping[str, Any]) -> None:
    """Give a run the status of its process, and note the process while it lives."""
    child, last = known.child, happened[-1]
    if last["event"] == "end":
        _set_status(store, child, "FINISHED", milliseconds(last))
    elif last["event"] == "stopped":
        reason = str(last.get("reason", ""))[:5000]
        store.client.set_tag(child.run_id, STOPPED, reason)
        _set_status(store, child, "FAILED" if FAULT in reason else "KILLED", milliseconds(last))
    elif is_dead(start):
        _set_status(store, child, "KILLED", milliseconds(last))
    elif known.start != start:
        process = {name: start.get(name) for name in ("pid", "host", "boot_id", "time")}
        store.client.set_tag(child.run_id, PROCESS, json.dumps(process))
        _set_status(store, child, "RUNNING", 0)


def _set_status(store: Store, child: Child, status: str, end_ms: int) -> None:
    if child.status == status:
        return
    if status == "RUNNING":
        store.client.update_run(child.run_id, status)
    else:
        store.client.set_terminated(child.run_id, status, end_ms)
    child.status = status


def _settle(memory: Memory, experiment: str) -> None:
    """A parent runs while one of its runs does; else it is FAILED or KILLED if one of them is, and FINISHED if none."""
    children = {run.child.status for run in memory.runs.values() if run.experiment == experiment}
    status = next((one for one in ("RUNNING", "FAILED", "KILLED") if one in children), "FINISHED")
    if memory.statuses.get(experiment) == status:
        return
    if status == "RUNNING":
        memory.store.client.update_run(memory.parents[experiment], status)
    else:
        memory.store.client.set_terminated(memory.parents[experiment], status)
    memory.statuses[experiment] = status


def say_aloud(words: str) -> None:
    """On standard error, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)
