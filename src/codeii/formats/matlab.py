"""MATLAB level-5 files with the struct `ECG` (sex, age, data) of the CPSC 2018 contest.

Read here and not by SciPy, whose compiled reader brings the whole process down on some damaged files. The layout of
the bytes is that of MathWorks' "MAT-File Format", level 5.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from codeii.formats.tracing import LONGEST, Tracing, absent, appearance, to_tracing
from codeii.schema.leads import LEADS
from codeii.schema.record import RecordFault

_HEADER = 128  # bytes
_MATRIX, _COMPRESSED = 14, 15  # types of element
_STRUCT, _CHAR = 2, 4  # classes of matrix
_NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
_LARGEST = len(LEADS) * LONGEST * 8 + 65_536  # bytes after inflating
_EXPECTED = "a MATLAB level-5 file with a struct ECG of sex, age and data"


def read_struct(path: Path, rate_hz: int) -> Tracing:
    """Read struct `ECG`: data (12, sample) in mV in `LEADS` order, sex, age.

    rate_hz : the file does not say it, so the source must. Sex and age are in the notes, as text.

    Raises RecordFault where the file is absent, cut, of another kind, or where data is not twelve leads of
    finite numbers.
    """
    try:
        fields = _ecg(path.name, path.read_bytes())
        notes = {key: _text(fields[key]) for key in ("sex", "age")}
        signal = fields["data"]
    except FileNotFoundError as error:
        raise absent(path) from error
    except RecordFault:
        raise
    except (OSError, ValueError, LookupError, StopIteration, MemoryError, struct.error, zlib.error) as error:
        found = f"{type(error).__name__}: {error}"[:200]
        raise RecordFault("unreadable", path.name, found, _EXPECTED) from error
    if not isinstance(signal, np.ndarray) or signal.ndim != 2 or len(signal) != len(LEADS):
        raise RecordFault("wrong_leads", "ECG.data", f"shape {np.shape(signal)}", "12 rows of numbers")
    if not 1 <= signal.shape[1] <= LONGEST:
        raise RecordFault("wrong_length", "ECG.data", f"{signal.shape[1]} samples", f"1 to {LONGEST}")
    return to_tracing(signal.astype(np.float64), LEADS, "mV", rate_hz, notes)


def _ecg(name: str, raw: bytes) -> dict[str, Any]:
    """Fields of the struct ECG."""
    if raw.startswith((b"\x89HDF", b"MATLAB 7.3")):
        advice = "MATLAB 7.3 files are HDF5: use HDF5 (formats/hdf5.py), or save with -v7"
        raise RecordFault("unreadable", name, "a MATLAB 7.3 file", _EXPECTED, advice)
    if len(raw) < _HEADER or raw[126:128] != b"IM":  # "MI" would be the other byte order
        raise RecordFault("unreadable", name, appearance(raw), _EXPECTED)
    for kind, content in _elements(memoryview(raw)[_HEADER:]):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_inflated(name, content)))
        if kind == _MATRIX:
            parts = list(_elements(content))
            if bytes(parts[2][1]) == b"ECG":
                return _fields(parts)
    raise RecordFault("unreadable", name, "no variable ECG", _EXPECTED)


def _inflated(name: str, content: memoryview) -> memoryview:
    inflate = zlib.decompressobj()
    inflated = inflate.decompress(content, _LARGEST)
    if inflate.unconsumed_tail:
        raise RecordFault("unreadable", name, f"more than {_LARGEST} bytes after inflating", _EXPECTED)
    return memoryview(inflated)


def _elements(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(type, content) of each data element. Raises ValueError where one reaches beyond the end."""
    position = 0
    while position < len(view):
        kind, size = struct.unpack_from("<II", view, position)
        start, width = position + 8, size if kind == _COMPRESSED else (size + 7) // 8 * 8
        if kind >> 16:  # up to four bytes of content lie in the tag itself
            kind, size, start, width = kind & 0xFFFF, kind >> 16, position + 4, 4
        if start + size > len(view):
            raise ValueError(f"the file is cut: {len(view)} bytes where {start + size} are announced")
        yield kind, view[start : start + size]
        position = start + width


def _fields(parts: list[tuple[int, memoryview]]) -> dict[str, Any]:
    """Fields of a struct of one element: flags, dimensions, name, length of a field's name, names, then values."""
    if parts[0][1][0] != _STRUCT:
        raise ValueError("ECG is not a struct")
    width = int(np.frombuffer(parts[3][1], "<i4")[0])
    names = bytes(parts[4][1])
    if width < 1 or len(names) // width != len(parts) - 5:
        raise ValueError("ECG is not one struct")
    keys = [names[start : start + width].partition(b"\0")[0].decode("ascii") for start in range(0, len(names), width)]
    return {key: _value(content) for key, (_, content) in zip(keys, parts[5:], strict=True)}


def _value(content: memoryview) -> np.ndarray | str:
    """A numeric array in its own shape, or a text."""
    (_, flags), (_, dimensions), _, (kind, data) = list(_elements(content))[:4]
    if flags[0] == _CHAR:
        return str(data, _TEXTS[kind])
    shape = np.frombuffer(dimensions, "<i4").tolist()
    return np.frombuffer(data, _NUMBERS[kind]).reshape(shape, order="F")


def _text(value: np.ndarray | str) -> str:
    return value if isinstance(value, str) else str(value.reshape(-1)[0]) if value.size else ""
