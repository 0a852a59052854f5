"""Take a source into the study: list a local copy where it lies, or fetch the publisher's files or a kept copy."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codeii.artifacts.raw_archive import FETCHED, SUMS, bears_twin_mark, write_raw_archive
from codeii.fetch.licence import accept
from codeii.fetch.pins import pins_to_add
from codeii.fetch.remote import Brought, bring_all
from codeii.fetch.state import State, alone
from codeii.fetch.tree import close_tree, files_below
from codeii.fetch.wanted import Remote
from codeii.schema.params import Source, sentence_of
from codeii.schema.progress import progress
from codeii.schema.published import ADDRESS, Listing

CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class How:
    """What a person may say beside the settings: nothing here changes what is fetched."""

    accept_licence: bool = False
    offline: bool = False
    connections: int = CONNECTIONS


def fetch(source: str, settings: Mapping[str, Any], code: str, folder: Path, how: How | None = None) -> None:
    """Bring the files of `source` into `folder`, or list those of a local copy; the manifest is written last.

    settings : version, origin and the block of that origin, as in `sources.<source>` of params.yaml.

    Files that are there already and have the right hash are kept. Raises ValueError where something is missing or
    refused, IntegrityError where a file is not the expected one, OSError where the network or the disk gives out.
    """
    given = _given(source, settings)
    _refuse_twin(folder)
    if given.origin == "local":
        root = Path(given.path or "").expanduser()
        files = _local_files(source, given, root)
        write_raw_archive(folder, root, files, source=source, origin="local", settings=settings, code=code)
    elif given.origin in ("primary", "archive"):
        with alone(folder):
            brought = bring_all(_remote(source, given, how or How()), folder)
            files = [folder / name for name in brought.sha256]
            close_tree(folder, files)
            write_raw_archive(
                folder,
                folder,
                files,
                source=source,
                origin=given.origin,
                settings=settings,
                code=code,
                more_facts=_facts(given, brought.state),
                hashes=brought.sha256,
            )
        print(_report(source, given, folder, brought))
    else:
        raise ValueError(f"sources.{source}.origin is {given.origin}: there is nothing to fetch")


def _given(source: str, settings: Mapping[str, Any]) -> Source:
    try:
        return Source.model_validate(dict(settings))
    except ValidationError as error:
        faults = (sentence_of({**fault, "loc": ("sources", source, *fault["loc"])}) for fault in error.errors())
        raise ValueError("\n".join(faults)) from None


def _refuse_twin(folder: Path) -> None:
    if bears_twin_mark(folder) and not (folder / FETCHED).exists():
        raise ValueError(
            f"{folder} holds a synthetic twin; a real source is never written over it. Give one of the two another "
            "version in params.yaml, or remove the folder"
        )


def _local_files(source: str, given: Source, root: Path) -> list[Path]:
    """Files of the copy, as published. Raises ValueError where its folder is absent."""
    if not root.is_dir():
        raise ValueError(
            f"sources.{source}.path: {root} is not a folder; download {source} {given.version} from its publisher (its "
            "card names the address) and set the path to where it lies"
        )
    # A folder that was fetched holds more than the publisher's files: what the fetch keeps, and its manifest.
    found = files_below(root) if (root / FETCHED).exists() else root.rglob("*")
    return sorted(path for path in progress(found, None, f"list {source}") if path.is_file())


def _remote(source: str, given: Source, how: How) -> Remote:
    """Where the files are, and what may be said of them, for either origin."""
    offline = how.offline or os.environ.get("CODEII_OFFLINE", "0") not in ("", "0")
    block = f"sources.{source}.{given.origin}"
    if given.origin == "archive" and given.archive is not None:
        return Remote(
            source=source,
            pin_list=f"{block}.sha256",
            pin_files=block,
            mirrors=(_archive_address(f"{block}.address", given.archive.address),),
            listing=Listing(address=SUMS, sha256=given.archive.sha256),
            pins={},
            unpack=(),
            total_bytes=None,
            agree=_nothing_to_accept,
            offline=offline,
            connections=how.connections,
        )
    if given.primary is None:
        raise ValueError(f"{block}: missing; it says where the files are")
    primary = given.primary
    return Remote(
        source=source,
        pin_list=f"{block}.listing.sha256",
        pin_files=f"{block}.files",
        mirrors=tuple(primary.mirrors),
        listing=primary.listing,
        pins=primary.files,
        unpack=primary.unpack,
        total_bytes=primary.total_bytes,
        agree=lambda: accept(source, given.version, primary, how.accept_licence),
        offline=offline,
        connections=how.connections,
    )


def _nothing_to_accept() -> None:
    """Whoever has a kept copy accepted the licence when it was made."""


def _archive_address(where: str, address: str) -> str:
    if re.fullmatch(ADDRESS, address):
        return address
    folder = Path(address).expanduser()
    if "://" in address or not (folder / SUMS).is_file():
        raise ValueError(f"{where}: {address!r} is neither an https address nor a folder with {SUMS} in it")
    return str(folder)


def _facts(given: Source, state: State) -> dict[str, Any]:
    """What the manifest says of where the files came from: no time, no machine, no mirror."""
    archives = {name: done.archive.model_dump() for name, done in sorted(state.unpacked.items())}
    facts = {
        "listing_sha256": state.listing_sha256,
        "recorded_sha256": {name: found.sha256 for name, found in sorted(state.found.items())},
        "unpacked_archives": archives,
    }
    licence = {"licence": given.primary.licence.name} if given.origin == "primary" and given.primary else {}
    return {"fetched": facts, **licence}


def _report(source: str, given: Source, folder: Path, brought: Brought) -> str:
    said = f"{source} {given.version}: {len(brought.sha256):,} files in {folder}, {brought.fetched:,} fetched now"
    return "\n".join(filter(None, [said, pins_to_add(source, given, brought.state)]))
