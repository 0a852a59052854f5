"""The program itself as results.json names it: CITATION.cff, and the hashes of the files that say what runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.schema.results import Paper, Software

ROOT = Path(__file__).parents[3]
CITATION, LICENCE = "CITATION.cff", "LICENSE"


def software_of(files: Mapping[str, str]) -> Software:
    """Title, version, licence and authors of the program. files : path -> sha256, as the job's settings have them.

    Raises IntegrityError where a file is not the one the job was listed with.
    """
    for name in files:
        project_file(name, files[name])
    said = yaml.safe_load((ROOT / CITATION).read_text(encoding="utf-8"))
    date = said.get("date-released")
    return Software(
        title=said["title"],
        version=str(said["version"]),
        licence=said["license"],
        authors=[_name(author) for author in said["authors"]],
        date_released=None if date is None else str(date),
        papers=[_paper(work) for work in said.get("references", []) if work["type"] == "article"],
        files=dict(files),
    )


def project_file(name: str, sha256: str) -> Path:
    """A file of the project, unchanged since the job was listed. Raises IntegrityError."""
    path = ROOT / name
    found = sha256_of(path) if path.is_file() else "no file"
    if found != sha256:
        raise IntegrityError(f"{path}: sha256 {found}, expected {sha256}; it changed meanwhile: run the study again")
    return path


def _paper(work: Mapping[str, Any]) -> Paper:
    names = [_name(author) for author in work["authors"]]
    return Paper(authors=names, **{name: work[name] for name in ("title", "journal", "year", "doi")})


def _name(author: Mapping[str, str]) -> str:
    return author.get("name") or f"{author['given-names']} {author['family-names']}"
