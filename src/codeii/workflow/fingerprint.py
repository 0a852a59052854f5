"""Fingerprints of code: what a job runs, without comments, docstrings and what cannot change a result.

Snakemake does not follow imports. Each rule passes the fingerprint of its entry modules' static import closure
as a parameter: an edit of a comment reruns nothing, an edit of a model reruns exactly its runs.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

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


def code_fingerprint(*modules: str) -> str:
    """Short hash of the modules, all modules of ours they import, and the data files in their folders."""
    closure = sorted(import_closure(modules))
    digest = hashlib.sha256()
    for module in closure:
        digest.update(f"{module} {_meaning_of(_file_of(module))}\n".encode())
    folders = {_file_of(module).parent for module in closure} - {PACKAGE}
    beside = {path for folder in folders for path in folder.rglob("*") if path.suffix in DATA_SUFFIXES}
    for path in sorted(beside):
        digest.update(f"{path.relative_to(PACKAGE)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
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
        parents = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
        waiting += [name for name in (*_imports_of(_file_of(module)), *parents) if _exists(name)]
    return found


def _file_of(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return module.split(".")[0] == "codeii" and _file_of(module).is_file()


@cache
def _tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports_of(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(_tree_of(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise ValueError(f"{path}:{node.lineno}: relative import; write codeii.… so that its edits are noticed")
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


@cache
def _meaning_of(path: Path) -> str:
    """Hash of a module's syntax tree without docstrings: what Python would run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
