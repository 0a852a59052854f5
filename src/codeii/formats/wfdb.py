"""WFDB records: header and signal file. Format 16 is read here; other formats by the wfdb package, bounded first.

Every checksum must fit, and no file outside the record's folder is opened. The samples of format 16 are turned and
added up by `wfdb.c` where that can be compiled, else by NumPy.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from codeii.formats.tracing import LONGEST, Tracing, absent, appearance, factor_of, to_tracing, within
from codeii.formats.wfdb_header import BITS, Header, read_header
from codeii.native.library import load_library
from codeii.schema.leads import LEADS, standard_name
from codeii.schema.record import RecordFault

SOURCE = Path(__file__).with_suffix(".c")
NO_VALUE = -32768  # of format 16
ROOM = 1 << 22  # bytes that a thread keeps for its signal files, one after the other
FARTHEST = 1 << 62  # bytes: no file is longer

_of_thread = threading.local()


def read_record(stem: Path) -> Tracing:
    """Read `<stem>.hea` and its signal file into twelve leads of 1 uV counts.

    Raises RecordFault where a file is absent, the header breaks the grammar or contradicts the file's size, a
    checksum differs, a sample has no value, or the leads are not the twelve.
    """
    header = read_header(stem)
    if header.samples > LONGEST:  # a sparse file of any size costs nothing to make
        raise RecordFault("wrong_length", "length", str(header.samples), f"at most {LONGEST}")
    counts = _format_16(stem, header) if _is_plain(header) else _by_library(stem, header)
    if counts.dtype != np.int16 or not _are_microvolts(header.units, header.gains, header.baselines):
        scales = [factor_of(unit) / gain for unit, gain in zip(header.units, header.gains, strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):  # an absurd gain gives samples that are not finite
            counts = (counts - np.array(header.baselines, np.float64)[:, None]) * np.array(scales)[:, None]
    elif _are_the_twelve(header.names):
        return Tracing(counts, header.rate_hz, (), header.notes)
    return to_tracing(counts, header.names, "uV", header.rate_hz, header.notes)


@lru_cache(maxsize=256)
def _are_microvolts(units: tuple[str, ...], gains: tuple[float, ...], baselines: tuple[int, ...]) -> bool:
    """Whether a count is a microvolt in every lead, as it is in 1000(0)/mV."""
    return not any(baselines) and {factor_of(unit) / gain for unit, gain in zip(units, gains, strict=True)} == {1.0}


@lru_cache(maxsize=256)
def _are_the_twelve(names: tuple[str, ...]) -> bool:
    """Whether the leads are the twelve in `LEADS` order, in whatever spelling."""
    try:
        return tuple(map(standard_name, names)) == LEADS
    except ValueError:
        return False


def _is_plain(header: Header) -> bool:
    """Format 16, one signal file, one offset."""
    leads = len(header.names)
    one_format = header.formats == ("16",) * leads and header.offsets == header.offsets[:1] * leads
    return one_format and header.files == header.files[:1] * leads


def _format_16(stem: Path, header: Header) -> np.ndarray:
    """(lead, sample) int16 of a little-endian, sample-major file; checksum of every lead verified."""
    name = header.files[0]
    usual = name[:-4] == stem.name and name[-4:] in (".dat", ".mat")
    path = f"{stem}{name[-4:]}" if usual else str(within(stem.parent, name))
    counts, sums, complete = _lead_major(_frames(path, header))
    _check_sums(header, sums.tolist())
    if not complete:
        found = f"{int((counts == NO_VALUE).sum())} samples of {NO_VALUE}"
        raise RecordFault("no_value", name, found, "a number in every sample")
    return counts


def _frames(path: str, header: Header) -> np.ndarray:
    """(sample, lead) int16 as the file has it, in memory that the thread's next record will overwrite."""
    shape, offset = (header.samples, len(header.names)), header.offsets[0]
    size = 2 * shape[0] * shape[1]
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            room = _room(size, file)
            if os.preadv(file, [room], min(offset, FARTHEST)) != size:
                raise _wrong_size(path, os.fstat(file).st_size, os.pread(file, 512, 0), offset + size)
        finally:
            os.close(file)
    except FileNotFoundError as error:
        raise absent(Path(path)) from error
    except OSError as error:
        said = error.strerror or "unreadable"
        raise RecordFault("unreadable", Path(path).name, said, "a signal file") from error
    return np.frombuffer(room, "<i2", shape[0] * shape[1]).reshape(shape)


def _room(size: int, file: int) -> memoryview:
    """Memory for `size` bytes and one more, by which a longer file shows itself; never more than the file holds."""
    if size >= ROOM:
        return memoryview(bytearray(min(size, os.fstat(file).st_size) + 1))
    room: memoryview | None = getattr(_of_thread, "room", None)
    if room is None:
        room = _of_thread.room = memoryview(bytearray(ROOM))
    return room[: size + 1]


def _lead_major(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """(lead, sample) int16, the sum of each lead modulo 65536, and whether every sample has a value."""
    turn = _compiled()
    if turn is None:
        counts = np.ascontiguousarray(frames.T).astype(np.int16, copy=False)
        sums = np.add.reduce(counts, axis=1, dtype=np.int16)  # wraps, as the checksum does
        return counts, sums, bool(counts.min() != NO_VALUE)
    samples, leads = frames.shape
    counts, sums = np.empty((leads, samples), np.int16), np.empty(leads, np.uint16)
    without = turn(_address(frames), samples, leads, _address(counts), _address(sums))
    return counts, sums, without == 0


@cache
def _compiled() -> Callable[..., int] | None:
    """`lead_major` of wfdb.c."""
    library = load_library(SOURCE) if sys.byteorder == "little" else None
    if library is None:
        return None
    turn: Callable[..., int] = library.lead_major
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    turn.argtypes, turn.restype = (pointer, number, number, pointer, pointer), number  # type: ignore[attr-defined]
    return turn


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _wrong_size(path: str | Path, size: int, start: bytes, expected: int) -> RecordFault:
    looks = appearance(start)
    if looks == "a web page":
        return RecordFault("unreadable", Path(path).name, looks, "a signal file")
    return RecordFault("wrong_length", Path(path).name, f"{size} bytes", f"{expected} bytes, as the header says")


def _check_sums(header: Header, sums: Sequence[int]) -> None:
    if tuple(sums) == header.checksums:
        return
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
        bits = sum(BITS[header.formats[row]] for row in rows) * header.samples
        expected = header.offsets[rows[0]] + bits // 8
        size = path.stat().st_size
        if size < expected:
            with path.open("rb") as file:
                raise _wrong_size(path, size, file.read(512), expected)
