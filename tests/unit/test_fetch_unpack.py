"""Fault F40: archives that climb, link, clash, lie or explode are refused, and the folder is as it was before."""

import io
import os
import stat
import struct
import tarfile
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeii.artifacts.space import DiskFull
from codeii.fetch import unpack as room
from codeii.fetch.unpack import unpack

Entry = tuple[str, bytes]


def zip_of(path: Path, *entries: Entry, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, compression  # as given: the constructor would mend it
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # of duplicate names
                archive.writestr(info, content)
    return path


def tar_of(path: Path, *entries: Entry | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "X.ZIP"])
def test_a_good_archive_is_unpacked_where_it_lies(tmp_path: Path, name: str) -> None:
    make: Callable[..., Path] = zip_of if name.lower().endswith("zip") else tar_of
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as nested:
        nested.writestr("../escape", b"!")
    archive = make(tmp_path / name, ("exams.hdf5", b"one"), ("sub/two.csv", b"two"), ("in.zip", inner.getvalue()))
    made = unpack(archive, (), ())
    assert set(made) == {"exams.hdf5", "sub/two.csv", "in.zip"}  # an archive inside stays a file
    found = snapshot(tmp_path)
    assert (found["exams.hdf5"], found["sub/two.csv"]) == (b"one", b"two")
    assert set(found) == {*made, name}
    assert stat.S_IMODE((tmp_path / "exams.hdf5").stat().st_mode) & 0o111 == 0


def test_modes_and_folders_of_the_archive_do_not_matter(tmp_path: Path) -> None:
    info = tarfile.TarInfo("run.sh")
    info.size, info.mode = 0, 0o6777
    folder = special("./", tarfile.DIRTYPE)
    unpack(tar_of(tmp_path / "x.tar", folder, special("d/", tarfile.DIRTYPE), info), (), ())
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) & 0o7111 == 0


CLIMBS = ["../out", "/tmp/codeii_out", "a/../../out", "C:\\out", "C:/out", "..\\out", "a\x00b", "a\nb", ""]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("zip", name) for name in CLIMBS),
        *(("tar", name) for name in CLIMBS if name and "\x00" not in name),  # tar cannot hold the others
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    make: Callable[..., Path] = zip_of if kind == "zip" else tar_of
    archive = make(folder / f"x.{kind}", ("first.dat", b"1"), (name, b"2"))
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=r"refused|damaged"):
        unpack(archive, (), ())
    assert snapshot(tmp_path) == before
    assert not Path("/tmp/codeii_out").exists()


@pytest.mark.parametrize(
    "entry",
    [
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("link", tarfile.LNKTYPE, "first.dat"),
        special("null", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
    ],
    ids=["symlink", "hardlink", "character device", "block device", "pipe"],
)
def test_tar_members_that_are_no_files_are_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    archive = tar_of(tmp_path / "x.tar.gz", ("first.dat", b"1"), entry)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=f"refused, '{entry.name}' is a (link|device)"):
        unpack(archive, (), ())
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO], ids=["link", "device", "pipe"])
def test_zip_members_that_are_no_files_are_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("odd")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match=r"refused, 'odd' is a (link|device)"):
        unpack(tmp_path / "x.zip", (), ())


def test_a_link_cannot_be_followed_by_a_file_below_it(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "x.tar", special("d", tarfile.SYMTYPE, "/tmp"), ("d/codeii_out", b"!"))
    with pytest.raises(ValueError, match="refused"):
        unpack(archive, (), ())
    assert not Path("/tmp/codeii_out").exists()


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("a", b"1"), ("a", b"2")], "occurs twice"),
        ([("a", b"1"), ("./a", b"2")], "occurs twice"),
        ([("Readme", b"1"), ("README", b"2")], "by case alone"),
        ([("a", b"1"), ("a/b", b"2")], "is a file and the folder"),
        ([("manifest.json", b"{}")], "one the study writes"),
        ([("exams.csv", b"1")], "occurs twice"),
        ([("EXAMS.csv", b"1")], "by case alone"),
    ],
    ids=["duplicate", "same path", "case", "file and folder", "ours", "another's", "another's by case"],
)
def test_names_that_clash_are_refused(tmp_path: Path, entries: list[Entry], words: str, kind: str) -> None:
    make: Callable[..., Path] = zip_of if kind == "zip" else tar_of
    archive = make(tmp_path / f"x.{kind}", *entries)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=words):
        unpack(archive, ("exams.csv",), ())
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, name: str) -> None:
    zeros = bytes(40_000_000)
    make: Callable[..., Path] = zip_of if name.endswith("zip") else tar_of
    archive = make(tmp_path / name, ("zeros", zeros), ("more", zeros))
    del zeros
    assert archive.stat().st_size < 200_000
    before = snapshot(tmp_path)
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"refused, 40\.0 MB or more come out of .* more than 100 times"):
        unpack(archive, (), ())
    assert time.monotonic() - started < 2
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert snapshot(tmp_path) == before


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_MEMBERS", 10)
    archive = zip_of(tmp_path / "x.zip", *((f"{number}", b"") for number in range(11)))
    with pytest.raises(ValueError, match="more than 10 files"):
        unpack(archive, (), ())


