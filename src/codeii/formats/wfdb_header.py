"""The header of a WFDB record.

The grammar is that of header(5) of the WFDB applications guide. Stricter on purpose: rate, length, gain and unit must
be written. The headers of a data set differ in names and checksums alone, so the rest is worked out once and kept.
"""

import ctypes
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from codeii.formats.tracing import absent, appearance
from codeii.native.library import load_library
from codeii.schema.record import RecordFault

Found = TypeVar("Found")
Words = tuple[str, ...]

SOURCE = Path(__file__).with_suffix(".c")
LARGEST_HEADER = 65_536  # bytes
MOST_KNOWN = 256  # kinds of header that a thread keeps
MOST_LEADS = 64
FASTEST_HZ = 100_000
# bits per sample of the formats whose size follows from the length; FLAC formats (508, 516, 524) do not
BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "310": 10, "311": 10}
_RECORD_LINE = "record name, number of leads, rate, length"
_NUMBER = r"[-+]?\d{1,18}"
_INTEGER, _INTEGERS = re.compile(_NUMBER, re.ASCII), re.compile(rf"{_NUMBER}(?: {_NUMBER})*", re.ASCII)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?", re.ASCII)
_GAIN = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?\d+)?)(?:\(([-+]?\d+)\))?/(\S+)", re.ASCII)
_FIELDS = 9  # of a signal line


class Header(NamedTuple):
    """A `.hea` file. One entry per lead in each tuple, in the order of the signal file."""

    rate_hz: int
    samples: int
    files: tuple[str, ...]
    checksums: tuple[int, ...]  # modulo 65536
    notes: Mapping[str, str]  # comments: lower-case key -> text
    formats: tuple[str, ...]
    offsets: tuple[int, ...]  # bytes of the file before its first sample
    gains: tuple[float, ...]  # counts per unit
    baselines: tuple[int, ...]  # count that means zero
    units: tuple[str, ...]
    names: tuple[str, ...]


