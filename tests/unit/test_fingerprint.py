"""A fingerprint changes with what code does, and with nothing else."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeii.workflow import fingerprint, meaning

SRC = Path(__file__).parents[2] / "src"

RUN = '"""Doc."""\n\ndef run():\n    """Doc."""\n    from codeii.words import twice\n    return twice(2)\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "codeii"
    for name, text in {
        "__init__.py": "",
        "rooms/__init__.py": "",
        "rooms/run.py": RUN,
        "words.py": "def twice(x):\n    return 2 * x\n",
        "other.py": "def other():\n    return 1\n",
        "rooms/table.csv": "a,b\n",
        "rooms/fast.c": "int a;\n",
        "rooms/fast.h": "/* a */\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(fingerprint, "PACKAGE", root)
    clear()
    yield root
    clear()


def clear() -> None:
    """Forget what a new process does not know."""
    for room in (fingerprint, meaning):
        for cached in vars(room).values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()


def print_of() -> str:
    clear()
    return fingerprint.code_fingerprint("codeii.rooms.run")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_closure_follows_imports_inside_functions(package: Path) -> None:
    assert fingerprint.import_closure(("codeii.rooms.run",)) == {
        "codeii",
        "codeii.rooms",
        "codeii.rooms.run",
        "codeii.words",
    }


@pytest.mark.parametrize("edited", ['"""Doc."""', "    return twice(2)"])
def test_docstrings_comments_and_blank_lines_change_nothing(package: Path, edited: str) -> None:
    before = print_of()
    new = '"""Another doc."""' if edited.startswith('"') else "    # why\n\n    return twice(2)"
    edit(package / "rooms/run.py", edited, new)
    assert print_of() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rooms/run.py", "twice(2)", "twice(3)"),
        ("words.py", "2 * x", "x + x"),
        ("rooms/table.csv", "a", "c"),
        ("rooms/fast.c", "a", "c"),
        ("rooms/fast.h", "a", "c"),
        ("__init__.py", "", "x = 1\n"),
    ],
)
def test_code_of_the_closure_and_data_beside_it_change_the_fingerprint(
    package: Path, file: str, old: str, new: str
) -> None:
    before = print_of()
    edit(package / file, old, new)
    assert print_of() != before


def test_a_module_that_is_not_imported_changes_nothing(package: Path) -> None:
    before = print_of()
    edit(package / "other.py", "return 1", "return 2")
    assert print_of() == before


def test_a_relative_import_is_refused(package: Path) -> None:
    edit(package / "rooms/run.py", "from codeii.words import twice", "from .words import twice")
    with pytest.raises(ValueError, match=r"run\.py:5: relative import"):
        print_of()


def test_a_module_without_a_file_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match="has no file"):
        fingerprint.code_fingerprint("codeii.absent")


def entry_of(package: Path, module: str = "words") -> Path:
    return package / "__pycache__" / f"{module}{meaning.SUFFIX}"


def test_what_did_not_change_is_not_parsed_again(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = print_of()
    parsed, parse = [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda source: parsed.append(source) or parse(source))
    assert print_of() == before
    assert parsed == []
    edit(package / "words.py", "2 * x", "x + x")
    assert print_of() != before
    assert parsed == [b"def twice(x):\n    return x + x\n"]


def test_an_entry_of_another_content_python_or_algorithm_is_not_believed(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_of()
    assert meaning._read(entry_of(package), key_of(package / "words.py")) is not None
    monkeypatch.setattr(meaning.sys, "version", "another")
    clear()
    assert meaning._read(entry_of(package), key_of(package / "words.py")) is None


def key_of(path: Path) -> str:
    return meaning.hashlib.sha256(meaning._salt() + path.read_bytes()).hexdigest()


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "absent", "of another file", "folder", "not UTF-8"])
def test_an_entry_that_is_lost_or_torn_changes_nothing(package: Path, harm: str) -> None:
    before = print_of()
    entry = entry_of(package)
    whole = entry.read_bytes()
    place = whole.index(b"\n", 70) + 3  # within the hash that an entry tells
    harmed = {
        "flip": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "of another file": entry_of(package, "__init__").read_bytes(),
        "not UTF-8": b"\xff\n\xff",
    }
    entry.unlink()
    if harm == "folder":
        entry.mkdir()
    elif harm != "absent":
        entry.write_bytes(harmed[harm])
    assert print_of() == before
    if harm != "folder":
        assert entry.read_bytes() == whole
        assert sorted(path.name for path in entry.parent.iterdir()) == sorted(
            f"{name}{meaning.SUFFIX}" for name in ("__init__", "words")
        )


def test_where_nothing_can_be_kept_the_fingerprint_is_the_same(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = print_of()
    entry_of(package).unlink()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(meaning.tempfile, "mkstemp", refuse)
    assert print_of() == before
    assert not entry_of(package).exists()


def test_processes_that_start_at_once_agree(package: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from codeii.workflow import fingerprint\n"
        "fingerprint.PACKAGE = Path(sys.argv[1]); print(fingerprint.code_fingerprint('codeii.rooms.run'))"
    )
    command, env = [sys.executable, "-c", code, str(package)], {**os.environ, "PYTHONPATH": str(SRC)}
    many = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0].strip() for process in many} == {print_of()}
