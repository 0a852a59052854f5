"""sha256 of files, remembered by signature, so that an unchanged file is not read twice.

For judging only: whatever an expensive step reads is hashed again by that step.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codeii.artifacts.atomic import write_text
from codeii.artifacts.manifest import IntegrityError
from codeii.checks.receipt import FOLDER, Signature, settled, signature

REMEMBERED = Path(FOLDER) / "hashes.json"


@dataclass(frozen=True, slots=True)
class Hashes:
    """Hashes known from earlier checks, and those of this one with the signature each file had before it was read."""

    known: Mapping[str, tuple[Signature, str]]
    seen: dict[str, tuple[Signature, str]] = field(default_factory=dict)
    lasting: dict[str, bool] = field(default_factory=dict)  # whether the signature can be trusted later

    def of(self, path: Path) -> str:
        """Hex sha256 of a file: remembered if its signature is the same, else of its bytes.

        Raises IntegrityError where the file changes while it is read.
        """
        name = str(path)
        if name in self.seen:
            return self.seen[name][1]
        found = signature(name)
        known = self.known.get(name)
        if known is not None and known[0] == found:
            self.seen[name], self.lasting[name] = known, True
            return known[1]
        started_ns = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if signature(name) != found:
            raise IntegrityError(f"{path}: changed while it was read; let the study finish and check again")
        self.seen[name], self.lasting[name] = (found, digest), settled(found, started_ns)
        return digest


def remembered_hashes(path: Path = REMEMBERED) -> Hashes:
    """Hashes of earlier checks; none where the file is absent, torn or of another form."""
    return Hashes(_read(path))


def remember_hashes(hashes: Hashes, path: Path = REMEMBERED) -> None:
    """Add what was hashed to the file, whole or not at all; files that are gone are forgotten.

    Of two processes that end together the later one's file stays, with what it read of the other's.
    """
    mine = {name: entry for name, entry in hashes.seen.items() if hashes.lasting[name]}
    unsettled = hashes.seen.keys() - mine.keys()
    before = _read(path)
    kept = {name: entry for name, entry in before.items() if name not in unsettled and Path(name).exists()}
    after = {**kept, **mine}
    if after != before:
        files = {name: [*found, digest] for name, (found, digest) in sorted(after.items())}
        write_text(path, json.dumps({"version": 1, "files": files}, separators=(",", ":")) + "\n")


def _read(path: Path) -> dict[str, tuple[Signature, str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != 1:
            return {}
        return {
            os.fspath(name): ((int(size), int(mtime), int(inode), int(ctime)), str(digest))
            for name, (size, mtime, inode, ctime, digest) in content["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # it only saves time
