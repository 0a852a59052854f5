"""Progress of long work: items pass unchanged, and standard error says how far it is."""

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeii.schema.progress import LINE_EVERY_S, byte_progress, line_of, progress, size_text

SOURCE = Path(__file__).parents[2] / "src"


def clocked(seconds: float, count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Items that each take `seconds` of a made-up clock."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def items() -> Iterator[int]:
        for item in range(count):
            now[0] += seconds
            yield item

    return items()


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("abc"), 3, "reading")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_long_work_says_a_line_each_half_minute_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(progress(clocked(10, 8, monkeypatch), 8, "reading")) == list(range(8))
    out, err = capsys.readouterr()
    assert out == ""
    assert LINE_EVERY_S == 30
    assert err.splitlines() == [
        "reading: 3 of 8 (38 %), 0.1/s, 0:50 left",
        "reading: 6 of 8 (75 %), 0.1/s, 0:20 left",
        "reading: 8 done in 1:20",
    ]


def test_work_of_unknown_length_says_its_rate_alone() -> None:
    assert line_of("reading", 1234, None, 2.0) == "reading: 1,234, 617/s"
    assert line_of("reading", 10, 7210, 10.0) == "reading: 10 of 7,210 (0 %), 1.0/s, 2:00:00 left"
    assert line_of("reading", 0, 5, 0.0) == "reading: 0 of 5 (0 %), 0.0/s, time left unknown"


def test_a_terminal_gets_a_bar_with_what_count_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert list(progress(range(4), 4, "reading")) == [0, 1, 2, 3]
    assert "reading" in screen.getvalue()
    assert "4/4" in screen.getvalue()
    assert "/s" in screen.getvalue()


def test_bytes_are_shown_as_sizes_and_a_standstill_is_shown_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def steps() -> Iterator[int]:
        for step in (600_000_000, 0, 0, -300_000_000, 300_000_000):
            now[0] += 20
            yield step

    assert sum(byte_progress(steps(), 1_200_000_000, "fetching s")) == 600_000_000
    assert capsys.readouterr().err.splitlines() == [
        "fetching s: 600.0 MB of 1.2 GB (50 %), 15.0 MB/s, 0:40 left",
        "fetching s: 300.0 MB of 1.2 GB (25 %), 3.8 MB/s, 4:00 left",
        "fetching s: 600.0 MB done in 1:40",
    ]


def test_more_bytes_than_were_estimated_are_no_share_of_them() -> None:
    assert line_of("fetching s", 5_000_000, 4_000_000, 2.0, size_text) == "fetching s: 5.0 MB, 2.5 MB/s"
    assert line_of("fetching s", 0, None, 1.0, size_text) == "fetching s: 0 B, 0 B/s"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (46_300_000_000, "46.3 GB"),
        (179e12, "179.0 TB"),
    ],
)
def test_sizes_in_words(count: float, text: str) -> None:
    assert size_text(count) == text


def test_an_error_in_the_work_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        for item in progress(range(3), 3, "dividing"):
            1 / item


def test_rich_is_not_imported_where_nobody_looks() -> None:
    work = "from codeii.schema.progress import progress; list(progress([1], 1, 'x'))"
    code = f"import sys; {work}; print('rich' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SOURCE)}
    )
    assert ran.stdout == "False\n"


def test_words_may_change_on_the_way_and_an_item_may_count_more_than_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    items = clocked(20, 4, monkeypatch)
    for item in progress(items, 256, lambda: f"training, step {len(seen)}; records", lambda item: 64):
        seen.append(item)
    assert capsys.readouterr().err.splitlines() == [
        "training, step 2; records: 128 of 256 (50 %), 3.2/s, 0:40 left",
        "training, step 4; records: 256 of 256 (100 %), 3.2/s, 0:00 left",
        "training, step 4; records: 256 done in 1:20",
    ]
