"""Build the synthetic twin of a source: its exams, in its own format, with a few faults, listed with their hashes."""

import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from codeii.artifacts.atomic import write_text
from codeii.artifacts.manifest import NAME
from codeii.artifacts.raw_archive import FETCHED, TWIN_MARK, TWIN_README, write_raw_archive
from codeii.schema.progress import progress
from codeii.synthetic.planted import SENTENCES, plant
from codeii.synthetic.population import population

README, MARK = TWIN_README, TWIN_MARK


def synthesise(source: str, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write the twin of `source` into `folder`, the manifest last of all.

    settings : `version`, `twin` (records, seed, form) and `layout` of the source in params.yaml.
    code : fingerprint of the code, for the manifest.

    Raises ValueError where `folder` holds files that are not a twin: they are never removed.
    """
    writer = import_module(f"codeii.synthetic.writers.{source}")
    count, seed = int(settings["twin"]["records"]), int(settings["twin"]["seed"])
    faults = plant(writer.FAULTS, count, seed)
    clear(folder)
    write_text(folder / README, readme(source, settings, writer, faults))
    exams = progress(population(source, count, seed), count, f"synthesising {source}")
    files = writer.write(exams, folder, faults, settings)
    write_raw_archive(
        folder, folder, [folder / README, *files], source=source, origin="synthetic", settings=settings, code=code
    )


def clear(folder: Path) -> None:
    """Empty `folder` of an earlier twin, finished or not. Raises ValueError where it holds anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / README
    for torn in folder.glob(f".{README}.tmp*"):
        torn.unlink()
    entries = list(folder.iterdir())
    if not entries:
        return
    if (folder / FETCHED).exists():
        raise ValueError(f"{folder} holds a fetched source; a twin is never written over it. Give one another version")
    if not mark.is_file() or MARK not in mark.read_text(encoding="utf-8", errors="replace"):
        found = ", ".join(sorted(path.name for path in entries)[:3])
        raise ValueError(f"{folder} holds {found}, which is no synthetic twin; move it away, or set origin: local")
    (folder / NAME).unlink(missing_ok=True)
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path not in (mark, folder / NAME):
            path.unlink()
    # the mark goes last: a tree that was cleared by half is still known as a twin
    mark.unlink()


def readme(source: str, settings: Mapping[str, Any], writer: ModuleType, faults: Mapping[str, str]) -> str:
    """Text of README.txt: that the data are synthetic, what was written, and every fault planted on purpose."""
    twin = settings["twin"]
    planted = [f"  {writer.record_name(exam_id)}: {kind}: {SENTENCES[kind]}" for exam_id, kind in faults.items()]
    lines = [
        f"{MARK} of {source} {settings['version']}",
        "",
        "No patient stands behind these recordings: every signal, number and name was computed. They have the form",
        "of the real release so that the same reader reads both, and they say nothing about the heart or the release.",
        "",
        writer.ABOUT,
        f"Exams: {twin['records']}. Seed: {twin['seed']}. The same seed gives the same bytes.",
        "",
        f"Planted faults ({len(planted)}):" if planted else "Planted faults: none.",
        *planted,
    ]
    return "\n".join(lines) + "\n"
