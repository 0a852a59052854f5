"""Door of the raw data: the files of a source as published, listed with their hashes, never written again.

`SHA256SUMS` is in the format of sha256sum(1). The files lie beside it, or, for a local copy, in the folder
that the manifest names. A twin and a fetched source never share a folder: each knows its own by a mark.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codeii.artifacts.atomic import write_text
from codeii.artifacts.manifest import IntegrityError, Manifest, read_manifest, sha256_of, write_manifest
from codeii.schema.progress import progress
from codeii.schema.shard import WHOLE, Shard

SUMS = "SHA256SUMS"
TWIN_README, TWIN_MARK = "README.txt", "SYNTHETIC TWIN"  # the first words in the folder of a twin
FETCHED = ".fetched"  # what a fetch keeps in the folder of a source: the publisher's list, hashes, archives unpacked


def write_raw_archive(
    folder: Path,
    root: Path,
    files: Iterable[Path],
    *,
    source: str,
    origin: str,
    settings: Mapping[str, Any],
    code: str,
    more_facts: Mapping[str, Any] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> Path:
    """List `files` (below `root`) with their hashes in `folder`, and write the manifest.

    root : where the files lie; equal to `folder` unless the source is a local copy that is not to be duplicated.
    more_facts : what else the manifest says of where the files came from.
    hashes : sha256 of files that were hashed a moment ago, by name below `root`.

    A copy of a twin is a twin, wherever it was fetched from.
    """
    listed = sorted(path.relative_to(root).as_posix() for path in files)
    if not listed:
        raise ValueError(f"{source}: no file found below {root}")
    known = hashes or {}
    named = progress(listed, len(listed), f"hashing {source}")
    hashed = ((known.get(name) or sha256_of(root / name), name) for name in named)
    write_text(folder / SUMS, "".join(f"{digest}  {name}\n" for digest, name in hashed))
    facts = {
        "source": source,
        "origin": origin,
        "root": "." if root == folder else str(root.resolve()),
        "files": len(listed),
        "bytes": sum((root / name).stat().st_size for name in listed),
        **(more_facts or {}),
    }
    synthetic = origin == "synthetic" or bears_twin_mark(root)
    return write_manifest(
        folder, "raw", files=[SUMS], settings=settings, code=code, inputs=[], facts=facts, synthetic=synthetic
    )


def read_raw_archive(manifest_path: Path, shard: Shard = WHOLE) -> tuple[Path, Manifest]:
    """Verify the shard's share of the listed files and return the folder they lie in, with the manifest.

    The shards together verify every file once, whichever of them reads it: what is gathered rests on all of them.
    """
    manifest = read_manifest(manifest_path, "raw")
    root = manifest_path.parent / manifest.facts["root"]
    for name, digest in shard.of(listed_files(manifest_path.parent / SUMS), block=1):
        path = root / name
        if not path.is_file():
            raise IntegrityError(f"{path}: listed in {SUMS} but absent")
        if sha256_of(path) != digest:
            raise IntegrityError(f"{path}: content changed since it was listed in {manifest_path.parent / SUMS}")
    return root, manifest


def bears_twin_mark(folder: Path) -> bool:
    """Whether the files in `folder` say of themselves that they are a synthetic twin."""
    readme = folder / TWIN_README
    if not readme.is_file():
        return False
    with readme.open(encoding="utf-8", errors="replace") as file:
        return TWIN_MARK in file.read(4096)


def listed_files(sums: Path) -> list[tuple[str, str]]:
    """(name, sha256) of each line of a SHA256SUMS file."""
    pairs = []
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        pairs.append((name, digest))
    return pairs
