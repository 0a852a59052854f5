"""Say "all current" again at the price of looking at time stamps: nothing that went into a clean verdict has changed.

A receipt holds the answer of a clean `codeii verify` and the signature (size, modification time, inode, change time) of
every file it rests on: results, raw data, parameters, the package itself. It is answered only while all of them are
equal to the nanosecond; anything else means the whole check. The change time is set by the kernel and cannot be put
back as the modification time can; a rotten block changes neither, which is what `--full` is for.

Imports nothing heavy: an answer takes less time than importing the modules that check.
"""

import os
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from zlib import crc32

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
            check, body = file.read(4), file.read()
        count = int.from_bytes(body[:8], "little")
        signatures, texts = body[8 : 8 + count * _BYTES], body[8 + count * _BYTES :]
        asked, said, *paths = texts.split(b"\0")  # paths stay bytes: nothing to encode again
        intact = crc32(body) == int.from_bytes(check, "little") and len(paths) == count and asked == _asked(words)
        same = intact and _as_bytes(map(_signature_of, map(os.stat, paths))) == signatures
        return said.decode() if same else None
    except (OSError, ValueError, OverflowError):
        return None


def write_receipt(words: Sequence[str], said: str, signatures: Mapping[str, Signature]) -> None:
    """Keep the answer of a clean check. Raises OSError where the folder cannot be written."""
    from pathlib import Path

    from codeii.artifacts.atomic import whole_file

    texts = b"\0".join([_asked(words), said.encode(), *map(os.fsencode, signatures)])
    try:
        numbers = _as_bytes(iter(signatures.values()))
    except OverflowError:  # a time or an inode beyond 63 bits: check anew every time
        return
    body = len(signatures).to_bytes(8, "little") + numbers + texts
    with whole_file(Path(_path_of(words))) as temporary:
        temporary.write_bytes(crc32(body).to_bytes(4, "little") + body)


def drop_receipts() -> None:
    """Forget every clean verdict of this tree: a fault was found."""
    from pathlib import Path

    for path in Path(FOLDER).glob("*.receipt"):
        path.unlink(missing_ok=True)


def _asked(words: Sequence[str]) -> bytes:
    return "\n".join(["receipt 1", sys.version, *words]).encode(errors="surrogateescape")


def _path_of(words: Sequence[str]) -> str:
    return f"{FOLDER}/{crc32(_asked(words)):08x}.receipt"


def _as_bytes(signatures: Iterator[Signature]) -> bytes:
    return array("q", chain.from_iterable(signatures)).tobytes()