@pytest.mark.parametrize("announced", [4, 40_000])
def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path, announced: int) -> None:
    """In a bomb that says it is small the central directory lies: no more than it says is ever written."""
    archive = zip_of(tmp_path / "x.zip", ("a", bytes(range(256)) * 40))
    data = bytearray(archive.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, announced)
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        unpack(archive, (), ())
    assert set(snapshot(tmp_path)) == {"x.zip"}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, name: str) -> None:
    make: Callable[..., Path] = zip_of if name.endswith("zip") else tar_of
    whole = make(tmp_path / name, ("a.dat", os.urandom(50_000)), ("b.dat", os.urandom(50_000))).read_bytes()
    for harmed in (whole[: len(whole) // 2], b"", b"<html>not found</html>"):
        (tmp_path / name).write_bytes(harmed)
        with pytest.raises((ValueError, OSError)):
            unpack(tmp_path / name, (), ())
        assert set(snapshot(tmp_path)) == {name}


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "x.zip", ("a.dat", os.urandom(5000)), compression=zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[1000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        unpack(archive, (), ())


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "x.zip", ("a.dat", b"secret"))
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="encrypted"):
        unpack(archive, (), ())


def test_a_file_that_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "x.zip", ("a.dat", b"new"), ("b.dat", b"b"))
    (tmp_path / "a.dat").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"a\.dat is there already with other content"):
        unpack(archive, (), ())
    assert set(snapshot(tmp_path)) == {"x.zip", "a.dat"}
    assert (tmp_path / "a.dat").read_bytes() == b"old"
    unpack(archive, (), ("a.dat",))  # it came from here before, and rotted
    assert (tmp_path / "a.dat").read_bytes() == b"new"
    unpack(archive, (), ())  # the same content is no conflict


def test_a_folder_where_a_file_belongs_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "x.zip", ("a", b"1"), ("b/c", b"2"))
    (tmp_path / "b").write_bytes(b"a file")
    with pytest.raises(ValueError, match="is a file and would be the folder of 'b/c'"):
        unpack(archive, (), ())


def test_an_unknown_kind_of_archive_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.rar").write_bytes(b"Rar!")
    with pytest.raises(ValueError, match=r"neither \.zip nor \.tar"):
        unpack(tmp_path / "x.rar", (), ())


def test_what_does_not_fit_is_refused_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: os.terminal_size((1, 1)) and type("U", (), {"free": 10}))
    archive = zip_of(tmp_path / "x.zip", ("a.dat", b"more than ten bytes"))
    with pytest.raises(DiskFull, match=r"disk full: need 19 B, have 10 B, at"):
        unpack(archive, (), ())


PIECES = st.sampled_from(["..", ".", "a", "b", "A", "é", "", "\\", "c:", "\n", "ab"])
PATHS = st.lists(PIECES, min_size=1, max_size=4).map("/".join) | st.text(min_size=1, max_size=12)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATHS, min_size=1, max_size=5), st.sampled_from(["zip", "tar"]))
def test_whatever_the_names_nothing_is_written_outside(names: list[str], kind: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "inside"
        folder.mkdir()
        make: Callable[..., Path] = zip_of if kind == "zip" else tar_of
        try:
            archive = make(folder / f"x.{kind}", *((name, b"content") for name in names))
        except (ValueError, UnicodeError):
            return  # this format cannot hold the name
        try:
            made = unpack(archive, (), ())
        except ValueError:
            made = {}
        assert set(snapshot(Path(place))) == {f"inside/{name}" for name in (*made, archive.name)}
