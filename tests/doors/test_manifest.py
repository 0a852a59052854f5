"""Manifests: what they hold, and that no changed file passes."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from codeii.artifacts.atomic import whole_file, write_json, write_text
from codeii.artifacts.manifest import IntegrityError, load_manifest, read_manifest, write_manifest
from codeii.artifacts.raw_archive import read_raw_archive, write_raw_archive

SRC = Path(__file__).parents[2] / "src"


def make(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.bin").write_bytes(b"abc")
    values = {"settings": {"x": 1}, "code": "c0de", "inputs": [], "facts": {"n": 3}, "synthetic": True} | changes
    return write_manifest(folder, "records", files=["a.bin"], **values)


def test_a_manifest_comes_back_as_written(tmp_path: Path) -> None:
    given = tmp_path / "input.json"
    given.write_text("{}")
    manifest = read_manifest(make(tmp_path / "made", inputs=[given]), "records")
    assert manifest.settings == {"x": 1}
    assert manifest.code == "c0de"
    assert manifest.synthetic
    assert list(manifest.inputs) == [given.as_posix()]


def test_the_same_artefact_has_the_same_manifest(tmp_path: Path) -> None:
    first, second = make(tmp_path / "1"), make(tmp_path / "2")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_bytes(b"abd"), "content changed"),
        (lambda path: path.write_bytes(b"ab"), "2 bytes, the manifest says 3"),
        (lambda path: path.unlink(), "absent"),
    ],
)
def test_a_changed_file_is_named(tmp_path: Path, harm, words: str) -> None:
    manifest = make(tmp_path)
    harm(tmp_path / "a.bin")
    with pytest.raises(IntegrityError, match=f"a.bin.*{words}"):
        read_manifest(manifest, "records")


def test_a_torn_or_foreign_manifest_is_refused(tmp_path: Path) -> None:
    manifest = make(tmp_path)
    with pytest.raises(IntegrityError, match="kind 'records', expected 'scores'"):
        load_manifest(manifest, "scores")
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(IntegrityError, match="not a manifest"):
        load_manifest(manifest, "records")
    with pytest.raises(IntegrityError, match="there is no manifest"):
        load_manifest(tmp_path / "none.json", "records")


def test_nan_is_refused_in_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_kill_9_while_writing_leaves_whole_files_only(tmp_path: Path) -> None:
    code = f"""
    import sys; sys.path.insert(0, {str(SRC)!r})
    from pathlib import Path
    from codeii.artifacts.atomic import write_json
    for n in range(10**6):
        write_json(Path({str(tmp_path / "x.json")!r}), {{"n": n, "filler": list(range(20000))}})
    """
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
        deadline = time.monotonic() + 20
        while not (tmp_path / "x.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert len(json.loads((tmp_path / "x.json").read_text())["filler"]) == 20000


def test_a_raw_archive_lists_a_local_copy_without_copying_it(tmp_path: Path) -> None:
    root = tmp_path / "published"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.dat").write_bytes(b"1234")
    files = [root / "sub" / "a.dat"]
    manifest = write_raw_archive(tmp_path / "raw", root, files, source="s", origin="local", settings={}, code="c")
    found, facts = read_raw_archive(manifest)
    assert found.resolve() == root.resolve()
    assert facts.facts["files"] == 1
    assert not facts.synthetic
    subprocess.run(["sha256sum", "--quiet", "-c", tmp_path / "raw" / "SHA256SUMS"], cwd=root, check=True)
    (root / "sub" / "a.dat").write_bytes(b"1235")
    with pytest.raises(IntegrityError, match=r"a\.dat.*changed"):
        read_raw_archive(manifest)