def read_header(stem: Path) -> Header:
    """Read `<stem>.hea`. Raises RecordFault where it is absent, too long, or not a header."""
    path = f"{stem}.hea"
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            raw = os.read(file, LARGEST_HEADER + 1)
        finally:
            os.close(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise absent(Path(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        said = getattr(error, "strerror", None) or "unreadable"
        raise RecordFault("unreadable", Path(path).name, said, "a header file") from error
    if len(raw) > LARGEST_HEADER:
        raise RecordFault("unreadable", Path(path).name, f"more than {LARGEST_HEADER} bytes", "a header file")
    if not raw.strip() or raw.lstrip()[:1] == b"<":
        raise RecordFault("unreadable", Path(path).name, appearance(raw), "a header file")
    return _usual_header(raw) or parse_header(raw.decode("utf-8", "replace"))


class _Found(ctypes.Structure):
    """`found` of wfdb_header.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("leads", "samples", "file", "file_end", "comments")),
        ("checksums", ctypes.c_uint16 * MOST_LEADS),
    )


class _Known(threading.local):
    """What a thread keeps: room for `usual_header` to write in, and one header of each kind it has seen."""

    def __init__(self) -> None:
        self.headers: dict[bytes, Header] = {}  # by what headers of a kind have in common
        self.found = _Found()
        self.key = bytearray(LARGEST_HEADER + _FIELDS)
        self.into = (ctypes.c_char * len(self.key)).from_buffer(self.key), ctypes.byref(self.found)


_known = _Known()


def _usual_header(raw: bytes) -> Header | None:
    """A header of the usual form: `parse_header` for the first of its kind, only what differs for those after it."""
    parse = _compiled()
    length = parse(raw, len(raw), *_known.into) if parse else -1
    if length < 0:
        return None
    key, found = bytes(_known.key[:length]), _known.found
    first = _known.headers.get(key)
    if first is None:
        if len(_known.headers) == MOST_KNOWN:
            _known.headers.clear()
        first = _known.headers[key] = parse_header(raw.decode("ascii"))
    files = (raw[found.file : found.file_end].decode("ascii"),) * found.leads
    notes = _notes(raw[found.comments :].decode("ascii").splitlines())
    checksums = tuple(found.checksums[: found.leads])
    return first._replace(samples=found.samples, files=files, checksums=checksums, notes=notes)


@cache
def _compiled() -> Callable[..., int] | None:
    """`usual_header` of wfdb_header.c."""
    library = load_library(SOURCE)
    if library is None:
        return None
    parse: Callable[..., int] = library.usual_header
    types = (ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    parse.argtypes, parse.restype = types, ctypes.c_int64  # type: ignore[attr-defined]
    return parse


def parse_header(text: str) -> Header:
    """Text of a `.hea` file -> `Header`. Raises RecordFault, and nothing else, on any other text."""
    lines = text.splitlines()
    split = [line.split(None, _FIELDS - 1) for line in lines]
    body = [words for words in split if words and words[0][0] != "#"]
    leads, rate_hz, samples = _record_line(body[0] if body else [])
    if len(body) != leads + 1:
        found = f"{len(body) - 1} signal lines"
        raise RecordFault("wrong_leads", "header", found, f"{leads}, as the record line says")
    columns = tuple(zip(*body[1:], strict=False))  # as many as the shortest line has fields
    if len(columns) < _FIELDS:
        raise _short_line(body[1:])
    said = _said(columns[1], columns[2], columns[4], columns[8])
    notes = _notes(lines) if "#" in text else {}
    return Header(rate_hz, samples, columns[0], _checksums(columns[6]), notes, *said)


def _record_line(words: Sequence[str]) -> tuple[int, int, int]:
    """Number of leads, rate and length. The name is not used (some end in `.mat`), date and time neither."""
    if not words:
        raise RecordFault("unreadable", "record line", "no such line", _RECORD_LINE)
    if "/" in words[0]:
        raise RecordFault("unreadable", "record line", repr(" ".join(words)[:80]), "a record of one segment")
    if len(words) < 4:
        # with one of rate and length left out, the other would be taken for it
        raise RecordFault("wrong_rate", "record line", repr(" ".join(words)[:80]), _RECORD_LINE)
    return _shape(words[1], words[2], words[3])


@lru_cache(maxsize=256)
def _shape(of_leads: str, of_rate: str, of_length: str) -> tuple[int, int, int]:
    leads, samples = _integer(of_leads, "number of leads"), _integer(of_length, "length")
    if not 1 <= leads <= MOST_LEADS:
        raise RecordFault("wrong_leads", "number of leads", str(leads), f"1 to {MOST_LEADS}")
    if samples < 1:
        raise RecordFault("wrong_length", "length", str(samples), "1 sample or more")
    try:
        rate = float(of_rate.partition("/")[0])
    except ValueError:
        rate = 0.0
    if not (0 < rate <= FASTEST_HZ and rate.is_integer()):
        raise RecordFault("wrong_rate", "rate_hz", repr(of_rate[:40]), f"a whole number, 1 to {FASTEST_HZ}")
    return leads, int(rate), samples


def _short_line(words: Sequence[Sequence[str]]) -> RecordFault:
    """The fault of a signal line with fewer than nine fields; a wrong format or gain is told first."""
    _each([row[1] if len(row) > 1 else "" for row in words], _format_of)
    _each([row[2] if len(row) > 2 else "" for row in words], _gain_of)
    short = next(" ".join(row) for row in words if len(row) < _FIELDS)
    return RecordFault("wrong_leads", "signal line", repr(short[:80]), "nine fields, the last the lead's name")


@lru_cache(maxsize=256)
def _said(
    of_formats: Words, of_gains: Words, of_zeros: Words, names: Words
) -> tuple[Words, tuple[int, ...], tuple[float, ...], tuple[int, ...], Words, Words]:
    """What signal lines say of all but the recording itself: the last six fields of `Header`."""
    formats, gains = _each(of_formats, _format_of), _each(of_gains, _gain_of)
    zeros = [_integer(zero, "ADC zero") for zero in of_zeros]
    return (
        tuple(name for name, _ in formats),
        tuple(offset for _, offset in formats),
        tuple(gain for gain, _, _ in gains),
        tuple(zero if baseline is None else baseline for zero, (_, baseline, _) in zip(zeros, gains, strict=True)),
        tuple(unit for _, _, unit in gains),
        tuple(name.strip() for name in names),
    )


def _format_of(token: str) -> tuple[str, int]:
    match = _FORMAT.fullmatch(token[:40])
    if match is None or match[1] not in BITS or match[2] not in (None, "1") or match[3] not in (None, "0"):
        expected = f"one of {', '.join(BITS)}, one sample per frame, no skew"
        raise RecordFault("unreadable", "format", repr(token[:40]), expected)
    return match[1], int(match[4] or 0)


def _gain_of(token: str) -> tuple[float, int | None, str]:
    match = _GAIN.fullmatch(token[:80])
    try:
        gain = float(match[1]) if match else 0.0
    except ValueError:
        gain = 0.0
    if match is None or not 0 < gain < np.inf:
        raise RecordFault("wrong_unit", "gain", repr(token[:40]), "counts per unit above 0, with unit: 1000.0(0)/mV")
    return gain, int(match[2]) if match[2] else None, match[3]


def _each(tokens: Sequence[str], parse: Callable[[str], Found]) -> list[Found]:
    known = {token: parse(token) for token in dict.fromkeys(tokens)}  # the lines of a record are nearly always alike
    return [known[token] for token in tokens]


def _checksums(tokens: Sequence[str]) -> tuple[int, ...]:
    if not _INTEGERS.fullmatch(" ".join(tokens)):
        tokens = [str(_integer(token, "checksum")) for token in tokens]
    return tuple([int(token) & 0xFFFF for token in tokens])


def _integer(token: str, field: str) -> int:
    if not _INTEGER.fullmatch(token):
        raise RecordFault("unreadable", field, repr(token[:40]), "a whole number")
    return int(token)


def _notes(lines: Sequence[str]) -> dict[str, str]:
    comments = [line.strip() for line in lines if line.lstrip()[:1] == "#"]
    pairs = (comment.lstrip("# \t").partition(":") for comment in comments)
    return {key.strip().lower(): value.strip() for key, colon, value in pairs if colon}
