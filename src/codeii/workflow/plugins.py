"""Plug-ins as files: which exist, and what a file says of itself, without importing heavy libraries."""

import ast
import hashlib
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

PACKAGE = Path(__file__).parents[1]


def names_in(folder: str) -> list[str]:
    """Names of the plug-in files of a folder of the package, such as `models` or `reporting/tables`."""
    return sorted(path.stem for path in (PACKAGE / folder).glob("*.py") if not path.stem.startswith("_"))


def check_name(path: str, name: str, accepted: list[str]) -> None:
    """Raise ValueError with the dotted path, the accepted names and the nearest of them."""
    if name not in accepted:
        near = get_close_matches(name, accepted, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{path}: {name!r} is not one of {', '.join(accepted) or '(none declared)'}.{hint}")


def metrics_of_one_class() -> list[str]:
    """Metrics that score one class at a time: those whose file has a `score`."""
    trees = {name: _tree_of(PACKAGE / f"evaluation/metrics/{name}.py") for name in names_in("evaluation/metrics")}
    return [
        name
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "score" for node in tree.body)
    ]


@cache
def model_settings(name: str) -> type[BaseModel]:
    """The `Settings` class of `models/<name>.py`, without importing torch.

    Only the class and the imports from pydantic and typing are run, which the contract of a model file allows.
    """
    path = PACKAGE / "models" / f"{name}.py"
    wanted: list[ast.stmt] = [
        node
        for node in _tree_of(path).body
        if (isinstance(node, ast.ImportFrom) and node.module in ("pydantic", "typing"))
        or (isinstance(node, ast.ClassDef) and node.name == "Settings")
    ]
    namespace: dict[str, Any] = {"__name__": f"codeii.models.{name}"}
    exec(compile(ast.Module(wanted, []), str(path), "exec"), namespace)
    settings: type[BaseModel] = namespace["Settings"]
    return settings


def docstring(folder: str, name: str) -> str:
    """The docstring of a figure's or table's file, which is its caption."""
    return ast.get_docstring(_tree_of(PACKAGE / folder / f"{name}.py")) or ""


def docstring_hash(folder: str, name: str) -> str:
    """Hash of that docstring."""
    return hashlib.sha256(docstring(folder, name).encode()).hexdigest()


def section_of(folder: str, name: str) -> str:
    """The `SECTION` of a figure's or table's file: where it stands on the page."""
    return str(_literal(PACKAGE / folder / f"{name}.py", "SECTION") or "Others")


@cache
def needs_of(folder: str, name: str) -> tuple[str, ...]:
    """The `NEEDS` of a figure's or table's file: which kinds of artefacts it reads."""
    path = PACKAGE / folder / f"{name}.py"
    found = _literal(path, "NEEDS")
    if found is None:
        raise ValueError(f"{path}: has no NEEDS")
    return tuple(found)


@cache
def published_needs(model: str) -> dict[str, Any] | None:
    """The `PUBLISHED` of a model's file: what its published weights ask of tensors and of the model's settings.

    None where the file has no `PUBLISHED` and `load_published`.
    """
    path = PACKAGE / "models" / f"{model}.py"
    if not any(isinstance(node, ast.FunctionDef) and node.name == "load_published" for node in _tree_of(path).body):
        return None
    found = _literal(path, "PUBLISHED")
    return None if found is None else dict(found)


def _literal(path: Path, name: str) -> Any:
    """The value of a constant of a file, which is written out there; None where it has none of that name."""
    for node in _tree_of(path).body:
        match node:
            case ast.Assign([ast.Name(found)], value) | ast.AnnAssign(ast.Name(found), _, ast.expr() as value):
                if found == name:
                    return ast.literal_eval(value)
    return None


@cache
def _tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
