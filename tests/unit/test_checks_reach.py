"""Everything an artefact is made of is reached, and the file that is not as listed is named."""

from pathlib import Path

import pytest

from codeii.artifacts.manifest import IntegrityError, load_manifest, sha256_of, write_manifest
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.checks.reach import check_listed, listed_below


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def make(folder: Path, files: list[str], kind: str = "shard") -> Path:
    common = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    return write_manifest(folder, kind, files=files, **common)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A store of two shards, one of them in parts of its own."""
    for name in ("shard0", "shard1/part0"):
        write(tmp_path / name / "signals.npy", name.encode())
        make(tmp_path / name, ["signals.npy"])
    make(tmp_path / "shard1", ["part0/manifest.json"])
    return make(tmp_path, ["shard0/manifest.json", "shard1/manifest.json"], "tensors")


def check(manifest: Path) -> list[Path]:
    looked = []
    for listed in listed_below(manifest, load_manifest(manifest, None)):
        check_listed(listed, sha256_of)
        looked.append(listed.path.relative_to(manifest.parent))
    return looked


def test_manifests_listed_in_manifests_are_followed(sharded: Path) -> None:
    files = {path.relative_to(sharded.parent) for path in sharded.parent.rglob("*") if path.is_file()}
    assert set(check(sharded)) == files - {Path("manifest.json")}


@pytest.mark.parametrize(
    ("harmed", "harm", "words"),
    [
        (
            "shard1/part0/signals.npy",
            flip,
            "content changed.*sha256 [0-9a-f]{16}, .*part0/manifest.json says [0-9a-f]{16}",
        ),
        ("shard1/part0/signals.npy", lambda path: path.write_bytes(b"x"), "1 bytes, .*part0/manifest.json says 12"),
        ("shard0/signals.npy", Path.unlink, "listed in .*shard0/manifest.json but absent"),
        ("shard1/part0/manifest.json", Path.unlink, "listed in .*shard1/manifest.json but absent"),
        ("shard1/manifest.json", flip, "content changed"),
    ],
)
def test_a_harmed_shard_is_named_with_found_and_expected(sharded: Path, harmed: str, harm, words: str) -> None:
    harm(sharded.parent / harmed)
    with pytest.raises(IntegrityError, match=f"{harmed}: {words}"):
        check(sharded)


def test_raw_files_are_reached_through_their_list(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    path = write(root / "sub/a.dat", b"1234")
    manifest = write_raw_archive(tmp_path / "raw", root, [path], source="s", origin="local", settings={}, code="c")
    common = [listed.path.name for listed in listed_below(manifest, load_manifest(manifest, "raw"))]
    assert common == ["SHA256SUMS", "a.dat"]
    flip(path)
    with pytest.raises(IntegrityError, match=r"a\.dat: content changed"):
        check(manifest)
