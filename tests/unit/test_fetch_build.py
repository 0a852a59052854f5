"""The four origins of a source: what is listed, fetched, refused, said and written down."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.http_server import Publisher, serving

from codeii.__main__ import main
from codeii.artifacts.manifest import IntegrityError, load_manifest
from codeii.artifacts.raw_archive import read_raw_archive
from codeii.fetch import licence, transfer
from codeii.fetch.build import How, fetch
from codeii.sources import ptbxl
from codeii.synthetic.build import synthesise

ROOT = Path(__file__).parents[2]
TERMS = {"name": "CC BY 4.0", "address": "https://creativecommons.org/licenses/by/4.0/", "terms": "Name the authors."}
FOLDER = Path("data/raw/s/1.0")
YES = How(accept_licence=True)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transfer, "BACK_OFF_S", 0.001)
    monkeypatch.delenv("CODEII_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PTB-XL-like folder as PhysioNet would publish it, of 12 exams."""
    folder = tmp_path_factory.mktemp("twin") / "1.0.3"
    settings = {"version": "1.0.3", "twin": {"records": 12, "seed": 1, "form": None}, "layout": {}}
    synthesise("ptbxl", settings, "c0de", folder)
    for name in ("manifest.json", "SHA256SUMS"):
        (folder / name).unlink()
    return folder


def primary(publisher: Publisher, **block: Any) -> dict[str, Any]:
    given = {"page": "https://h/", "licence": TERMS, "mirrors": [publisher.address], **block}
    return {"version": "1.0", "origin": "primary", "primary": given}


def sums_of(folder: Path) -> str:
    return (folder / "SHA256SUMS").read_text()


# primary


def test_a_published_folder_comes_as_a_local_copy_of_it_is_listed(publisher: Publisher, twin: Path, here: Path) -> None:
    publisher.publish(twin, "/ptb-xl/1.0.3/")
    published = here / "published"
    shutil.copytree(twin, published)
    (published / "SHA256SUMS.txt").write_bytes(publisher.files["/ptb-xl/1.0.3/SHA256SUMS.txt"])
    over = here / "over.yaml"
    block = primary(publisher, listing={"address": "SHA256SUMS.txt"})
    block["primary"]["mirrors"] = [f"{publisher.address}/ptb-xl/1.0.3/"]
    over.write_text(json.dumps({"sources": {"ptbxl": {**block, "version": "1.0.3"}}}))
    params = [str(ROOT / "params.yaml"), str(over)]
    assert main(["fetch", "ptbxl", "--params", *params, "--directory", "study", "--accept-licence"]) == 0
    fetched = here / "study/data/raw/ptbxl/1.0.3"

    fetch("ptbxl", {"version": "1.0.3", "origin": "local", "path": str(published)}, "c0de", here / "listed")
    assert sums_of(fetched) == sums_of(here / "listed")
    one, other = (load_manifest(folder / "manifest.json", "raw") for folder in (fetched, here / "listed"))
    for fact in ("files", "bytes"):
        assert one.facts[fact] == other.facts[fact]
    assert one.facts["root"] == "."
    assert (
        one.facts["fetched"]["listing_sha256"]
        == hashlib.sha256(publisher.files["/ptb-xl/1.0.3/SHA256SUMS.txt"]).hexdigest()
    )
    assert one.facts["licence"] == "CC BY 4.0"
    assert one.synthetic and other.synthetic  # a copy of a twin is a twin, wherever it came from
    root, _ = read_raw_archive(fetched / "manifest.json")
    assert len(list(ptbxl.read_records(root, {"rate_hz": 500}))) == 12
    assert main(["fetch", "ptbxl", "--params", *params, "--directory", str(here / "study"), "--offline"]) == 0


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def deposit(publisher: Publisher, **files: bytes) -> dict[str, Any]:
    """A Zenodo record as CODE-15% is one: a table, and archives of one HDF5 file each."""
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    entries = [{"key": name, "size": len(files[name]), "checksum": f"md5:{md5[name]}"} for name in files]
    publisher.files |= {f"/files/{name}": content for name, content in files.items()}
    publisher.files["/api/records/7"] = json.dumps({"id": 7, "files": entries}).encode()
    given = primary(
        publisher,
        listing={"form": "zenodo", "address": f"{publisher.address}/api/records/7"},
        unpack=["exams_part*.zip"],
    )
    given["primary"]["mirrors"] = [f"{publisher.address}/files/"]
    return given


