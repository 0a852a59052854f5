"""WFDB records: header and signal file. Format 16 is read here; other formats by the wfdb package, bounded first.

The header grammar is that of header(5) of the WFDB applications guide. Stricter on purpose: rate, length, gain
and unit must be written, every checksum must fit, and no file outside the record's folder is opened.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from codeii.formats.tracing import LONGEST, Tracing, absent, appearance, factor_of, to_tracing, within
from codeii.schema.record import RecordFault

Found = TypeVar("Found")

NO_VALUE = -32768  # of format 16
LARGEST_HEADER = 65_536  # bytes
MOST_LEADS = 64
FASTEST_HZ = 100_000
# bits per sample of the formats whose size follows from the length; FLAC formats (508, 516, 524) do not
_BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "310": 10, "311": 10}
_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_RECORD_LINE = "record name, number of leads, rate, length"
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?", re.ASCII)
_GAIN = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?\d+)?)(?:\(([-+]?\d+)\))?/(\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Header:
    """A `.hea` file. One entry per lead in each tuple, in the order of the signal file."""

    rate_hz: int
    samples: int
    files: tuple[str, ...]
    formats: tuple[str, ...]
    offsets: tuple[int, ...]  # bytes of the file before its first sample
    gains: tuple[float, ...]  # counts per unit
    baselines: tuple[int, ...]  # count that means zero
    units: tuple[str, ...]
    checksums: tuple[int, ...]  # modulo 65536
    names: tuple[str, ...]
    notes: Mapping[str, str]  # comments: lower-case key -> text


def read_record(stem: Path) -> Tracing:
    """Read `<stem>.hea` and its signal file into twelve leads of 1 uV counts.

    Raises RecordFault where a file is absent, the header breaks the grammar or contradicts the file's size, a
    checksum differs, a sample has no value, or the leads are not the twelve.
    """
    header = read_header(stem)
    if header.samples > LONGEST:  # a sparse file of any size costs nothing to make
        raise RecordFault("wrong_length", "length", str(header.samples), f"at most {LONGEST}")
    counts = _format_16(stem.parent, header) if _is_plain(header) else _by_library(stem, header)
    scales = [factor_of(unit) / gain for unit, gain in zip(header.units, header.gains, strict=True)]
    if counts.dtype != np.int16 or set(scales) != {1.0} or any(header.baselines):
        with np.errstate(over="ignore", invalid="ignore"):  # an absurd gain gives samples that are not finite
            counts = (counts - np.array(header.baselines, np.float64)[:, None]) * np.array(scales)[:, None]
    return to_tracing(counts, header.names, "uV", header.rate_hz, header.notes)


def read_header(stem: Path) -> Header:
    """Read `<stem>.hea`. Raises RecordFault where it is absent, too long, or not a header."""
    path = stem.with_name(f"{stem.name}.hea")
    try:
        with path.open("rb", buffering=0) as file:
            raw = file.read(LARGEST_HEADER + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise absent(path) from error
    except OSError as error:
        raise RecordFault("unreadable", path.name, error.strerror or "unreadable", "a header file") from error
    if len(raw) > LARGEST_HEADER:
        raise RecordFault("unreadable", path.name, f"more than {LARGEST_HEADER} bytes", "a header file")
    if not raw.strip() or raw.lstrip()[:1] == b"<":
        raise RecordFault("unreadable", path.name, appearance(raw), "a header file")
    return parse_header(raw.decode("utf-8", "replace"))


def parse_header(text: str) -> Header:
    """Text of a `.hea` file -> `Header`. Raises RecordFault, and nothing else, on any other text."""
    lines = [line.strip() for line in text.splitlines()]
    body = [line for line in lines if line and line[0] != "#"]
    leads, rate_hz, samples = _record_line(body[0] if body else "")
    words = [line.split(None, 8) for line in body[1:]]
    if len(words) != leads:
        raise RecordFault("wrong_leads", "header", f"{len(words)} signal lines", f"{leads}, as the record line says")
    formats = _each([row[1] if len(row) > 1 else "" for row in words], _format_of)
    gains = _each([row[2] if len(row) > 2 else "" for row in words], _gain_of)
    short = next((" ".join(row) for row in words if len(row) < 9), None)
    if short is not None:
        raise RecordFault("wrong_leads", "signal line", repr(short[:80]), "nine fields, the last the lead's name")
    zeros = [_integer(row[4], "ADC zero") for row in words]
    return Header(
        rate_hz,
        samples,
        files=tuple(row[0] for row in words),
        formats=tuple(name for name, _ in formats),
        offsets=tuple(offset for _, offset in formats),
        gains=tuple(gain for gain, _, _ in gains),
        baselines=tuple(
            zero if baseline is None else baseline for zero, (_, baseline, _) in zip(zeros, gains, strict=True)
        ),
        units=tuple(unit for _, _, unit in gains),
        checksums=tuple(_integer(row[6], "checksum") & 0xFFFF for row in words),
        names=tuple(row[8].strip() for row in words),
        notes=_notes([line for line in lines if line[:1] == "#"]),
    )


def _record_line(line: str) -> tuple[int, int, int]:
    """Number of leads, rate and length. The name is not used (some end in `.mat`), date and time neither."""
    words = line.split()
    if not words:
        raise RecordFault("unreadable", "record line", "no such line", _RECORD_LINE)
    if "/" in words[0]:
        raise RecordFault("unreadable", "record line", repr(line[:80]), "a record of one segment")
    if len(words) < 4:
        # with one of rate and length left out, the other would be taken for it
        raise RecordFault("wrong_rate", "record line", repr(line[:80]), _RECORD_LINE)
    leads, samples = _integer(words[1], "number of leads"), _integer(words[3], "length")
    if not 1 <= leads <= MOST_LEADS:
        raise RecordFault("wrong_leads", "number of leads", str(leads), f"1 to {MOST_LEADS}")
    if samples < 1:
        raise RecordFault("wrong_length", "length", str(samples), "1 sample or more")
    try:
        rate = float(words[2].partition("/")[0])
    except ValueError:
        rate = 0.0
    if not (0 < rate <= FASTEST_HZ and rate.is_integer()):
        raise RecordFault("wrong_rate", "rate_hz", repr(words[2][:40]), f"a whole number, 1 to {FASTEST_HZ}")
    return leads, int(rate), samples


def _format_of(token: str) -> tuple[str, int]:
    match = _FORMAT.fullmatch(token[:40])
    if match is None or match[1] not in _BITS or match[2] not in (None, "1") or match[3] not in (None, "0"):
        expected = f"one of {', '.join(_BITS)}, one sample per frame, no skew"
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


def _integer(token: str, field: str) -> int:
    if not _INTEGER.fullmatch(token):
        raise RecordFault("unreadable", field, repr(token[:40]), "a whole number")
    return int(token)


def _notes(comments: Sequence[str]) -> dict[str, str]:
    pairs = (comment.lstrip("# \t").partition(":") for comment in comments)
    return {key.strip().lower(): value.strip() for key, colon, value in pairs if colon}


def _is_plain(header: Header) -> bool:
    """Format 16, one signal file, one offset."""
    return set(header.formats) == {"16"} and len(set(header.files)) == 1 and len(set(header.offsets)) == 1


def _format_16(folder: Path, header: Header) -> np.ndarray:
    """(lead, sample) int16 of a little-endian, sample-major file; checksum of every lead verified."""
    leads, offset = len(header.names), header.offsets[0]
    path = within(folder, header.files[0])
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != offset + 2 * leads * header.samples:
                raise _wrong_size(path, size, file.read(512), offset + 2 * leads * header.samples)
            file.seek(offset)
            frames = np.empty((header.samples, leads), "<i2")
            got = file.readinto(frames.data.cast("B"))
    except FileNotFoundError as error:
        raise absent(path) from error
    except OSError as error:
        raise RecordFault("unreadable", path.name, error.strerror or "unreadable", "a signal file") from error
    if got != frames.nbytes:
        raise RecordFault("wrong_length", path.name, f"{got} bytes read", f"{frames.nbytes} bytes")
    counts = np.ascontiguousarray(frames.T).astype(np.int16, copy=False)
    _check_sums(header, np.add.reduce(counts, axis=1, dtype=np.int16))  # wraps, as the checksum does
    if counts.min() == NO_VALUE:
        found = f"{int((counts == NO_VALUE).sum())} samples of {NO_VALUE}"
        raise RecordFault("no_value", path.name, found, "a number in every sample")
    return counts


def _wrong_size(path: Path, size: int, start: bytes, expected: int) -> RecordFault:
    looks = appearance(start)
    if looks == "a web page":
        return RecordFault("unreadable", path.name, looks, "a signal file")
    return RecordFault("wrong_length", path.name, f"{size} bytes", f"{expected} bytes, as the header says")


def _check_sums(header: Header, sums: Sequence[int] | np.ndarray) -> None:
    for name, said, found in zip(header.names, header.checksums, sums, strict=True):
        if said != int(found) & 0xFFFF:
            raise RecordFault("wrong_checksum", f"lead {name}", str(int(found) & 0xFFFF), str(said))


def _by_library(stem: Path, header: Header) -> np.ndarray:
    """(lead, sample) float64 counts by the wfdb package, NaN where there is no value; sizes are checked before."""
    _check_sizes(stem.parent, header)
    import wfdb

    try:
        record = wfdb.rdrecord(str(stem), physical=False)
        sums = record.calc_checksum()
        physical = record.dac()
    except Exception as error:  # the package raises whatever it stumbles over
        found = f"{type(error).__name__}: {error}"[:200]
        raise RecordFault("unreadable", stem.name, found, "a record that the wfdb package can read") from error
    _check_sums(header, sums)
    return np.asarray(physical.T * np.array(header.gains)[:, None] + np.array(header.baselines)[:, None])


def _check_sizes(folder: Path, header: Header) -> None:
    for name in dict.fromkeys(header.files):
        path = within(folder, name)
        if not path.is_file():
            raise absent(path)
        rows = [row for row, file in enumerate(header.files) if file == name]
        bits = sum(_BITS[header.formats[row]] for row in rows) * header.samples
        expected = header.offsets[rows[0]] + bits // 8
        size = path.stat().st_size
        if size < expected:
            with path.open("rb") as file:
                raise _wrong_size(path, size, file.read(512), expected)
