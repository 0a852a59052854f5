"""Which files make up a source, and what is known of each: from the publisher's list, and from params.yaml."""

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from codeii.artifacts.manifest import IntegrityError
from codeii.fetch.names import refuse_clashes, refuse_ours, safe_name
from codeii.schema.published import Pin

_LINE = re.compile(r"([0-9a-fA-F]{64})(?: \*|[ \t]+)(\S.*)")  # "digest  name", "digest *name"; PhysioNet: one space


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to have: its name below the source's folder, and what is known of it beforehand."""

    name: str
    sha256: str | None = None
    md5: str | None = None
    bytes: int | None = None
    known_from: str = ""  # in words, for messages
    accept: str = ""  # what to do where another file than this comes, in words

    @property
    def hashed(self) -> bool:
        """Whether a hash is known beforehand."""
        return bool(self.sha256 or self.md5)


def read_listing(content: bytes, form: str, where: str) -> list[Wanted]:
    """Files of a publisher's list, in its order. Raises ValueError naming line or key; nothing is skipped."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not a list of files: it is no UTF-8 text") from error
    wanted = _of_zenodo(text, where) if form == "zenodo" else _of_sums(text, where)
    if not wanted:
        raise ValueError(f"{where}: names no file")
    refuse_clashes((file.name for file in wanted), where)
    refuse_ours((file.name for file in wanted), where)
    return wanted


def _of_sums(text: str, where: str) -> list[Wanted]:
    wanted = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise ValueError(f"{where}: line {number} is {line[:60]!r}, expected a sha256 and a file name")
        name = safe_name(match[2], f"{where}, line {number}")
        wanted.append(Wanted(name, sha256=match[1].lower(), known_from=where))
    return wanted


def _of_zenodo(text: str, where: str) -> list[Wanted]:
    try:
        entries = json.loads(text)["files"]
        found = [(str(entry["key"]), str(entry["checksum"]), int(entry["size"])) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{where}: not the record of a Zenodo deposit: it has no list `files`") from error
    wanted = []
    for key, checksum, size in found:
        if re.fullmatch(r"md5:[0-9a-f]{32}", checksum) is None:
            raise ValueError(f"{where}: {key[:80]!r} has the checksum {checksum[:60]!r}, expected md5:...")
        wanted.append(Wanted(safe_name(key, where), md5=checksum[4:], bytes=size, known_from=where))
    return wanted


def chosen(wanted: Sequence[Wanted], only: Sequence[str], where: str) -> list[Wanted]:
    """The files of the list that lie in one of the folders of `only`, or are named there; all where it is empty.

    Raises ValueError for an entry of `only` that matches nothing.
    """
    if not only:
        return list(wanted)
    entries = [entry.strip("/") for entry in only]
    for entry in entries:
        if not any(_lies_in(file.name, entry) for file in wanted):
            raise ValueError(f"{where}: {entry!r} of `only` matches none of its {len(wanted)} files")
    return [file for file in wanted if any(_lies_in(file.name, entry) for entry in entries)]


def _lies_in(name: str, entry: str) -> bool:
    return name == entry or name.startswith(f"{entry}/")


def pinned(wanted: Iterable[Wanted], pins: Mapping[str, Pin], where: str) -> list[Wanted]:
    """`wanted` with the hashes of params.yaml, which go before those of a list or an earlier fetch.

    Raises ValueError for a pin of a file that is not wanted, IntegrityError for one that the list contradicts.
    """
    by_name = {file.name: file for file in wanted}
    for name, pin in pins.items():
        if name not in by_name:
            raise ValueError(f"{where}.{name}: no such file among the {len(by_name)} that are fetched")
        file, known = by_name[name], pin.model_dump(exclude_none=True)
        for word in ("sha256", "md5", "bytes"):
            listed = getattr(file, word)
            if word in known and listed is not None and listed != known[word]:
                raise IntegrityError(
                    f"upstream changed: {name}: {word} is {listed} in {file.known_from}, pinned is {known[word]}; to "
                    f"accept it, set {where}.{name}.{word} to the former"
                )
        if known:
            here = f"{where}.{name}"
            by_name[name] = replace(file, **known, known_from=here, accept=f"to accept it, change {here}")
    return list(by_name.values())


def to_unpack(wanted: Iterable[Wanted], patterns: Sequence[str]) -> set[str]:
    """Names of the archives among the files. Raises ValueError for a pattern that matches none."""
    names = [file.name for file in wanted]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"unpack: {pattern!r} matches none of the {len(names)} files that are fetched")
    return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
