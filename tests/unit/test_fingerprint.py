"""A fingerprint changes with what code does, and with nothing else."""

from pathlib import Path

import pytest

from codeii.workflow import fingerprint

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
    for cached in (fingerprint._tree_of, fingerprint._imports_of, fingerprint._meaning_of):
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
