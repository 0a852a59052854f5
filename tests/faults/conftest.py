"""Faults that need something of the machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if shutil.which("mount") and os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip(f"needs to mount a small disk: {mounted.stderr if mounted else 'not root'}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
