"""Bring the files of a source that lies elsewhere: those that are missing, many at once, archives unpacked."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.space import check_space
from codeii.fetch.listing import Wanted, to_unpack
from codeii.fetch.pool import in_parallel
from codeii.fetch.state import Found, State, Unpacked, read_state, write_state
from codeii.fetch.transfer import Way, bring, differs, hashes_of
from codeii.fetch.tree import bytes_below, refuse_strangers
from codeii.fetch.unpack import unpack
from codeii.fetch.wanted import Remote, all_wanted, way_to
from codeii.fetch.web import hang_up
from codeii.schema.progress import progress

SHOWN = 5  # names in a message


@dataclass(frozen=True, slots=True)
class Brought:
    """All files of the source with their sha256, and what the fetch found out that nobody had said before."""

    sha256: dict[str, str]  # name below the folder -> hash, of every file
    state: State
    fetched: int  # files that had to be brought


def bring_all(remote: Remote, folder: Path) -> Brought:
    """Have every file of `remote` in `folder`. Those there with the right hash are kept; no connection without need.

    Raises ValueError, IntegrityError or OSError in a sentence; what came is kept for the next try.
    """
    state = read_state(folder)
    with way_to(remote) as way:
        wanted, hashes = all_wanted(remote, folder, state, way)
        archives = to_unpack(wanted, remote.unpack)
        there = _there(remote, folder, wanted, archives, state)
        for archive in archives & there.keys():  # killed between the note that it is unpacked and its removal
            (folder / archive).unlink(missing_ok=True)
        missing = [file for file in wanted if file.name not in there]
        hashes |= {name: found.sha256 for name, found in there.items()}
        if archives <= there.keys():  # else what comes out of the others is not known yet
            refuse_strangers(folder, _in_the_end(hashes, archives, state).keys() | {file.name for file in missing})
        if missing:
            _before_the_first(remote, folder, missing, wanted, archives)
            hashes |= _bring_missing(remote, folder, missing, wanted, archives, state, way)
    hashes = _in_the_end(hashes, archives, state)
    refuse_strangers(folder, hashes)
    return Brought(dict(sorted(hashes.items())), _of_these(state, remote, wanted, archives), len(missing))


def _in_the_end(hashes: Mapping[str, str], archives: set[str], state: State) -> dict[str, str]:
    """Hashes of the files the folder holds in the end: archives are gone, what came out of them is there."""
    kept = {name: sha for name, sha in hashes.items() if name not in archives}
    for archive in archives:
        kept |= state.unpacked[archive].members
    return kept


def _of_these(state: State, remote: Remote, wanted: Sequence[Wanted], archives: set[str]) -> State:
    """What is known of the files wanted now; an earlier fetch may have wanted others."""
    by_sums = remote.listing is not None and remote.listing.form == "sha256sums"
    return State(
        listing_sha256=state.listing_sha256 if by_sums else None,
        found={file.name: state.found[file.name] for file in wanted if file.name in state.found},
        unpacked={name: state.unpacked[name] for name in archives},
    )


def _there(
    remote: Remote, folder: Path, wanted: Sequence[Wanted], archives: set[str], state: State
) -> dict[str, Found]:
    """Files that are there and what they should be, archives that are unpacked, each with its hashes.

    The hash of a file that is there, and of which nobody said one, is recorded.
    """

    def look(file: Wanted) -> Found | None:
        if file.name in archives:
            done = state.unpacked.get(file.name)
            return done.archive if done and not differs(done.archive, file) and _all_there(folder, done) else None
        path = folder / file.name
        if not path.is_file() or file.bytes not in (None, path.stat().st_size):
            return None
        found = hashes_of(path)
        return None if differs(found, file) else found

    with ThreadPoolExecutor(max_workers=min(remote.connections, os.cpu_count() or 1)) as pool:
        looked = progress(pool.map(look, wanted), len(wanted), f"checking {remote.source}")
        there = {file.name: found for file, found in zip(wanted, looked, strict=True) if found}
    new = {file.name: there[file.name] for file in wanted if file.name in there and file.sha256 is None}
    new = {name: found for name, found in new.items() if name not in archives and name not in state.found}
    if new:
        state.found.update(new)
        write_state(folder, state)
    return there


def _all_there(folder: Path, done: Unpacked) -> bool:
    return all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in done.members.items())


def _before_the_first(
    remote: Remote, folder: Path, missing: Sequence[Wanted], wanted: Sequence[Wanted], archives: set[str]
) -> None:
    """What can be known to fail fails before the first byte comes."""
    if remote.unreachable:
        names = ", ".join(file.name for file in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(
            f"offline: {remote.source}: {len(missing)} of {len(wanted)} files are missing in {folder}: {names}{more}"
        )
    remote.agree()
    need = _to_come(remote, folder, missing) or 0
    if archives and remote.total_bytes:  # what they unpack to, and those that are there packed at one time
        largest = sorted((file.bytes or 0 for file in missing if file.name in archives), reverse=True)
        need = remote.total_bytes - bytes_below(folder) + sum(largest[: remote.connections])
    check_space(folder, max(need, 0))


def _to_come(remote: Remote, folder: Path, missing: Sequence[Wanted]) -> int | None:
    """Bytes still to fetch, as published or else about as declared; None where neither says it."""
    sizes = [file.bytes for file in missing if file.bytes is not None]
    if len(sizes) == len(missing):
        return sum(sizes)
    return max(remote.total_bytes - bytes_below(folder), 1) if remote.total_bytes and not remote.unpack else None


def _bring_missing(
    remote: Remote,
    folder: Path,
    missing: Sequence[Wanted],
    wanted: Sequence[Wanted],
    archives: set[str],
    state: State,
    way: Way,
) -> dict[str, str]:
    """Fetch and unpack; return name -> sha256. What was found out is noted as files finish, for the next try."""
    brought: dict[str, str] = {}
    plain = {file.name for file in wanted} - archives

    def work(file: Wanted, received: Callable[[int], None]) -> tuple[Found, dict[str, str]]:
        path = folder / file.name
        found = hashes_of(path) if file.name in archives and path.is_file() else None
        if found is None or differs(found, file):
            found = bring(replace(way, received=received), file, folder)
        return found, _unpacked(folder, file.name, plain, state) if file.name in archives else {}

    def halt() -> None:
        way.stop.set()
        hang_up(way.web)

    total = _to_come(remote, folder, missing)
    with closing(in_parallel(missing, work, halt, remote.connections, total, f"fetching {remote.source}")) as done:
        for file, (found, members) in done:
            brought[file.name] = found.sha256
            if members:
                _refuse_two_makers(file.name, members, state)
                state.unpacked[file.name] = Unpacked(archive=found, members=members)
                write_state(folder, state)
                (folder / file.name).unlink()
            elif file.sha256 is None:
                state.found[file.name] = found
                write_state(folder, state)
    return brought


def _unpacked(folder: Path, archive: str, plain: set[str], state: State) -> dict[str, str]:
    """Unpack an archive where it lies; names and hashes below the source's folder."""
    above = PurePosixPath(archive).parent
    before = state.unpacked[archive].members if archive in state.unpacked else {}
    made = unpack(folder / archive, _below(above, plain), _below(above, before))
    return {(above / name).as_posix(): sha for name, sha in made.items()}


def _below(folder: PurePosixPath, names: Iterable[str]) -> set[str]:
    paths = (PurePosixPath(name) for name in names)
    return {path.relative_to(folder).as_posix() for path in paths if path.is_relative_to(folder)}


def _refuse_two_makers(archive: str, members: Mapping[str, str], state: State) -> None:
    for other, done in state.unpacked.items():
        for name in () if other == archive else done.members.keys() & members.keys():
            if done.members[name] != members[name]:
                raise ValueError(f"{archive} and {other} both hold {name}, with different content")
