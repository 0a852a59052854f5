"""Progress of long work on standard error: a bar on a terminal, one line per half minute otherwise."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
LINE_EVERY_S = 30.0


def progress(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    """Yield `items` unchanged and show how far the work is, how fast it goes and when it will be done.

    total : number of items, None where unknown (no share and no time left are shown then).
    what : the work in words, such as "synthesising ptbxl".
    """
    yield from _with_bar(items, total, what) if sys.stderr.isatty() else _with_lines(items, total, what)


def line_of(what: str, done: int, total: int | None, seconds: float) -> str:
    """One line of progress: `synthesising ptbxl: 1,200 of 2,000 (60 %), 410/s, 0:02 left`."""
    rate = done / seconds if seconds > 0 else 0.0
    if total is None or total <= 0:
        return f"{what}: {done:,}, {_rate_text(rate)}"
    left = f"{_clock((total - done) / rate)} left" if rate > 0 else "time left unknown"
    return f"{what}: {done:,} of {total:,} ({100 * done / total:.0f} %), {_rate_text(rate)}, {left}"


def _with_lines(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    started = written = time.monotonic()
    done, lines = 0, 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - written >= LINE_EVERY_S:
            print(line_of(what, done, total, now - started), file=sys.stderr, flush=True)
            written, lines = now, lines + 1
    seconds = time.monotonic() - started
    if lines:
        print(f"{what}: {done:,} done in {_clock(seconds)}", file=sys.stderr, flush=True)


def _with_bar(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    # rich costs a tenth of a second to import: only where somebody is looking
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, rate="")
        started = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            bar.update(task, completed=done, rate=_rate_text(done / max(time.monotonic() - started, 1e-9)))


def _rate_text(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
