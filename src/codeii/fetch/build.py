"""Take a local copy of a source into the study: list every file with its hash, copy nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeii.artifacts.raw_archive import write_raw_archive
from codeii.schema.progress import progress


def fetch(source: str, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """List the files of the copy in `settings["path"]` and write the raw archive's manifest in `folder`.

    settings : version and path (absolute, or relative to the working directory).
    Raises ValueError where the folder is absent or empty.
    """
    root = Path(settings["path"]).expanduser()
    if not root.is_dir():
        raise ValueError(
            f"sources.{source}.path: {root} is not a folder; download {source} {settings['version']} "
            "from its publisher (its card names the address) and set the path to where it lies"
        )
    files = sorted(path for path in progress(root.rglob("*"), None, f"list {source}") if path.is_file())
    write_raw_archive(folder, root, files, source=source, origin="local", settings=settings, code=code)
