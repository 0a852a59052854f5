"""The folder of a fetched source: what may lie in it, how large it is, and how it is closed."""

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from codeii.artifacts.manifest import NAME
from codeii.artifacts.raw_archive import SUMS
from codeii.fetch.part import is_part
from codeii.fetch.unpack import is_temporary

SHOWN = 3  # names in a message
READ_ONLY = 0o444


def files_below(folder: Path) -> Iterator[Path]:
    """Every file that is data: hidden ones and those the study writes beside the data are not."""
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        ours = (NAME, SUMS) if Path(path) == folder else ()
        yield from (Path(path, name) for name in names if not name.startswith(".") and name not in ours)


def refuse_strangers(folder: Path, names: Collection[str]) -> None:
    """Raise ValueError where files lie in `folder` that the source does not have: readers would take them for data."""
    found = sorted(path.relative_to(folder).as_posix() for path in files_below(folder))
    strangers = [name for name in found if name not in names]
    if strangers:
        more = f" and {len(strangers) - SHOWN} more" if len(strangers) > SHOWN else ""
        raise ValueError(
            f"{folder} holds {', '.join(strangers[:SHOWN])}{more}, which the publisher's list does not name; move "
            "them away and run the same again"
        )


def bytes_below(folder: Path) -> int:
    """Size of all files in `folder`, unfinished ones included."""
    return sum(Path(path, name).lstat().st_size for path, _, names in os.walk(folder) for name in names)


def close_tree(folder: Path, files: Iterable[Path]) -> None:
    """Remove what unfinished transfers left, make the files read-only, and put everything on the disk."""
    for path, folders, names in os.walk(folder):
        for name in folders:
            if is_temporary(Path(path, name)):
                shutil.rmtree(Path(path, name))
        for name in names:
            if is_part(Path(path, name)):
                Path(path, name).unlink()
    try:
        for file in files:
            file.chmod(READ_ONLY)
    except PermissionError as error:
        print(f"note: the file system lets no file be made read-only ({error})", file=sys.stderr)
    os.sync()  # small files were not synced one by one: tens of thousands of times a few milliseconds
