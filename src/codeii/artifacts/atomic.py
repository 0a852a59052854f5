"""Files are written whole or not at all: temporary name beside, flush, fsync, rename, fsync of the folder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codeii.artifacts.space import check_space, refuse_full_disk


@contextmanager
def whole_file(path: Path, size: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it becomes `path`, else it is removed.

    size : bytes the file will have, where known. Raises DiskFull where there is no room for them or for what is
    written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp.{os.getpid()}{path.suffix}")
    try:
        if size is not None:
            check_space(path.parent, size)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        refuse_full_disk(error, path.parent, size)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")
