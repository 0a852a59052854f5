"""Say "all current" again at the price of looking at time stamps: nothing that went into a clean verdict has changed.

A receipt holds the answer of a clean `codeii verify` and the signature (size, modification time, inode, change time) of
every file it rests on: results, raw data, parameters, the package itself. It is answered only while all of them are
equal to the nanosecond; anything else means the whole check. The change time is set by the kernel and cannot be put
back as the modification time can; a rotten block changes neither, which is what `--full` is for.

Imports nothing heavy: an answer takes less time than importing the modules that check. The library that looks at the
files in one call is therefore the one that the check loaded, named in the receipt, and loaded only while it is that
very file on a machine that has not been started anew; else Python looks at them one by one.
"""

from __future__ import annotations

import os
import struct
import sys
from itertools import chain
from operator import attrgetter
from zlib import crc32

TYPE_CHECKING = False  # that of `typing` takes as long as a thousand files
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "scratch/verify"  # below the working directory, outside everything versioned
Signature = tuple[int, int, int, int]
_signature_of = attrgetter("st_size", "st_mtime_ns", "st_ino", "st_ctime_ns")
_BYTES = 8 * 4  # of a signature


def signature(path: str) -> Signature:
    """Size, modification time, inode and change time of a file. Raises OSError where there is none."""
    found: Signature = _signature_of(os.stat(path))  # noqa: PTH116 - pathlib costs more than the call
    return found


def settled(found: Signature, at_ns: int) -> bool:
    """Whether a file was at rest before the time `at_ns`, so that any later change gets another change time.

    Two writes within one tick of a file system's clock look alike: a tick is 0.1 s here, or 2 s where the time is
    in whole seconds.
    """
    changed_ns = found[3]
    tick_ns = 2_000_000_000 if changed_ns % 1_000_000_000 == 0 else 100_000_000
    return changed_ns < at_ns - tick_ns


def words_of(stage: str | None, params: Sequence[str]) -> list[str]:
    """The command line of a check, as people and dvc.yaml type it."""
    words = ["verify", *(["--stage", stage] if stage else [])]
    return words if list(params) == ["params.yaml"] else [*words, "--params", *params]


def answer(words: Sequence[str]) -> str | None:
    """What the same command said when it last checked the whole tree, or None if anything differs since."""
    try:
        with open(_path_of(words), "rb") as file:  # noqa: PTH123
            check, size, count = map(int, file.readline().split())
            head, signatures, paths = file.read(size), file.read(count * _BYTES), file.read()
        asked, said, library, mark = head.split(b"\0")
        intact = check == _check(head, signatures, paths, count) and count == paths.count(b"\0")
        same = intact and asked == _asked(words) and _unchanged(paths, signatures, count, library, mark)
        return said.decode() if same else None
    except (OSError, ValueError, OverflowError, MemoryError):
        return None


def write_receipt(words: Sequence[str], said: str, signatures: Mapping[str, Signature]) -> None:
    """Keep the answer of a clean check. Raises OSError where the folder cannot be written."""
    from pathlib import Path

    from codeii.artifacts.atomic import whole_file
    from codeii.native.library import load_library

    loaded = load_library(Path(__file__).with_suffix(".c"))
    library = os.fsencode(loaded._name) if loaded else b""
    head = b"\0".join([_asked(words), said.encode(), library, _mark_of(library)])
    paths = b"".join(os.fsencode(path) + b"\0" for path in signatures)  # bytes: nothing to encode again
    try:
        numbers = struct.pack(f"{4 * len(signatures)}q", *chain.from_iterable(signatures.values()))
    except struct.error:  # a time or an inode beyond 63 bits: check anew every time
        return
    check = _check(head, numbers, paths, len(signatures))
    with whole_file(Path(_path_of(words))) as temporary:
        temporary.write_bytes(b"%d %d %d\n" % (check, len(head), len(signatures)) + head + numbers + paths)


def drop_receipts() -> None:
    """Forget every clean verdict of this tree: a fault was found."""
    from pathlib import Path

    for path in Path(FOLDER).glob("*.receipt"):
        path.unlink(missing_ok=True)


def _unchanged(paths: bytes, signatures: bytes, count: int, library: bytes, mark: bytes) -> bool:
    """Whether each of the files, whose paths a zero ends, still has its signature."""
    if mark and os.environ.get("CODEII_KERNEL") in (None, "", "native") and _mark_of(library) == mark:
        from ctypes import CDLL

        return bool(CDLL(os.fsdecode(library)).unchanged(paths, signatures, count))
    found = chain.from_iterable(map(_signature_of, map(os.stat, paths.split(b"\0")[:-1])))
    return list(found) == memoryview(signatures).cast("q").tolist()


def _mark_of(library: bytes) -> bytes:
    """What tells that a library is still the one that was loaded, by this machine since its start; else empty.

    A folder may be shared by machines of which one cannot run what was compiled for another.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:  # noqa: PTH123
            return b"%s %s" % (file.read().strip(), repr(signature(os.fsdecode(library))).encode())
    except OSError:
        return b""


def _check(head: bytes, signatures: bytes, paths: bytes, count: int) -> int:
    return crc32(paths, crc32(signatures, crc32(head, crc32(b"%d %d" % (len(head), count)))))


def _asked(words: Sequence[str]) -> bytes:
    return "\n".join(["receipt 2", sys.version, *words]).encode(errors="surrogateescape")


def _path_of(words: Sequence[str]) -> str:
    return f"{FOLDER}/{crc32(_asked(words)):08x}.receipt"
