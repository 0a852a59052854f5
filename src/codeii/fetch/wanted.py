"""Which files make up a source that lies elsewhere, and what each is known to be before it comes."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.artifacts.raw_archive import FETCHED, SUMS
from codeii.fetch.listing import Wanted, chosen, pinned, read_listing
from codeii.fetch.state import State, write_state
from codeii.fetch.transfer import Way, bring, differs
from codeii.fetch.web import Web, hang_up
from codeii.schema.published import Listing, Pin


@dataclass(frozen=True, slots=True)
class Remote:
    """A source that lies elsewhere, by what params.yaml says of it, and how it is fetched."""

    source: str
    pin_list: str  # where in params.yaml the list is pinned, and
    pin_files: str  # where single files are, for messages
    mirrors: tuple[str, ...]
    listing: Listing | None
    pins: Mapping[str, Pin]
    unpack: Sequence[str]
    total_bytes: int | None
    agree: Callable[[], None]  # called before the first connection; raises where the licence is not accepted
    offline: bool
    connections: int

    @property
    def unreachable(self) -> bool:
        """Whether it lies behind a connection that must not be opened."""
        return self.offline and any(mirror.startswith(("https:", "http:")) for mirror in self.mirrors)


@contextmanager
def way_to(remote: Remote) -> Iterator[Way]:
    """How files of `remote` are brought; no connection is left open behind it."""
    web = Web()
    try:
        yield Way(remote.mirrors, web, lambda count: None, threading.Event())
    finally:
        hang_up(web)


def all_wanted(remote: Remote, folder: Path, state: State, way: Way) -> tuple[list[Wanted], dict[str, str]]:
    """The files to have; and the publisher's own list with its sha256, where it lies among them.

    The list is fetched unless an earlier fetch kept it. Raises IntegrityError where the publisher now says something
    else of a file than was pinned, or than an earlier fetch found.
    """
    beside: dict[str, str] = {}
    if remote.listing is None:
        listed = [Wanted(name) for name in remote.pins]
    else:
        path = _list_of(remote, remote.listing, folder, state, way)
        listed = read_listing(path.read_bytes(), remote.listing.form, path.name)
        listed = chosen(listed, remote.listing.only, path.name)
        beside = _list_beside(remote.listing, path, folder, listed)
        advice = f"use another mirror, or, to accept a new list of the publisher, pin it as {remote.pin_list}"
        listed = [replace(file, accept=advice) for file in listed]
    known = pinned(listed, remote.pins, remote.pin_files)
    return [_as_found_before(file, state, folder, remote) for file in known], beside


def _as_found_before(file: Wanted, state: State, folder: Path, remote: Remote) -> Wanted:
    """`file` with the hash an earlier fetch recorded, where nobody publishes or pins one."""
    archive = state.unpacked.get(file.name)
    before = archive.archive if archive else state.found.get(file.name)
    pin = f"{remote.pin_files}.{file.name}"
    if before is None or file.known_from == pin:
        return file
    if fault := differs(before, file):
        raise IntegrityError(
            f"upstream changed: {file.name}: an earlier fetch found {fault} in {file.known_from}; to accept it, set "
            f"{pin} to the latter"
        )
    said = f"an earlier fetch, recorded in {folder / FETCHED}"
    advice = f"to accept it, pin it as {pin}.sha256"
    return (
        file if file.hashed else replace(file, sha256=before.sha256, bytes=before.bytes, known_from=said, accept=advice)
    )


def _list_of(remote: Remote, listing: Listing, folder: Path, state: State, way: Way) -> Path:
    """The publisher's list as kept from an earlier fetch, or fetched now."""
    base, _, name = listing.address.rpartition("/") if ":" in listing.address else ("", "", listing.address)
    lists = folder / FETCHED / "listing"
    expected = listing.sha256 or state.listing_sha256
    if (lists / name).is_file() and (expected is None or sha256_of(lists / name) == expected):
        return lists / name
    if remote.unreachable:
        raise ValueError(f"offline: {remote.source}: the list of its files ({name}) is missing in {folder}")
    remote.agree()
    said = remote.pin_list if listing.sha256 else f"an earlier fetch, recorded in {folder / FETCHED}"
    wanted = Wanted(name, sha256=expected, known_from=said, accept=f"to accept it, pin it as {remote.pin_list}")
    found = bring(replace(way, mirrors=(base,)) if base else way, wanted, lists)
    if listing.form == "sha256sums":  # the record of a Zenodo deposit counts its visitors: its bytes change
        state.listing_sha256 = found.sha256
        write_state(folder, state)
    return lists / name


def _list_beside(listing: Listing, path: Path, folder: Path, listed: Sequence[Wanted]) -> dict[str, str]:
    """Put a list that is published among the files (PhysioNet's SHA256SUMS.txt) among them; its name and sha256."""
    name = listing.address
    if ":" in name or name == SUMS or listing.form != "sha256sums" or name in {file.name for file in listed}:
        return {}
    target = folder / name
    if not target.is_file() or target.read_bytes() != path.read_bytes():
        with whole_file(target) as temporary:
            shutil.copyfile(path, temporary)
    return {name: sha256_of(target)}
