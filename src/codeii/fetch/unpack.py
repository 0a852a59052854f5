"""Unpack a zip or tar archive: listed and bounded first, into a temporary folder, then renamed. Nothing is executed.

An archive inside an archive stays a file.
"""

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from codeii.artifacts.atomic import sync_folder
from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.space import check_space, refuse_full_disk
from codeii.fetch.names import refuse_clashes, refuse_ours, safe_name
from codeii.schema.progress import size_text

MOST_MEMBERS = 1_000_000  # PTB-XL, the source of the most files, has 87,000
MOST_RATIO = 100.0  # unpacked to packed; text of numbers reaches 10, a bomb 1,000
SMALL = 16 * 1024 * 1024  # bytes unpacked that no ratio is held against
BLOCK = 1024 * 1024
_TAR = (".tar", ".tar.gz", ".tgz")
_TEMPORARY = ".unpacked"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: the name it gets, its size, and how to read it."""

    name: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def unpack(archive: Path, taken: Collection[str], own: Collection[str]) -> dict[str, str]:
    """Unpack `archive` into the folder it lies in; return name below that folder -> sha256 of each file.

    taken : names there that belong to others, present or not. own : names that this archive has had before, which
    may be replaced; any other file that is there already must have the same content.

    Raises ValueError, and leaves the folder as it was, where the archive is damaged, too large or too dense, where a
    name leaves the folder, clashes or is there already, and where a member is no plain file; DiskFull.
    """
    into, temporary = archive.parent, archive.with_name(f".{archive.name}{_TEMPORARY}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _members(archive) as members:
            check_space(into, sum(member.size for member in members))
            refuse_clashes((*taken, *(member.name for member in members)), str(archive))
            made = {member.name: _extract(member, temporary, archive) for member in members}
        _refuse_others(made, into, archive, own)
        for name in made:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(into / name)
        for folder in {(into / name).parent for name in made}:
            sync_folder(folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
        raise ValueError(
            f"{archive}: damaged, or no archive of its kind ({error}); remove it and fetch again"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return made


@contextmanager
def _members(archive: Path) -> Iterator[list[Member]]:
    """The files of an archive, checked, while it is open."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            yield _checked(archive, _of_zip(opened, archive))
    elif archive.name.lower().endswith(_TAR):
        with tarfile.open(archive, "r:*") as opened_tar:
            yield _checked(archive, _of_tar(opened_tar, archive))
    else:
        raise ValueError(f"{archive}: neither .zip nor {', '.join(_TAR)}; take it out of `unpack`")


def _checked(archive: Path, members: Iterator[Member]) -> list[Member]:
    """All members. Stops at the first that makes them too many or too much, so that a bomb costs no time."""
    packed = archive.stat().st_size
    most = max(SMALL, int(MOST_RATIO * packed))
    found: list[Member] = []
    size = 0
    for member in members:
        found.append(member)
        size += member.size
        if len(found) > MOST_MEMBERS:
            raise ValueError(f"{archive}: refused, it has more than {MOST_MEMBERS:,} files")
        if size > most:
            said = f"{size_text(size)} or more come out of {size_text(packed)}"
            raise ValueError(f"{archive}: refused, {said}: more than {MOST_RATIO:.0f} times as much")
    if not found:
        raise ValueError(f"{archive}: refused, it has no file")
    refuse_clashes((member.name for member in found), str(archive))
    refuse_ours((member.name for member in found), str(archive))
    return found


def _of_zip(opened: zipfile.ZipFile, archive: Path) -> Iterator[Member]:
    for entry in opened.infolist():
        name = safe_name(entry.orig_filename, str(archive))  # as stored: zipfile's own name is mended
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.flag_bits & 1:
            raise ValueError(f"{archive}: refused, {name!r} is encrypted")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{archive}: refused, {name!r} is a {_kind_in_words(kind)}")
        if not entry.is_dir() and kind != stat.S_IFDIR:
            yield Member(name, entry.file_size, partial(opened.open, entry))


def _of_tar(opened: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    for entry in opened:
        if entry.isdir() and entry.name in (".", "./"):
            continue
        name = safe_name(entry.name, str(archive))
        if not (entry.isreg() or entry.isdir()) or entry.issparse():
            kind = "link" if entry.issym() or entry.islnk() else "device, pipe or sparse file"
            raise ValueError(f"{archive}: refused, {name!r} is a {kind}")
        if entry.isreg():
            yield Member(name, entry.size, partial(_of_entry, opened, entry))


def _of_entry(opened: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(entry)
    if file is None:
        raise ValueError(f"{entry.name!r} of {opened.name!s} is no plain file")
    return file


def _kind_in_words(kind: int) -> str:
    return "link" if kind == stat.S_IFLNK else "device or pipe"


def _extract(member: Member, temporary: Path, archive: Path) -> str:
    """Write one file below `temporary`, whole and synced; return its sha256."""
    path = temporary / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with member.open() as packed, path.open("xb") as file:
            while block := packed.read(BLOCK):
                size += len(block)
                if size > member.size:
                    break
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except zlib.error as error:
        raise ValueError(f"{archive}: {member.name!r} is damaged ({error})") from error
    except OSError as error:
        refuse_full_disk(error, archive.parent, member.size)
        raise
    if size != member.size:
        raise ValueError(
            f"{archive}: {member.name!r} is damaged: {size} bytes or more came out, {member.size} announced"
        )
    return sha256_of(path)


def _refuse_others(made: dict[str, str], into: Path, archive: Path, own: Collection[str]) -> None:
    """Raise ValueError where a file or folder that is there already stands in the way of an unpacked one."""
    for name, digest in made.items():
        path = into / name
        for above in path.relative_to(into).parents:
            if above.name and (into / above).exists() and not (into / above).is_dir():
                raise ValueError(f"{archive}: refused, {into / above} is a file and would be the folder of {name!r}")
        if path.is_dir() or (path.exists() and name not in own and sha256_of(path) != digest):
            raise ValueError(f"{archive}: refused, {path} is there already with other content; move it away")


def is_temporary(path: Path) -> bool:
    """Whether a folder is one that an archive was being unpacked into."""
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY)
