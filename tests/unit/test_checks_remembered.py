"""Checking again: what is remembered of a tree, when it is believed, and what it cannot see."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii import start
from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.checks import hashes as hashes_module
from codeii.checks import receipt as receipt_module
from codeii.checks.hashes import REMEMBERED, Hashes, remember_hashes, remembered_hashes
from codeii.checks.receipt import FOLDER, answer, drop_receipts, settled, signature, words_of, write_receipt

SRC = Path(__file__).parents[2] / "src"
WORDS = ["verify"]
native = pytest.mark.skipif(
    shutil.which(os.environ.get("CC") or "cc") is None or os.environ.get("CODEII_KERNEL") == "reference",
    reason="no C compiler here",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def old_file(path: Path, content: bytes = b"content") -> Path:
    """A file at rest for long enough to be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    deadline = time.monotonic() + 5
    while not settled(signature(str(path)), time.time_ns()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return path


def flip(path: Path, *, put_back: bool = True) -> None:
    """Change one bit; size and modification time come back, as a careless tool or a malicious one would leave them."""
    stat = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if put_back:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_remembered_file_is_not_read_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_file(here / "a.bin")
    first = Hashes({})
    digest = first.of(path)
    assert digest == sha256_of(path)
    remember_hashes(first)
    monkeypatch.setattr(hashes_module.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert remembered_hashes().of(path) == digest


@pytest.mark.parametrize("put_back", [True, False])
def test_a_flipped_byte_is_seen_even_if_its_time_is_put_back(here: Path, put_back: bool) -> None:
    path = old_file(here / "a.bin")
    first = Hashes({})
    before = first.of(path)
    remember_hashes(first)
    flip(path, put_back=put_back)
    assert remembered_hashes().of(path) == sha256_of(path) != before


def test_rot_that_leaves_no_mark_is_seen_by_a_full_check_only_and_stays_seen(here: Path) -> None:
    path = old_file(here / "a.bin")
    first = Hashes({})
    before = first.of(path)
    flip(path)
    # What a rotten block looks like: other bytes under the very signature they were remembered with.
    rotten = Hashes({str(path): (signature(str(path)), before)})
    assert rotten.of(path) == before
    remember_hashes(rotten)
    full = Hashes({})
    assert full.of(path) == sha256_of(path) != before
    time.sleep(0.15)
    full = Hashes({})
    full.of(path)
    remember_hashes(full)
    assert remembered_hashes().of(path) == sha256_of(path)


def test_a_file_written_a_moment_ago_is_not_remembered(here: Path) -> None:
    path = old_file(here / "a.bin")
    hashes = Hashes({})
    hashes.of(path)
    remember_hashes(hashes)
    path.write_bytes(b"another")
    young = remembered_hashes()
    young.of(path)
    remember_hashes(young)
    assert str(path) not in remembered_hashes().known


def test_times_in_whole_seconds_are_trusted_later() -> None:
    second = 1_000_000_000
    assert settled((0, 0, 0, 10 * second + 1), 10 * second + second // 2)
    assert not settled((0, 0, 0, 10 * second), 11 * second)
    assert settled((0, 0, 0, 10 * second), 13 * second)


def test_a_file_that_changes_while_it_is_read_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_file(here / "a.bin")
    digest = hashes_module.hashlib.file_digest

    def slow(file, name):
        path.write_bytes(b"longer than before")
        return digest(file, name)

    monkeypatch.setattr(hashes_module.hashlib, "file_digest", slow)
    with pytest.raises(IntegrityError, match=r"a\.bin: changed while it was read"):
        Hashes({}).of(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2, "files": {}}',
        '{"version": 1, "files": {"a": [1]}}',
        '{"version": 1}',
        "\0",
    ],
)
def test_torn_memory_is_dropped(here: Path, content: str) -> None:
    REMEMBERED.parent.mkdir(parents=True)
    REMEMBERED.write_text(content)
    assert remembered_hashes().known == {}
    hashes = Hashes({})
    hashes.of(old_file(here / "a.bin"))
    remember_hashes(hashes)
    assert list(remembered_hashes().known) == [str(here / "a.bin")]


def test_files_that_are_gone_are_forgotten(here: Path) -> None:
    for name in ("a.bin", "b.bin"):
        hashes = Hashes({})
        hashes.of(old_file(here / name))
        remember_hashes(hashes)
        (here / "a.bin").unlink(missing_ok=True)
    assert list(remembered_hashes().known) == [str(here / "b.bin")]


def test_two_processes_leave_a_whole_file(here: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from codeii.checks.hashes import *\n"
        "names = [f'{sys.argv[1]}{n}' for n in range(200)]\n"
        "for name in names: Path(name).touch()\n"
        "for n in range(25):\n"
        "    seen = {name: ((1, 2, 3, n), 'd' * 64) for name in names}\n"
        "    remember_hashes(Hashes({}, seen, dict.fromkeys(names, True)))\n"
        "    assert len(remembered_hashes().known) >= 200\n"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    both = [subprocess.Popen([sys.executable, "-c", code, name], cwd=here, env=env) for name in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert json.loads(REMEMBERED.read_text())["version"] == 1
    assert [path.name for path in REMEMBERED.parent.iterdir()] == [REMEMBERED.name]


def receipt_of(*paths: Path) -> None:
    write_receipt(WORDS, "all current", {str(path): signature(str(path)) for path in paths})


def test_a_receipt_answers_for_the_same_command_and_the_same_files(here: Path) -> None:
    assert answer(WORDS) is None
    path = old_file(here / "ä b\udcff.bin")  # any name a file system allows
    receipt_of(path)
    assert answer(WORDS) == "all current"
    assert answer([*WORDS, "--stage", "raw"]) is None
    drop_receipts()
    assert answer(WORDS) is None


def replace(path: Path) -> None:
    """Another file under the name, of the same size and modification time."""
    stat = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)


@pytest.fixture(params=[pytest.param("native", marks=native), "reference"])
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of looking at the files of a receipt."""
    monkeypatch.setenv("CODEII_KERNEL", request.param)


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("harm", [flip, replace, Path.unlink, Path.touch], ids=["flip", "replace", "unlink", "touch"])
@pytest.mark.parametrize("harmed", ["a", "x/c", "x/y/e"])
def test_a_receipt_is_silent_after_any_change(here: Path, harm, harmed: str) -> None:
    paths = [Path(name) for name in ("a", "x/b", "x/c", "z/b", "z/c", "x/y/d", "x/y/e")]  # alone, and beside others
    for path in reversed(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    old_file(paths[0])
    receipt_of(*paths)
    assert answer(WORDS) == "all current"
    harm(Path(harmed))
    assert answer(WORDS) is None


@pytest.mark.usefixtures("looks")
def test_each_number_of_a_signature_counts(here: Path) -> None:
    """Also one byte, nanosecond or inode away, in the first and in the last file."""
    for name in ("a", "b"):
        Path(name).touch()
    found = {name: signature(name) for name in ("a", "b")}
    for name, place, step in itertools.product(found, range(4), (1, -1)):
        off = tuple(number + step * (at == place) for at, number in enumerate(found[name]))
        write_receipt(WORDS, "all current", {**found, name: off})
        assert answer(WORDS) is None
    write_receipt(WORDS, "all current", found)
    assert answer(WORDS) == "all current"


@native
def test_the_library_looks_at_every_file_in_one_call(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt_of(old_file(here / "a.bin"))
    monkeypatch.setattr(receipt_module, "chain", None)  # what Python would look with
    assert answer(WORDS) == "all current"


@native
def test_a_receipt_loads_no_library_but_the_one_it_was_written_with(here: Path, monkeypatch) -> None:
    """Not one that was replaced, and none from before the machine was started: Python looks instead."""
    import ctypes

    path = old_file(here / "a.bin")
    receipt_of(path)
    (receipt,) = Path(FOLDER).iterdir()
    library = Path(os.fsdecode(receipt.read_bytes().split(b"\0")[2]))
    assert library.suffix == ".so"
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("loaded"))
    monkeypatch.setattr(receipt_module, "signature", lambda _: (0, 0, 0, 0))
    assert answer(WORDS) == "all current"


@settings(max_examples=40)
@given(cut=st.integers(0, 400), bit=st.integers(0, 3200))
def test_a_torn_receipt_is_silent(tmp_path_factory: pytest.TempPathFactory, cut: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("receipt")
    path = folder / "a.bin"
    path.write_bytes(b"x")
    before = Path.cwd()
    os.chdir(folder)
    try:
        receipt_of(path)
        (receipt,) = Path(FOLDER).iterdir()
        whole = receipt.read_bytes()
        receipt.write_bytes(whole[: min(cut, len(whole) - 1)])
        assert answer(WORDS) is None
        changed = bytearray(whole)
        changed[bit // 8 % len(whole)] ^= 1 << bit % 8
        receipt.write_bytes(changed)
        assert answer(WORDS) is None
        receipt.write_bytes(whole)
        assert answer(WORDS) == "all current"
    finally:
        os.chdir(before)


def test_numbers_beyond_63_bits_are_not_kept(here: Path) -> None:
    write_receipt(WORDS, "all current", {"a": (1, 2, 1 << 63, 4)})
    assert answer(WORDS) is None


def test_the_words_are_those_people_type() -> None:
    assert words_of(None, ["params.yaml"]) == ["verify"]
    assert words_of("raw", ["a.yaml", "b.yaml"]) == ["verify", "--stage", "raw", "--params", "a.yaml", "b.yaml"]


def test_the_command_begins_with_the_receipt(here: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    receipt_of(old_file(here / "a.bin"))
    monkeypatch.setattr(sys, "argv", ["codeii", "verify"])
    assert start.main() == 0
    assert capsys.readouterr().out == "all current\n"
    monkeypatch.setattr(sys, "argv", ["codeii", "verify", "--full"])
    assert start.main() == 3  # no receipt is asked, and there is no params.yaml here
    assert "params.yaml: there is no such file" in capsys.readouterr().err


def test_an_answer_imports_nothing_that_takes_long(here: Path) -> None:
    receipt_of(old_file(here / "a.bin"))
    code = (
        "import sys; sys.argv = ['codeii', 'verify']; from codeii.start import main; code = main();"
        "slow = {'argparse', 'array', 'hashlib', 'json', 'pathlib', 'pydantic', 'numpy', 'subprocess', 'yaml'};"
        "heavy = slow & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SRC)!r}); {code}"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all current\n"
