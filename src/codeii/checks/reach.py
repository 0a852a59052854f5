"""Everything an artefact is made of: the files of its manifest, of the manifests listed in it, and the raw files.

A manifest may list other manifests (the runs of a prediction set, the shards of a store): whatever it lists under a
name that ends in `manifest.json` is followed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codeii.artifacts.manifest import NAME, IntegrityError, Manifest, load_manifest
from codeii.artifacts.raw_archive import SUMS, listed_files

HashOf = Callable[[Path], str]
Reach = Callable[[Path, Manifest], Iterator["Listed"]]
DIGITS = 16  # of a hash, in messages


@dataclass(frozen=True, slots=True)
class Listed:
    """A file, what it should be, and which list says so."""

    path: Path
    sha256: str
    bytes: int | None  # None where the list does not say
    by: Path


def listed_below(manifest_path: Path, manifest: Manifest) -> Iterator[Listed]:
    """Every file an artefact reaches. Each is to be checked before the next is asked for: it may itself be a list."""
    yield from made_files(manifest_path, manifest)
    if manifest.kind == "raw":
        yield from raw_files(manifest_path, manifest)


def made_files(manifest_path: Path, manifest: Manifest) -> Iterator[Listed]:
    """The files of a manifest and of every manifest it lists."""
    folder = manifest_path.parent
    for name, entry in manifest.files.items():
        yield Listed(folder / name, entry.sha256, entry.bytes, manifest_path)
        if name.endswith(NAME):
            yield from listed_below(folder / name, load_manifest(folder / name, None))


def raw_files(manifest_path: Path, manifest: Manifest) -> Iterator[Listed]:
    """The files of a source, which lie beside the manifest or, for a local copy, where it says."""
    sums = manifest_path.parent / SUMS
    root = manifest_path.parent / manifest.facts["root"]
    for name, digest in listed_files(sums):
        yield Listed(root / name, digest, None, sums)


def check_listed(listed: Listed, hash_of: HashOf) -> None:
    """Raise IntegrityError, naming the file, what was found and what was expected, unless it is as listed."""
    path = listed.path
    if not path.is_file():
        raise IntegrityError(f"{path}: listed in {listed.by} but absent; pull it again, or run the study to rebuild it")
    if listed.bytes is not None and path.stat().st_size != listed.bytes:
        raise IntegrityError(f"{path}: {path.stat().st_size} bytes, {listed.by} says {listed.bytes}")
    found = hash_of(path)
    if found != listed.sha256:
        hashes = f"sha256 {found[:DIGITS]}, {listed.by} says {listed.sha256[:DIGITS]}"
        raise IntegrityError(f"{path}: content changed since it was made ({hashes}); pull it again, or delete it")
