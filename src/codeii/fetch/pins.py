"""What to write into params.yaml so that the publisher is held to exactly the files that came."""

from codeii.fetch.state import Found, State
from codeii.schema.params import Source


def pins_to_add(source: str, given: Source, state: State) -> str:
    """A sentence and a block of params.yaml with the hashes that nobody has pinned yet; empty where all are."""
    block = _of_archive(given, state) if given.origin == "archive" else _of_primary(given, state)
    if not block:
        return ""
    said = f"To hold {source} {given.version} to exactly these files from now on, put into your parameters:"
    return "\n".join([said, "sources:", f"  {source}:", *(f"    {line}" for line in block)])


def _of_archive(given: Source, state: State) -> list[str]:
    pinned = given.archive is not None and given.archive.sha256 == state.listing_sha256
    return [] if pinned or state.listing_sha256 is None else ["archive:", f"  sha256: {state.listing_sha256}"]


def _of_primary(given: Source, state: State) -> list[str]:
    if given.primary is None:
        return []
    lines = []
    if state.listing_sha256 and given.primary.listing and given.primary.listing.sha256 != state.listing_sha256:
        lines += ["  listing:", f"    sha256: {state.listing_sha256}"]
    pins = given.primary.files
    found = state.found | {name: done.archive for name, done in state.unpacked.items()}
    new = {name: file for name, file in sorted(found.items()) if not (name in pins and pins[name].sha256)}
    lines += ["  files:", *(f"    {name}: {_pin(file)}" for name, file in new.items())] if new else []
    return ["primary:", *lines] if lines else []


def _pin(file: Found) -> str:
    return f"{{sha256: {file.sha256}, bytes: {file.bytes}}}"
