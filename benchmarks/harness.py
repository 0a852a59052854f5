"""Timing that survives a busy machine: contestants take turns, and are compared within a round.

A machine that slows down for a second slows down both sides of a round; the ratio stays. The first round warms up
caches and imports and is not counted. Importing this file puts the checkout's package on the path, so that a benchmark
runs as a plain script.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from codeii.workflow.rules import ENVIRONMENT  # noqa: E402  one thread a library, freed memory kept: as jobs run

PROCESSOR, WALL = "processor time", "clock on the wall"

Work = Callable[[], object]


def as_a_job() -> None:
    """Start this program again in the environment of the study's jobs, unless it runs in it; both sides share it."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})


def rounds_of(contestants: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant in each of `rounds` rounds; within a round they run one after the other.

    Every second round runs in reversed order, so that no contestant always comes after the same one.
    """
    return both_clocks(contestants, rounds)[0]


def both_clocks(contestants: Mapping[str, Work], rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """`rounds_of` by the clock on the wall, and by the processor time of this process, all its threads.

    On a machine that others use too, processor time is the one to compare work on one thread by.
    """
    if rounds < 1 or not contestants:
        raise ValueError(f"{len(contestants)} contestants in {rounds} rounds; at least one of each is needed")
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    processor: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        names = list(contestants) if number % 2 else list(reversed(contestants))
        for name in names:
            start, start_of_processor = time.perf_counter(), time.process_time()
            contestants[name]()
            if number:
                processor[name].append(time.process_time() - start_of_processor)
                wall[name].append(time.perf_counter() - start)
    return wall, processor


def ratios(seconds: Mapping[str, list[float]], slow: str, fast: str) -> list[float]:
    """How many times faster `fast` was than `slow`, in each round."""
    return [there / here for there, here in zip(seconds[slow], seconds[fast], strict=True)]


def report(seconds: Mapping[str, list[float]], baseline: str, per: int, unit: str, clock: str = "") -> str:
    """A table: median time per item, and median, lowest and highest ratio to the baseline within a round.

    `clock` names what the seconds were measured by, where a benchmark reports more than one.
    """
    lines = [f"{clock:32} {'ms per ' + unit:>14} {'faster than ' + baseline + ' (lowest, highest round)':>48}"]
    for name, times in seconds.items():
        found = ratios(seconds, baseline, name)
        spread = f"{median(found):.2f} ({min(found):.2f}, {max(found):.2f})"
        lines.append(f"{name:32} {1e3 * median(times) / per:14.3f} {spread:>48}")
    return "\n".join(lines)
