"""The unfinished file beside its target, and the note that says of which file it is the beginning."""

import json
import re
from http.client import HTTPResponse
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from codeii.artifacts.atomic import write_json

_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")


class Note(BaseModel):
    """Which file a part is the beginning of: a resume is asked for this one and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    address: str
    etag: str | None
    modified: str | None
    bytes: int

    @property
    def validator(self) -> str | None:
        """What If-Range may carry: an ETag unless it is weak (W/...), else the date of the last change."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def range_headers(self, offset: int) -> dict[str, str]:
        """Ask for the bytes from `offset` on, of the same file or else for the whole of the new one."""
        same = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={offset}-", **same}

    def continued_by(self, response: HTTPResponse, offset: int) -> bool:
        """Whether a partial answer goes on where the part ends, in a file of the same size and ETag."""
        match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if match is None:
            return False
        first, last, whole = (int(number) for number in match.groups())
        same = response.headers.get("ETag", self.etag) == self.etag
        return same and (first, last, whole) == (offset, self.bytes - 1, self.bytes)


def part_of(target: Path) -> Path:
    """Where the unfinished `target` lies: beside it, hidden."""
    return target.with_name(f".{target.name}.part")


def is_part(path: Path) -> bool:
    """Whether a file is an unfinished one, or the note of one."""
    return path.name.startswith(".") and path.name.endswith((".part", ".part.json"))


def read_note(part: Path, address: str) -> Note | None:
    """The note of a part that is the beginning of what `address` gives; None where there is no such part."""
    path = _note_of(part)
    if not part.is_file() or not path.is_file():
        return None
    try:
        note = Note.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError):  # edited by hand: as good as none
        return None
    return note if note.address == address and 0 < part.stat().st_size <= note.bytes else None


def write_note(part: Path, address: str, response: HTTPResponse, size: int) -> None:
    """Say of which file the part, still to be written, will be the beginning."""
    headers = response.headers
    note = Note(address=address, etag=headers.get("ETag"), modified=headers.get("Last-Modified"), bytes=size)
    write_json(_note_of(part), note.model_dump())


def drop_part(part: Path) -> None:
    """Remove a part and its note; the part first, for a note alone resumes nothing."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
