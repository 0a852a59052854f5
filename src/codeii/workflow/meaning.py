"""What a file of ours says to Python: the modules it imports, and a hash of its code without docstrings.

Parsing the package takes half a second, at each start of Snakemake and of each of its jobs. What was found is
therefore kept beside Python's own compiled files, one entry for each source, as they are: an entry holds for one
content of the source under one Python and one text of this module, carries its own hash, and is written whole. One
that is lost, torn or of another content is made anew; where none can be written, each start parses again.
"""

import ast
import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SUFFIX = f".{sys.implementation.cache_tag}.meaning"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Names a module imports, at the top or inside functions, and the hex sha256 of its syntax without docstrings."""

    imports: tuple[str, ...]
    sha256: str


@cache
def meaning_of(path: Path) -> Meaning:
    """What the Python file says, remembered or parsed. Raises ValueError on a relative import."""
    source = path.read_bytes()
    key = hashlib.sha256(_salt() + source).hexdigest()
    entry = path.parent / "__pycache__" / f"{path.stem}{SUFFIX}"
    meaning = _read(entry, key)
    if meaning is None:
        meaning = _parsed(source, path)
        with suppress(OSError):
            _write(entry, key, meaning)
    return meaning


def _parsed(source: bytes, path: Path) -> Meaning:
    tree = ast.parse(source)
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise ValueError(f"{path}:{node.lineno}: relative import; write codeii.… so that its edits are noticed")
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return Meaning(tuple(dict.fromkeys(names)), hashlib.sha256(ast.dump(tree).encode()).hexdigest())


@cache
def _salt() -> bytes:
    return hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).digest()


def _read(entry: Path, key: str) -> Meaning | None:
    try:
        check, body = entry.read_bytes().split(b"\n", 1)
        if hashlib.sha256(body).hexdigest().encode() != check:
            return None
        found, sha256, *imports = body.decode().split("\n")
    except (OSError, ValueError):
        return None
    return Meaning(tuple(imports), sha256) if found == key else None


def _write(entry: Path, key: str, meaning: Meaning) -> None:
    body = "\n".join([key, meaning.sha256, *meaning.imports]).encode()
    entry.parent.mkdir(exist_ok=True)
    descriptor, made = tempfile.mkstemp(prefix=f".{entry.name}.", dir=entry.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor; no fsync: what is torn is made anew
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.chmod(made, 0o644)  # noqa: PTH101 - as Python's own: others may read
        Path(made).replace(entry)
    finally:
        Path(made).unlink(missing_ok=True)
