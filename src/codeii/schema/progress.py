"""Progress of long work on standard error: a bar on a terminal, one line per half minute otherwise."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
What = str | Callable[[], str]
LINE_EVERY_S = 30.0
BAR_FROM_COLUMNS = 100  # a narrower terminal has room for the numbers alone


def progress(
    items: Iterable[T], total: int | None, what: What, weigh: Callable[[T], int] = lambda item: 1
) -> Iterator[T]:
    """Yield `items` unchanged and show how far the work is, how fast it goes and when it will be done.

    total : number of items, None where unknown (no share and no time left are shown then).
    what : the work in words, such as "synthesising ptbxl"; a function where the words change on the way.
    weigh : what an item counts, such as the records of a batch; `total` counts the same.
    """
    show = _with_bar if sys.stderr.isatty() else _with_lines
    yield from show(items, total, what if callable(what) else lambda: str(what), weigh, _count)


def byte_progress(steps: Iterable[int], total: int | None, what: str) -> Iterator[int]:
    """The same for bytes: each step is how many more are done (0 to say only that time passes, negative to undo)."""
    show = _with_bar if sys.stderr.isatty() else _with_lines
    yield from show(steps, total, lambda: what, lambda step: step, size_text)


def line_of(
    what: str, done: int, total: int | None, seconds: float, amount: Callable[[float], str] | None = None
) -> str:
    """One line of progress: `synthesising ptbxl: 1,200 of 2,000 (60 %), 410/s, 0:02 left`."""
    amount = amount or _count
    rate = done / seconds if seconds > 0 else 0.0
    if total is None or total <= 0 or done > total:  # a total in bytes may be an estimate
        return f"{what}: {amount(done)}, {_rate_text(rate, amount)}"
    left = f"{_clock((total - done) / rate)} left" if rate > 0 else "time left unknown"
    return f"{what}: {amount(done)} of {amount(total)} ({100 * done / total:.0f} %), {_rate_text(rate, amount)}, {left}"


def size_text(count: float) -> str:
    """A number of bytes in words: `812 B`, `1.2 MB`, `46.3 GB`."""
    if abs(count) < 999.5:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if abs(count) < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def _with_lines(
    items: Iterable[T],
    total: int | None,
    what: Callable[[], str],
    weigh: Callable[[T], int],
    amount: Callable[[float], str],
) -> Iterator[T]:
    started = written = time.monotonic()
    done, lines = 0, 0
    for item in items:
        yield item
        done += weigh(item)
        now = time.monotonic()
        if now - written >= LINE_EVERY_S:
            print(line_of(what(), done, total, now - started, amount), file=sys.stderr, flush=True)
            written, lines = now, lines + 1
    seconds = time.monotonic() - started
    if lines:
        print(f"{what()}: {amount(done)} done in {_clock(seconds)}", file=sys.stderr, flush=True)


def _with_bar(
    items: Iterable[T],
    total: int | None,
    what: Callable[[], str],
    weigh: Callable[[T], int],
    amount: Callable[[float], str],
) -> Iterator[T]:
    # rich costs a tenth of a second to import: only where somebody is looking
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        *([BarColumn()] if console.width >= BAR_FROM_COLUMNS else []),
        TextColumn("{task.fields[far]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what(), total=total, rate="", far=_far(0, total, amount))
        started, done = time.monotonic(), 0
        for item in items:
            yield item
            done += weigh(item)
            rate = _rate_text(done / max(time.monotonic() - started, 1e-9), amount)
            bar.update(task, description=what(), completed=done, rate=rate, far=_far(done, total, amount))


def _far(done: int, total: int | None, amount: Callable[[float], str]) -> str:
    return f"{amount(done)}/{'?' if total is None else amount(total)}"


def _count(count: float) -> str:
    return f"{count:,.0f}"


def _rate_text(rate: float, amount: Callable[[float], str]) -> str:
    if amount is _count and rate < 10:
        return f"{rate:.1f}/s"
    return f"{amount(rate)}/s"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
