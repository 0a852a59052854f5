"""Bring one file: from the first mirror that has it, resumed where that is safe, hashed before it gets its name."""

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.client import HTTPResponse
from itertools import chain
from pathlib import Path
from typing import IO

from codeii.artifacts.atomic import sync_folder
from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.space import check_space, refuse_full_disk
from codeii.fetch.listing import Wanted
from codeii.fetch.part import drop_part, part_of, read_note, write_note
from codeii.fetch.state import Found
from codeii.fetch.web import Setback, Web, address_of, answer, blocks, refuse_page

TRIES = 8  # rounds over all mirrors
BACK_OFF_S, LONGEST_WAIT_S = 1.0, 120.0  # doubled each round; what a server asks for is kept to up to the latter
BLOCK = 128 * 1024
RESUMED_FROM = 1024 * 1024  # bytes; a smaller file is fetched anew rather than noted for a resume
SYNCED_FROM = 1024 * 1024  # bytes; smaller ones are hashed again before anything trusts them, and synced together
DEAD_AFTER = 3  # failures in a row that put a mirror last


class Stopped(Exception):
    """Another file failed, or the user stopped: this one is left where it is."""


@dataclass(frozen=True, slots=True)
class Way:
    """What every transfer of a source shares: where from, how often each mirror failed, whom to tell."""

    mirrors: tuple[str, ...]
    web: Web
    received: Callable[[int], None]  # bytes more (or, negative, thrown away)
    stop: threading.Event
    faults: dict[str, int] = field(default_factory=dict)  # mirror -> failures in a row

    def in_order(self) -> list[str]:
        """Mirrors as declared, those that keep failing last."""
        return sorted(self.mirrors, key=lambda mirror: self.faults.get(mirror, 0) >= DEAD_AFTER)


class Mismatch(Setback):
    """A whole file came, and it is not the one expected."""


def bring(way: Way, wanted: Wanted, folder: Path) -> Found:
    """Fetch `wanted` into `folder` and return what it turned out to be.

    Each round asks every mirror that may still have it; rounds are spaced by a growing, random wait, or by what the
    servers ask for. Raises IntegrityError where a mirror gives another file than expected, twice; ConnectionError
    with each mirror's reason where none gives it; DiskFull.
    """
    reasons: dict[str, str] = {}  # mirror -> why its last try failed
    given_up: set[str] = set()
    changed: dict[str, str] = {}  # mirror -> how its file differed from the expected one
    for turn in range(TRIES):
        asked_for_s = 0.0
        for mirror in (mirror for mirror in way.in_order() if mirror not in given_up):
            try:
                found = _once(way, mirror, wanted, folder)
            except Setback as setback:
                way.faults[mirror] = way.faults.get(mirror, 0) + 1
                reasons[mirror], asked_for_s = str(setback), max(asked_for_s, setback.wait_s)
                twice = isinstance(setback, Mismatch) and mirror in changed
                given_up |= {mirror} if twice or not setback.again else set()
                changed |= {mirror: str(setback)} if isinstance(setback, Mismatch) else {}
            except OSError as error:
                refuse_full_disk(error, folder, wanted.bytes)
                raise
            else:
                way.faults[mirror] = 0
                return found
        if given_up.issuperset(way.mirrors):
            break
        if turn < TRIES - 1:
            _wait(way, turn, asked_for_s)
    if given_up & changed.keys():
        raise IntegrityError(_upstream_changed(wanted, changed))
    raise ConnectionError(f"{wanted.name}: could not be fetched: {'; '.join(reasons.values())}")


def _upstream_changed(wanted: Wanted, changed: dict[str, str]) -> str:
    found = "; ".join(changed.values())
    return f"upstream changed: {wanted.name}: {found} (from {wanted.known_from}). Nothing was replaced; {wanted.accept}"


def _wait(way: Way, turn: int, asked_for_s: float) -> None:
    own = BACK_OFF_S * 2**turn * random.uniform(0.5, 1.5)
    if way.stop.wait(min(max(own, asked_for_s), LONGEST_WAIT_S)):
        raise Stopped


def _once(way: Way, mirror: str, wanted: Wanted, folder: Path) -> Found:
    """One try at one mirror. A transfer that breaks leaves its `.part` beside the target, for the next try."""
    target = folder / wanted.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    if mirror.startswith(("https:", "http:")):
        address = address_of(mirror, wanted.name)
        found = _downloaded(way, address, wanted, part)
    else:
        address = f"{mirror}/{wanted.name}"
        found = _copied(way, Path(address), part)
    if fault := differs(found, wanted):
        way.received(-found.bytes)
        drop_part(part)
        raise Mismatch(f"{address} has {fault}", again=True)
    if found.bytes >= SYNCED_FROM:
        with part.open("rb") as file:
            os.fsync(file.fileno())
    part.replace(target)
    if found.bytes >= SYNCED_FROM:
        sync_folder(target.parent)
    drop_part(part)
    return found