PARTS = {f"exams_part{number}.zip": zipped(**{f"exams_part{number}.hdf5": bytes([number]) * 9}) for number in range(3)}


def test_archives_are_unpacked_removed_and_remembered(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    given = deposit(publisher, **{"exams.csv": b"exam_id\n1\n"}, **PARTS)
    fetch("s", given, "c0de", FOLDER, YES)
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"exams.csv", *(f"exams_part{n}.hdf5" for n in range(3)), "SHA256SUMS", "manifest.json", ".fetched"}
    assert "zip" not in sums_of(FOLDER)
    said = capsys.readouterr().out
    facts = load_manifest(FOLDER / "manifest.json", "raw").facts["fetched"]["unpacked_archives"]
    for name, content in PARTS.items():
        digest = hashlib.sha256(content).hexdigest()
        assert f"{name}: {{sha256: {digest}, bytes: {len(content)}}}" in said
        assert facts[name]["sha256"] == digest
    publisher.asked.clear()
    fetch("s", given, "c0de", FOLDER, How(offline=True))
    assert publisher.asked == []

    (FOLDER / "exams_part1.hdf5").unlink()  # rot: only its own archive comes again
    fetch("s", given, "c0de", FOLDER)
    assert [path for path, _ in publisher.asked] == ["/files/exams_part1.zip"]
    assert (FOLDER / "exams_part1.hdf5").read_bytes() == b"\x01" * 9


def test_an_archive_that_came_but_was_not_unpacked_is_not_fetched_again(publisher: Publisher) -> None:
    given = deposit(publisher, **PARTS)
    FOLDER.mkdir(parents=True)
    (FOLDER / "exams_part0.zip").write_bytes(PARTS["exams_part0.zip"])
    fetch("s", given, "c0de", FOLDER, YES)
    assert publisher.times("/files/exams_part0.zip") == 0
    assert (FOLDER / "exams_part0.hdf5").read_bytes() == b"\x00" * 9


def test_an_archive_that_is_noted_as_unpacked_but_not_yet_removed_is_removed(publisher: Publisher) -> None:
    given = deposit(publisher, **PARTS)
    fetch("s", given, "c0de", FOLDER, YES)
    (FOLDER / "exams_part0.zip").write_bytes(PARTS["exams_part0.zip"])  # as a kill between the two leaves it
    publisher.asked.clear()
    fetch("s", given, "c0de", FOLDER)
    assert not (FOLDER / "exams_part0.zip").exists()
    assert publisher.asked == []


def test_an_archive_that_climbs_is_refused_and_no_manifest_is_written(publisher: Publisher, here: Path) -> None:
    given = deposit(publisher, **{"exams_part0.zip": zipped(**{"../../../../out.hdf5": b"!"})})
    with pytest.raises(ValueError, match=r"exams_part0\.zip: refused, .* climbs out"):
        fetch("s", given, "c0de", FOLDER, YES)
    assert not list(here.rglob("out.hdf5"))
    assert not (FOLDER / "manifest.json").exists()


def test_two_archives_with_two_contents_of_one_name_are_refused(publisher: Publisher) -> None:
    given = deposit(publisher, **{"exams_part0.zip": zipped(a=b"1"), "exams_part1.zip": zipped(a=b"2")})
    with pytest.raises(ValueError, match=r"with (different|other) content"):
        fetch("s", given, "c0de", FOLDER, YES)


# licence


