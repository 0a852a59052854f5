"""Fingerprints of code: what a job runs, without comments, docstrings and what cannot change a result.

Snakemake does not follow imports. Each rule passes the fingerprint of its entry modules' static import closure
as a parameter: an edit of a comment reruns nothing, an edit of a model reruns exactly its runs.
"""

import hashlib
from functools import cache
from pathlib import Path

from codeii.workflow.meaning import meaning_of

PACKAGE = Path(__file__).parents[1]
DATA_SUFFIXES = (".csv", ".j2", ".css", ".c", ".h")

# Validation of params.yaml acts through the settings, which every job holds whole; progress bars and events only tell.
WITHOUT_EFFECT = (
    "codeii.schema.params",
    "codeii.schema.published",
    "codeii.schema.recipe",
    "codeii.schema.weights",
    "codeii.schema.progress",
    "codeii.artifacts.events",
)


@cache
def code_fingerprint(*modules: str) -> str:
    """Short hash of the modules, all modules of ours they import, and the data files in their folders."""
    closure = sorted(import_closure(modules))
    digest = hashlib.sha256()
    for module in closure:
        digest.update(f"{module} {meaning_of(_file_of(module)).sha256}\n".encode())
    folders = {_file_of(module).parent for module in closure} - {PACKAGE}
    for path, sha256 in sorted({found for folder in folders for found in _data_below(folder)}):
        digest.update(f"{path.relative_to(PACKAGE)} {sha256}\n".encode())
    return digest.hexdigest()[:16]


def import_closure(modules: tuple[str, ...]) -> set[str]:
    """Names of the given modules and of every module of `codeii` they import, at the top or inside functions.

    Raises ValueError on a module that has no file.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found or module in WITHOUT_EFFECT:
            continue
        if not _exists(module):
            raise ValueError(f"{module} has no file below {PACKAGE}")
        found.add(module)
        waiting += _imports_of(module)
    return found


@cache
def _imports_of(module: str) -> tuple[str, ...]:
    """Modules of ours that this one runs: what it imports, and the packages it lies in."""
    parents = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
    return tuple(name for name in (*meaning_of(_file_of(module)).imports, *parents) if _exists(name))


@cache
def _data_below(folder: Path) -> tuple[tuple[Path, str], ...]:
    found = (path for path in folder.rglob("*") if path.suffix in DATA_SUFFIXES)
    return tuple((path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in found)


@cache
def _file_of(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _exists(module: str) -> bool:
    return module.split(".")[0] == "codeii" and _file_of(module).is_file()
