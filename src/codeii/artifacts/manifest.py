"""What an artefact is made of: the hash of each file, the settings, the code and the inputs that made it."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from codeii.artifacts.atomic import write_json

NAME = "manifest.json"


class IntegrityError(ValueError):
    """A file is not what its manifest says, or its manifest is not what was asked for."""


class FileEntry(BaseModel):
    """Size and hash of one file of an artefact."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """Everything the artefact in a folder depends on. It holds no time and no absolute path of ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    settings: dict[str, Any]
    code: str
    inputs: dict[str, str]  # path of an input's manifest or file -> its sha256
    files: dict[str, FileEntry]
    facts: dict[str, Any]  # counts and properties worth knowing without opening the files
    synthetic: bool
    environment: dict[str, str]


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def environment() -> dict[str, str]:
    """What of the environment may change results: Python's minor version, the locks, the kind of machine."""
    envs = Path(__file__).parents[3] / "envs"
    locks = [envs / name for name in ("requirements.lock", "torch.lock") if (envs / name).is_file()]
    found = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    return {"python": ".".join(platform.python_version_tuple()[:2]), "lock": found, "machine": platform.machine()}


def write_manifest(
    folder: Path,
    kind: str,
    *,
    files: Iterable[str],
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Hash the files of `folder` and write its manifest, last of all: with it the artefact is complete.

    inputs : manifests (or single files) that the artefact was made from.
    """
    entries = {name: FileEntry(bytes=(folder / name).stat().st_size, sha256=sha256_of(folder / name)) for name in files}
    manifest = Manifest(
        kind=kind,
        settings=dict(settings),
        code=code,
        inputs={path.as_posix(): sha256_of(path) for path in inputs},
        files=entries,
        facts=dict(facts),
        synthetic=synthetic,
        environment=environment(),
    )
    write_json(folder / NAME, manifest.model_dump())
    return folder / NAME


def load_manifest(path: Path, kind: str | None) -> Manifest:
    """Read a manifest of the given kind, or of any (None), without looking at the files it lists.

    Raises IntegrityError where it is absent, torn or of another kind.
    """
    if not path.is_file():
        raise IntegrityError(f"{path}: there is no manifest; the artefact was never finished")
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise IntegrityError(f"{path}: not a manifest ({error.__class__.__name__}); delete it and run again") from error
    if kind is not None and manifest.kind != kind:
        raise IntegrityError(f"{path}: kind {manifest.kind!r}, expected {kind!r}")
    return manifest


def read_manifest(path: Path, kind: str) -> Manifest:
    """Read a manifest and check size and hash of every file it lists. Raises IntegrityError naming the file."""
    manifest = load_manifest(path, kind)
    check_files(path.parent, manifest.files)
    return manifest


def check_files(folder: Path, files: Mapping[str, FileEntry]) -> None:
    """Raise IntegrityError on the first file that is absent, of another size or of another hash."""
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            raise IntegrityError(f"{path}: listed in the manifest but absent; run the study again to rebuild it")
        if path.stat().st_size != entry.bytes:
            raise IntegrityError(f"{path}: {path.stat().st_size} bytes, the manifest says {entry.bytes}")
        if sha256_of(path) != entry.sha256:
            raise IntegrityError(f"{path}: content changed since it was made (sha256 differs from the manifest)")