def test_a_licence_is_shown_and_accepted_once(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    given = deposit(publisher, **{"exams.csv": b"1"}, **PARTS)
    with pytest.raises(ValueError, match=r"not accepted yet; .* codeii fetch s --accept-licence --directory /"):
        fetch("s", given, "c0de", FOLDER)
    shown = capsys.readouterr().err
    for words in ("s 1.0, from https://h/", "Licence: CC BY 4.0, https://creativecommons", "Name the authors."):
        assert words in shown
    assert publisher.asked == []
    fetch("s", given, "c0de", FOLDER, YES)
    shutil.rmtree(FOLDER)
    fetch("s", given, "c0de", FOLDER)  # recorded
    assert "Licence" not in capsys.readouterr().err.split("Name the authors.")[-1]
    given["primary"]["licence"] = {**TERMS, "name": "CC BY-NC 4.0"}
    shutil.rmtree(FOLDER)
    with pytest.raises(ValueError, match=r"CC BY-NC 4\.0"):
        fetch("s", given, "c0de", FOLDER)  # another licence is another question


@pytest.mark.parametrize(("reply", "accepted"), [("y", True), ("YES", True), ("", False), ("no", False)])
def test_at_a_terminal_the_question_is_asked(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, reply: str, accepted: bool
) -> None:
    given = deposit(publisher, **PARTS)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(licence.sys, "stderr", type("Screen", (io.StringIO,), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda question: reply)
    if accepted:
        fetch("s", given, "c0de", FOLDER)
    else:
        with pytest.raises(ValueError, match="was not accepted; nothing was fetched"):
            fetch("s", given, "c0de", FOLDER)
    assert bool(publisher.asked) is accepted


# archive


@pytest.fixture
def kept(here: Path) -> Path:
    """A kept copy of a version folder, with the study's own SHA256SUMS in it."""
    folder = here / "kept"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"1")
    (folder / "sub/b.dat").write_bytes(bytes(2_000_000))
    fetch("s", {"version": "1.0", "origin": "local", "path": str(folder)}, "c0de", here / "list")
    shutil.copy(here / "list/SHA256SUMS", folder)
    return folder


@pytest.mark.parametrize("by", ["folder", "https"])
def test_a_kept_copy_brings_the_same_files(publisher: Publisher, kept: Path, by: str, here: Path) -> None:
    names = [path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()]
    publisher.files = {f"/kept/{name}": (kept / name).read_bytes() for name in names}
    address = str(kept) if by == "folder" else f"{publisher.address}/kept"
    pin = hashlib.sha256((kept / "SHA256SUMS").read_bytes()).hexdigest()
    given = {"version": "1.0", "origin": "archive", "archive": {"address": address, "sha256": pin}}
    fetch("s", given, "c0de", FOLDER)
    assert sums_of(FOLDER) == sums_of(kept)
    root, manifest = read_raw_archive(FOLDER / "manifest.json")
    assert (root / "sub/b.dat").read_bytes() == bytes(2_000_000)
    assert manifest.facts["root"] == "."
    assert not manifest.synthetic
    (FOLDER / "SHA256SUMS").unlink()  # as Snakemake does before it runs a job again
    (FOLDER / "manifest.json").unlink()
    fetch("s", given, "c0de", FOLDER, How(offline=True))
    assert sums_of(FOLDER) == sums_of(kept)


def test_a_kept_copy_that_rotted_is_refused(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"version": "1.0", "origin": "archive", "archive": {"address": str(kept)}}
    (kept / "a.csv").write_bytes(b"2")
    with pytest.raises(IntegrityError, match=r"upstream changed: a\.csv.*expected"):
        fetch("s", given, "c0de", FOLDER)
    assert not (FOLDER / "a.csv").exists()
    (kept / "a.csv").write_bytes(b"1")
    fetch("s", given, "c0de", FOLDER)
    pin = hashlib.sha256((kept / "SHA256SUMS").read_bytes()).hexdigest()
    assert f"    archive:\n      sha256: {pin}" in capsys.readouterr().out
    wrong = {**given, "archive": {"address": str(kept), "sha256": "0" * 64}}
    with pytest.raises(IntegrityError, match=f"upstream changed: SHA256SUMS.*{pin}.*{'0' * 64}"):
        fetch("s", wrong, "c0de", FOLDER)


@pytest.mark.parametrize("address", ["http://example.org/kept", "s3://bucket/kept", "absent"])
def test_an_archive_elsewhere_is_a_sentence(address: str) -> None:
    given = {"version": "1.0", "origin": "archive", "archive": {"address": address}}
    with pytest.raises(ValueError, match=r"sources\.s\.archive\.address: .* is neither an https address nor a folder"):
        fetch("s", given, "c0de", FOLDER)


# local, and origins that must not mix


def test_a_local_copy_is_listed_where_it_lies(kept: Path) -> None:
    given = {"version": "1.0", "origin": "local", "path": str(kept)}
    fetch("s", given, "c0de", FOLDER)
    assert {path.name for path in FOLDER.iterdir()} == {"SHA256SUMS", "manifest.json"}
    assert load_manifest(FOLDER / "manifest.json", "raw").facts["root"] == str(kept)
    with pytest.raises(ValueError, match=r"sources\.s\.path: absent is not a folder"):
        fetch("s", {**given, "path": "absent"}, "c0de", FOLDER)


def test_a_fetched_folder_can_serve_another_study_as_local_copy(kept: Path) -> None:
    fetch("s", {"version": "1.0", "origin": "archive", "archive": {"address": str(kept)}}, "c0de", FOLDER)
    fetch("s", {"version": "1.0", "origin": "local", "path": str(FOLDER)}, "c0de", Path("other"))
    assert sums_of(Path("other")) == sums_of(FOLDER)


def test_a_twin_and_a_fetched_source_never_write_over_each_other(kept: Path) -> None:
    settings = {"version": "1.0.3", "twin": {"records": 2, "seed": 1, "form": None}, "layout": {}}
    given = {"version": "1.0", "origin": "archive", "archive": {"address": str(kept)}}
    synthesise("ptbxl", settings, "c0de", Path("twin"))
    for origin in (given, {"version": "1.0", "origin": "local", "path": str(kept)}):
        with pytest.raises(ValueError, match="twin holds a synthetic twin; a real source is never written over it"):
            fetch("s", origin, "c0de", Path("twin"))
    read_raw_archive(Path("twin/manifest.json"))
    fetch("s", given, "c0de", FOLDER)
    with pytest.raises(ValueError, match="holds a fetched source; a twin is never written over it"):
        synthesise("ptbxl", settings, "c0de", FOLDER)
    read_raw_archive(FOLDER / "manifest.json")


def test_settings_that_say_nothing_of_it_are_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"sources\.s\.origin: found 'moon'"):
        fetch("s", {"version": "1.0", "origin": "moon"}, "c0de", FOLDER)
    with pytest.raises(ValueError, match="there is nothing to fetch"):
        fetch("s", {"version": "1.0", "origin": "synthetic"}, "c0de", FOLDER)


