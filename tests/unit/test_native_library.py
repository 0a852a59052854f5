"""Compiling at first use: where the library is kept, when it is made anew, and what happens without a compiler."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeii.native import library
from codeii.native.library import VARIABLE, load_library

ROOT = Path(__file__).parents[2]
ANSWER = "int answer(void) { return 42; }\n"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of_the_user"))
    for name in (VARIABLE, "CC"):
        monkeypatch.delenv(name, raising=False)
    for cached in (library._load, library._without):
        cached.cache_clear()
    yield
    for cached in (library._load, library._without):
        cached.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "code" / "answer.c"
    path.parent.mkdir()
    path.write_text(ANSWER)
    if load_library(path) is None:
        pytest.skip("needs a C compiler")
    library._load.cache_clear()
    return path


def load(source: Path) -> ctypes.CDLL | None:
    """As a new process would."""
    library._load.cache_clear()
    return load_library(source)


def made(source: Path) -> list[Path]:
    return sorted((source.parent / "__pycache__").iterdir())


def in_processes(source: Path, count: int) -> list[bytes]:
    """What so many new processes at once get from the library."""
    code = f"from codeii.native.library import load_library as load, Path; path = Path({str(source)!r})"
    command = [sys.executable, "-c", f"{code}; print(load(path).answer())"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(count)]
    return [process.communicate(timeout=60)[0] for process in processes]


def test_the_library_is_kept_beside_pythons_own_files_and_made_once(source: Path) -> None:
    (path,) = made(source)
    before = path.stat().st_mtime_ns
    loaded = load(source)
    assert loaded is not None and loaded.answer() == 42
    assert [path] == made(source) and path.stat().st_mtime_ns == before


@pytest.mark.parametrize("what", ["source", "header", "flags", "compiler", "processor"])
def test_what_goes_into_it_tells_libraries_apart(source: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    if what == "source":
        source.write_text(ANSWER.replace("42", "43"))
    elif what == "header":
        (source.parent / "words.h").write_text("/* nothing yet */\n")
    elif what == "flags":
        monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, "-DMORE"))
    elif what == "processor":
        monkeypatch.setattr(library, "_processor", lambda: b"another one")
    else:
        script = source.parent / "cc"
        script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo another && exit\nexec cc "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("CC", str(script))
    loaded = load(source)
    assert loaded is not None and loaded.answer() == (43 if what == "source" else 42)
    assert len(made(source)) == 2


def test_where_the_folder_cannot_be_written_the_users_own_takes_it(tmp_path: Path) -> None:
    source = tmp_path / "read_only" / "answer.c"
    source.parent.mkdir()
    source.write_text(ANSWER)
    (source.parent / "__pycache__").write_text("a file where the folder would be")
    loaded = load(source)
    if loaded is None:
        pytest.skip("needs a C compiler")
    assert loaded.answer() == 42
    assert len(list((tmp_path / "of_the_user" / "codeii").iterdir())) == 1


def test_without_any_folder_the_reference_runs_and_it_is_told(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in made(source):
        path.unlink()
    (source.parent / "__pycache__").rmdir()
    (source.parent / "__pycache__").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(source))
    assert load(source) is None
    said = capsys.readouterr().err
    assert said.startswith("no folder for the compiled answer.c (") and "the same values, slower" in said


@pytest.mark.parametrize("compiler", ["/no/such/compiler", "false"])
def test_without_a_compiler_the_reference_runs_and_it_is_told_once(
    source: Path, compiler: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)
    other = source.with_name("other.c")
    other.write_text(ANSWER)
    assert [load(source), load(other), load(source)] == [None, None, None]
    expected = f"no C compiler: {compiler!r} does not run; going on in Python: the same values, slower\n"
    assert capsys.readouterr().err == expected


def test_what_the_compiler_says_is_told(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("int answer(void) { return fourtytwo; }\n")
    before = made(source)
    assert load(source) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "'cc' cannot compile answer.c" in said
    assert made(source) == before  # nothing half made is left


def test_a_damaged_library_is_passed_over(source: Path, tmp_path: Path) -> None:
    (path,) = made(source)
    path.unlink()  # the file that this process uses stays whole
    path.write_bytes(b"\x7fELF")
    assert in_processes(source, 1) == [b"42\n"]
    assert (tmp_path / "of_the_user" / "codeii" / path.name).exists()


def test_the_environment_can_ask_for_the_reference(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    assert load(source) is None
    monkeypatch.setenv(VARIABLE, "native")
    assert load(source) is not None
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ValueError, match=r"CODEII_KERNEL of the environment is 'fast'; accepted are native, reference"):
        load(source)


def test_processes_that_compile_at_once_do_not_disturb_one_another(source: Path) -> None:
    (path,) = made(source)
    path.unlink()
    assert in_processes(source, 4) == [b"42\n"] * 4
    assert made(source) == [path]
