"""Free space is looked at before bytes are written, and a full disk is said in words."""

import errno
import shutil
from pathlib import Path

from codeii.schema.progress import size_text


class DiskFull(OSError):
    """What is needed, what is free, and where."""


def check_space(folder: Path, need: int) -> None:
    """Raise DiskFull where fewer than `need` bytes are free at `folder`."""
    free = shutil.disk_usage(folder).free
    if need > free:
        raise DiskFull(
            f"disk full: need {size_text(need)}, have {size_text(free)}, at {folder}; free some and run the same again"
        )


def refuse_full_disk(error: OSError, folder: Path, need: int | None) -> None:
    """Raise DiskFull where `error` says that a disk or a quota is full; return where it says something else."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        more = "more" if need is None else f"{size_text(need)} more"
        free = size_text(shutil.disk_usage(folder).free)
        raise DiskFull(f"disk full: need {more}, have {free}, at {folder}; free some and run the same again") from error