def differs(found: Found, wanted: Wanted) -> str:
    """How a file as it came differs from what is known of it, in words; empty where it does not."""
    for word in ("bytes", "sha256", "md5"):
        expected = getattr(wanted, word)
        if expected is not None and getattr(found, word) != expected:
            return f"{word} {getattr(found, word)}, expected {expected}"
    return ""


def _downloaded(way: Way, address: str, wanted: Wanted, part: Path) -> Found:
    note = read_note(part, address)
    if note is not None and part.stat().st_size == note.bytes:  # killed between the last byte and the rename
        way.received(note.bytes)
        return hashes_of(part)
    offset = 0 if note is None or not (note.validator or wanted.hashed) else part.stat().st_size
    asked = note.range_headers(offset) if note and offset else {}
    with answer(way.web, address, asked) as response:
        left, resumed = response.length, response.status == 206
        stream = blocks(response, BLOCK, address)
        first = next(stream, b"")
        refuse_page(address, wanted.name, response, b"" if resumed else first)  # before a part is thrown away for it
        if response.status == 416 or (resumed and not (note and note.continued_by(response, offset))):
            drop_part(part)
            raise Setback(f"{address}: cannot be resumed, starts again", again=True)
        offset = offset if resumed else 0
        whole = _announced(response, left, address, wanted, offset)
        if not resumed:
            drop_part(part)
            if whole is not None and whole >= RESUMED_FROM:
                write_note(part, address, response, whole)
        return _received(way, chain((first,), stream), part, offset, left)


def _announced(response: HTTPResponse, left: int | None, address: str, wanted: Wanted, offset: int) -> int | None:
    """Size of the whole file as announced, None where it is not. Raises Mismatch where it is not the published one."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Setback(f"{address}: sent compressed though asked not to", again=False)
    if left is None and not response.chunked and not wanted.hashed:
        raise Setback(f"{address}: says no length, and no hash is known that would tell a part", again=False)
    whole = None if left is None else offset + left
    if whole is not None and wanted.bytes not in (None, whole):
        raise Mismatch(f"{address} has {whole} bytes, expected {wanted.bytes}", again=True)
    return whole


def _received(way: Way, stream: Iterable[bytes], part: Path, offset: int, left: int | None) -> Found:
    """Write a body to `part` from `offset` on, and hash the whole of it; `left` is what was announced to come."""
    check_space(part.parent, left or 0)
    size = offset
    way.received(offset)
    try:
        with part.open("r+b" if offset else "w+b", buffering=0) as file:
            sha256, md5 = _digests(file)
            for block in stream:
                file.write(block)
                sha256.update(block)
                md5.update(block)
                size += len(block)
                way.received(len(block))
                if way.stop.is_set():
                    raise Stopped
    except Setback:
        way.received(-size)
        raise
    except OSError as error:
        refuse_full_disk(error, part.parent, None if left is None else left + offset - size)
        raise
    return Found(sha256=sha256.hexdigest(), md5=md5.hexdigest(), bytes=size)


def _copied(way: Way, source: Path, part: Path) -> Found:
    """Copy a file of a kept copy in a folder of this machine, and hash it on the way."""
    if not source.is_file():
        raise Setback(f"{source}: there is no such file", again=False)
    check_space(part.parent, source.stat().st_size)
    try:
        with source.open("rb") as given, part.open("wb") as file:
            while block := given.read(BLOCK):
                file.write(block)
                way.received(len(block))
                if way.stop.is_set():
                    raise Stopped
    except OSError as error:
        refuse_full_disk(error, part.parent, source.stat().st_size)
        raise
    return hashes_of(part)


def hashes_of(path: Path) -> Found:
    """Hashes and size of a file."""
    with path.open("rb", buffering=0) as file:
        sha256, md5 = _digests(file)
        return Found(sha256=sha256.hexdigest(), md5=md5.hexdigest(), bytes=file.tell())


def _digests(file: IO[bytes]) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """sha256 and md5 of what `file` holds from here to its end."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while block := file.read(BLOCK):
        sha256.update(block)
        md5.update(block)
    return sha256, md5