# command line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ptb"], 3, "SOURCE: 'ptb' is not one of"),
        (["ptbxl", "--params", str(ROOT / "params.yaml")], 3, "sources.ptbxl.origin is synthetic"),
        (["ptbxl", "--offline"], 3, "offline: ptbxl: the list of its files (SHA256SUMS.txt) is missing"),
        (["ptbxl"], 3, "not accepted yet"),
    ],
)
def test_a_person_gets_a_sentence_and_an_exit_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--params", str(ROOT / "params.yaml"), str(ROOT / "config/paper.yaml")]
    assert main(["fetch", *arguments, *([] if "--params" in arguments else given)]) == code
    assert words in capsys.readouterr().err


JOB = ["--source", "s", "--settings", "{}", "--code", "c", "--out", "x"]


@pytest.mark.parametrize("arguments", [[], ["--source", "s"], ["--settings", "{}"], ["s", *JOB]])
def test_neither_form_of_the_command_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fetch", *arguments])
    assert stopped.value.code == 2


def test_the_form_of_the_rule_gives_the_same_manifest(kept: Path) -> None:
    given = {"version": "1.0", "origin": "archive", "archive": {"address": str(kept)}}
    job = ["--source", "s", "--settings", json.dumps(given), "--code", "c0de"]
    assert main(["fetch", *job, "--out", "by_rule"]) == 0
    fetch("s", given, "c0de", FOLDER)
    assert Path("by_rule/manifest.json").read_bytes() == (FOLDER / "manifest.json").read_bytes()


def test_a_changed_file_ends_with_4(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kept / "a.csv").write_bytes(b"2")
    given = {"version": "1.0", "origin": "archive", "archive": {"address": str(kept)}}
    job = ["--source", "s", "--settings", json.dumps(given), "--code", "c0de", "--out", "by_rule"]
    assert main(["fetch", *job]) == 4
    assert "upstream changed: a.csv" in capsys.readouterr().err
