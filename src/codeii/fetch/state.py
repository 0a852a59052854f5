"""What a fetch remembers in the source's folder: the publisher's list, hashes it found itself, archives unpacked."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codeii.artifacts.atomic import write_json
from codeii.artifacts.raw_archive import FETCHED


class Found(BaseModel):
    """Hashes and size of a file as it came."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: str
    md5: str
    bytes: int


class Unpacked(BaseModel):
    """An archive that was unpacked and removed, and what came out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    archive: Found
    members: dict[str, str]  # name below the source's folder -> sha256


class State(BaseModel):
    """Everything an earlier fetch found out. Empty where there was none."""

    model_config = ConfigDict(extra="forbid")
    listing_sha256: str | None = None
    found: dict[str, Found] = Field(default_factory=dict)  # of files whose sha256 nobody published
    unpacked: dict[str, Unpacked] = Field(default_factory=dict)


def read_state(folder: Path) -> State:
    """What an earlier fetch into `folder` found out. Raises ValueError where its file was edited beyond reading."""
    path = folder / FETCHED / "state.json"
    if not path.is_file():
        return State()
    try:
        return State.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise ValueError(f"{path}: not what a fetch writes there; remove it: the files are then hashed anew") from error


def write_state(folder: Path, state: State) -> None:
    """Write it whole or not at all."""
    write_json(folder / FETCHED / "state.json", state.model_dump())


def listing_path(folder: Path) -> Path:
    """Where the publisher's list is kept as it came."""
    return folder / FETCHED / "listing"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` against another fetch; the lock dies with the process. Raises ValueError where it is held."""
    path = folder / FETCHED / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder}: another process is fetching into it; wait for it, or end it") from None
        except OSError as error:
            print(f"note: {folder}: its file system has no locks ({error}); start no second fetch", file=sys.stderr)
        yield
