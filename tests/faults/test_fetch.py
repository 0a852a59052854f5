"""Faults F35 and F36: whatever a server does, the fetch ends with the right file or with none."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.http_server import (
    LOGIN,
    Fault,
    Publisher,
    chunked,
    cut,
    hung_up,
    long_length,
    other,
    page,
    redirect,
    rest_of,
    serving,
    short_length,
    silent,
    status,
    until_closed,
)

from codeii.artifacts.manifest import IntegrityError, load_manifest
from codeii.artifacts.raw_archive import read_raw_archive
from codeii.fetch import transfer, web
from codeii.fetch.build import How, fetch

ROOT = Path(__file__).parents[2]
LARGE = random.Random(1).randbytes(3_000_000)  # more than a file must have to be resumed
SMALL = b"record_id,age\n1,50\n"
LICENCE = {"name": "CC BY 4.0", "address": "https://creativecommons.org/licenses/by/4.0/", "terms": "Name the authors."}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, and back-off of milliseconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transfer, "BACK_OFF_S", 0.001)
    monkeypatch.delenv("CODEII_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with serving() as running:
        yield running


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def settings(publisher: Publisher, **primary: Any) -> dict[str, Any]:
    block = {
        "page": "https://example.org/set",
        "licence": LICENCE,
        "mirrors": [publisher.address],
        "listing": {"address": "SHA256SUMS.txt"},
        **primary,
    }
    return {"version": "1.0", "origin": "primary", "primary": {key: value for key, value in block.items() if value}}


def run(given: dict[str, Any], folder: Path = Path("data/raw/s/1.0"), **how: Any) -> Path:
    fetch("s", given, "c0de", folder, How(**{"accept_licence": True, **how}))
    return folder


def publish(publisher: Publisher, **files: bytes) -> None:
    content = files or {"large.dat": LARGE, "small.csv": SMALL}
    publisher.files |= {f"/{name}": value for name, value in content.items()}
    sums = "".join(f"{digest(value)}  {name}\n" for name, value in sorted(content.items()))
    publisher.files["/SHA256SUMS.txt"] = sums.encode()


def data_in(folder: Path) -> dict[str, bytes]:
    """Every file that is data, by name."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".fetched" not in path.parts)
    ours = ("manifest.json", "SHA256SUMS")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name not in ours}


def no_page_in(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or b"<html" not in path.read_bytes()[:4096].lower(), path


ENDS_WELL: dict[str, list[Fault]] = {
    "cut at 10 %": [cut(0.1)],
    "cut at 99 %": [cut(0.99)],
    "cut four times": [cut(0.3), cut(0.3), cut(0.3), cut(0.3)],
    "429 with Retry-After": [status(429, {"Retry-After": "0"})],
    "429 with a date": [status(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})],
    "429 with nonsense": [status(429, {"Retry-After": "soon"})],
    "503": [status(503), status(503)],
    "503 with a page": [page(code=503)],
    "503 with a long page": [page(LOGIN + bytes(300_000), code=503)],
    "a page with status 200": [page()],
    "a page that says it is data": [page(kind="application/octet-stream")],
    "a page after a cut": [cut(0.5), page()],
    "a page as the rest of the file": [cut(0.5), page(code=206)],
    "redirect to a login page": [redirect("/login")],
    "cut, then another ETag": [cut(0.5), other(LARGE, etag='"new"')],
    "cut, then 416": [cut(0.5), status(416)],
    "another file once": [other(LARGE[:-1] + b"x")],
    "less announced once": [short_length(0.5)],
    "more announced than sent": [long_length],
    "no length announced": [chunked],
    "neither length nor end": [until_closed(0.5), until_closed(1.0)],
    "no answer": [hung_up, hung_up],
}


@pytest.mark.parametrize("name", ENDS_WELL)
def test_a_passing_fault_ends_with_the_right_file(publisher: Publisher, name: str) -> None:
    publish(publisher)
    publisher.files["/login"] = LOGIN
    publisher.script["/large.dat"] = list(ENDS_WELL[name])
    folder = run(settings(publisher))
    assert data_in(folder) == {
        "large.dat": LARGE,
        "small.csv": SMALL,
        "SHA256SUMS.txt": publisher.files["/SHA256SUMS.txt"],
    }
    read_raw_archive(folder / "manifest.json")
    no_page_in(folder)


def test_a_file_of_unknown_length_and_hash_is_not_taken_on_trust(publisher: Publisher) -> None:
    publish(publisher)
    publisher.script["/large.dat"] = [until_closed(0.5)]
    with pytest.raises(OSError, match="says no length, and no hash is known"):
        run(settings(publisher, listing=None, files={"large.dat": {}}))
    assert data_in(Path("data/raw/s/1.0")) == {}


def test_a_silent_line_is_given_up_and_resumed(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "READ_S", 0.3)
    publish(publisher)
    publisher.script["/large.dat"] = [silent(1.0)]
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE


@pytest.mark.parametrize("share", [0.1, 0.99])
def test_a_cut_transfer_is_resumed_and_not_repeated(publisher: Publisher, share: float) -> None:
    publish(publisher)
    publisher.script["/large.dat"] = [cut(share)]
    run(settings(publisher))
    again = [headers for path, headers in publisher.asked if path == "/large.dat"][1]
    kept = int(again["range"].removeprefix("bytes=").removesuffix("-"))
    assert int(share * len(LARGE)) - transfer.BLOCK < kept <= int(share * len(LARGE))
    assert again["if-range"] == f'"{hashlib.md5(LARGE).hexdigest()}"'
    assert publisher.sent["/large.dat"] == len(LARGE) + int(share * len(LARGE)) - kept


def test_a_page_of_error_costs_no_part(publisher: Publisher) -> None:
    publish(publisher)
    publisher.script["/large.dat"] = [cut(0.9), page(), page(code=503), page(code=206), redirect("/login")]
    publisher.files["/login"] = LOGIN
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE
    assert publisher.sent["/large.dat"] < 1.2 * len(LARGE)


def test_a_server_without_ranges_gets_the_whole_file_again(publisher: Publisher) -> None:
    publish(publisher)
    publisher.ranges = False
    publisher.script["/large.dat"] = [cut(0.5)]
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE
    assert publisher.sent["/large.dat"] == len(LARGE) + len(LARGE) // 2


def test_without_an_etag_a_resume_is_tried_only_where_a_hash_will_judge_it(publisher: Publisher) -> None:
    publish(publisher)
    publisher.etags = False
    publisher.script["/large.dat"] = [cut(0.5)]
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE
    assert publisher.sent["/large.dat"] <= len(LARGE) + transfer.BLOCK
    unknown = settings(publisher, listing=None, files={"large.dat": {}})
    publisher.script["/large.dat"] = [cut(0.5)]
    publisher.sent.clear()
    assert data_in(run(unknown, Path("other")))["large.dat"] == LARGE
    assert publisher.sent["/large.dat"] == len(LARGE) + len(LARGE) // 2


def test_a_file_that_changes_between_two_tries_starts_again(publisher: Publisher) -> None:
    """Half of the old file and half of the new one are no file."""
    new = LARGE[::-1]
    publish(publisher, **{"large.dat": new})

    def half_of_the_old(handler: Any, content: bytes) -> None:
        handler.give(LARGE, cut_after=len(LARGE) // 2)

    publisher.script["/large.dat"] = [half_of_the_old]
    assert data_in(run(settings(publisher)))["large.dat"] == new


REST = {
    "another file of the same size": rest_of(LARGE[::-1]),
    "a longer file under the same ETag": rest_of(LARGE + LARGE, etag=f'"{hashlib.md5(LARGE).hexdigest()}"'),
    "another place of the same file": rest_of(LARGE, shift=-1, etag=f'"{hashlib.md5(LARGE).hexdigest()}"'),
    "a range without its numbers": lambda handler, content: handler.answer(206, content[-10:]),
}


@pytest.mark.parametrize("name", REST)
def test_a_rest_that_does_not_fit_is_thrown_away(publisher: Publisher, name: str) -> None:
    """No hash is known here that would notice it."""
    publish(publisher)
    publisher.script["/large.dat"] = [cut(0.5), REST[name]]
    folder = run(settings(publisher, listing=None, files={"large.dat": {}}))
    assert data_in(folder) == {"large.dat": LARGE}


ENDS_BADLY: dict[str, tuple[Fault, type[Exception], str]] = {
    "503": (status(503), OSError, "503"),
    "404": (status(404), OSError, "404"),
    "page": (page(), OSError, "a web page titled 'PhysioNet: please log in' came instead of data"),
    "login": (redirect("/login"), OSError, "please log in"),
    "another file": (other(LARGE[:-1] + b"x"), IntegrityError, "upstream changed: large.dat"),
    "less announced": (short_length(0.5), IntegrityError, "upstream changed: large.dat"),
    "cut": (cut(0.0), OSError, "cut 3000000 bytes before the end"),
    "elsewhere": (redirect("ftp://example.org/x"), OSError, "which is not https"),
    "in circles": (redirect("/large.dat"), OSError, "more than 5 redirects"),
}


@pytest.mark.parametrize("name", ENDS_BADLY)
def test_a_lasting_fault_ends_with_no_file_and_a_sentence(publisher: Publisher, name: str) -> None:
    fault, kind, words = ENDS_BADLY[name]
    publish(publisher)
    publisher.files["/login"] = LOGIN
    publisher.script["/large.dat"] = [fault] * 100
    with pytest.raises(kind) as caught:
        run(settings(publisher))
    assert words in str(caught.value)
    folder = Path("data/raw/s/1.0")
    assert not (folder / "large.dat").exists()
    assert not (folder / "manifest.json").exists()
    no_page_in(folder)
    publisher.script.clear()
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE


def test_a_server_is_asked_only_so_often_and_no_more(publisher: Publisher) -> None:
    publish(publisher)
    publisher.script["/large.dat"] = [status(503)] * 100
    with pytest.raises(OSError, match="503"):
        run(settings(publisher))
    assert publisher.times("/large.dat") == transfer.TRIES
    publisher.script["/large.dat"] = [status(404)] * 100
    publisher.asked.clear()
    with pytest.raises(OSError, match="404"):
        run(settings(publisher))
    assert publisher.times("/large.dat") == 1


def test_retry_after_is_kept_to(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: waits.append(timeout) and False)
    publish(publisher, **{"a.dat": SMALL})
    publisher.script["/a.dat"] = [status(429, {"Retry-After": "7"}), status(503, {"Retry-After": "86400"})]
    way = transfer.Way((publisher.address,), web.Web(), lambda count: None, transfer.threading.Event())
    transfer.bring(way, transfer.Wanted("a.dat"), Path())
    transfer_waits = [wait for wait in waits if wait is not None and wait > 1]
    assert transfer_waits == [7.0, transfer.LONGEST_WAIT_S]
    web.hang_up(way.web)


def test_a_dead_mirror_is_passed_over_and_soon_put_last(publisher: Publisher) -> None:
    names = [f"{number:03d}.dat" for number in range(40)]
    publish(publisher, **{name: name.encode() for name in names})
    with serving() as dead:
        dead.always = status(503)
        given = settings(publisher, mirrors=[f"{dead.address}/gone", publisher.address])
        folder = run(given, connections=2)
    assert len(data_in(folder)) == 41
    assert len(dead.asked) < 10


def test_a_mirror_that_nobody_answers_at_is_passed_over(publisher: Publisher) -> None:
    publish(publisher)
    given = settings(publisher, mirrors=["http://127.0.0.1:9", publisher.address])
    assert data_in(run(given))["large.dat"] == LARGE


def test_a_mirror_with_another_file_does_not_win_over_the_list(publisher: Publisher) -> None:
    publish(publisher)
    with serving() as liar:
        liar.files = dict(publisher.files)
        liar.files["/large.dat"] = LARGE[::-1]
        assert data_in(run(settings(publisher, mirrors=[liar.address, publisher.address])))["large.dat"] == LARGE


# F36: the same name, another file.


def test_a_new_file_under_a_pinned_name_stops_with_both_hashes(publisher: Publisher) -> None:
    publish(publisher, **{"exams.csv": b"new"})
    given = settings(publisher, listing=None, files={"exams.csv": {"sha256": digest(b"old")}})
    with pytest.raises(IntegrityError) as caught:
        run(given)
    for word in (
        "upstream changed",
        digest(b"old"),
        digest(b"new"),
        "to accept it, change sources.s.primary.files.exams.csv",
    ):
        assert word in str(caught.value)
    assert data_in(Path("data/raw/s/1.0")) == {}
    accepted = settings(publisher, listing=None, files={"exams.csv": {"sha256": digest(b"new")}})
    assert data_in(run(accepted)) == {"exams.csv": b"new"}


def test_a_file_of_unknown_hash_is_recorded_and_its_change_is_noticed(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(publisher, **{"exams.csv": b"old"})
    given = settings(publisher, listing=None, files={"exams.csv": {}})
    folder = run(given)
    said = capsys.readouterr().out
    assert f"exams.csv: {{sha256: {digest(b'old')}, bytes: 3}}" in said
    facts = load_manifest(folder / "manifest.json", "raw").facts
    assert facts["fetched"]["recorded_sha256"] == {"exams.csv": digest(b"old")}
    (folder / "exams.csv").unlink()
    publisher.files["/exams.csv"] = b"new"
    with pytest.raises(IntegrityError, match=r"upstream changed: exams\.csv.*an earlier fetch"):
        run(given)
    assert data_in(folder) == {}
    accepted = settings(publisher, listing=None, files={"exams.csv": {"sha256": digest(b"new")}})
    assert data_in(run(accepted)) == {"exams.csv": b"new"}
    assert "exams.csv" not in capsys.readouterr().out.replace(str(folder), "")


def test_a_new_list_under_a_pinned_one_stops_and_a_new_pin_accepts_it(publisher: Publisher) -> None:
    publish(publisher, **{"a.dat": b"old"})
    old = digest(publisher.files["/SHA256SUMS.txt"])
    publish(publisher, **{"a.dat": b"new"})
    new = digest(publisher.files["/SHA256SUMS.txt"])
    with pytest.raises(IntegrityError) as caught:
        run(settings(publisher, listing={"address": "SHA256SUMS.txt", "sha256": old}))
    for word in ("upstream changed: SHA256SUMS.txt", old, new, "primary.listing.sha256"):
        assert word in str(caught.value)
    folder = run(settings(publisher, listing={"address": "SHA256SUMS.txt", "sha256": new}))
    assert data_in(folder)["a.dat"] == b"new"


def test_a_recorded_list_holds_the_publisher_too(publisher: Publisher) -> None:
    publish(publisher, **{"a.dat": b"old"})
    folder = run(settings(publisher))
    shutil.rmtree(folder / ".fetched/listing")
    publish(publisher, **{"a.dat": b"new"})
    with pytest.raises(IntegrityError, match=r"upstream changed: SHA256SUMS\.txt.*an earlier fetch"):
        run(settings(publisher))
    assert data_in(folder)["a.dat"] == b"old"


def test_a_zenodo_record_that_says_another_md5_than_before_is_noticed(publisher: Publisher) -> None:
    def record(content: bytes) -> None:
        entry = {"key": "exams.csv", "size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}"}
        publisher.files |= {"/api/7": json.dumps({"files": [entry]}).encode(), "/exams.csv": content}

    record(b"old")
    given = settings(publisher, listing={"form": "zenodo", "address": f"{publisher.address}/api/7"})
    folder = run(given)
    assert data_in(folder) == {"exams.csv": b"old"}
    shutil.rmtree(folder / ".fetched/listing")
    record(b"new")
    with pytest.raises(IntegrityError, match=r"upstream changed: exams\.csv.*an earlier fetch found"):
        run(given)
    pin = {"exams.csv": {"md5": hashlib.md5(b"new").hexdigest()}}
    assert data_in(run(settings(publisher, listing=given["primary"]["listing"], files=pin))) == {"exams.csv": b"new"}


# A process that dies, a disk that is full, a line that is forbidden.

CHILD = """
import json, sys
from pathlib import Path
from codeii.fetch.build import How, fetch
fetch("s", json.loads(sys.argv[1]), "c0de", Path("data/raw/s/1.0"), How(accept_licence=True, connections=2))
"""


def child(given: dict[str, Any]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", CHILD, json.dumps(given)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_after_kill_9_a_fetch_goes_on_where_it_was(publisher: Publisher) -> None:
    large = random.Random(2).randbytes(12_000_000)
    small = {f"{number:02d}.dat": bytes([number]) * 1000 for number in range(20)}
    publish(publisher, **{"large.dat": large, **small})
    publisher.slow_s = 0.01
    first = child(settings(publisher))
    try:
        deadline = time.monotonic() + 30
        while publisher.sent["/large.dat"] < 4_000_000 and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    folder = Path("data/raw/s/1.0")
    assert not (folder / "manifest.json").exists()
    assert not (folder / "large.dat").exists()
    part = (folder / ".large.dat.part").stat().st_size
    assert part >= 3_000_000
    small_before = {name: publisher.times(f"/{name}") for name in small}
    publisher.slow_s, publisher.asked, publisher.answers = 0.0, [], []
    run(settings(publisher))
    assert data_in(folder)["large.dat"] == large
    assert [sent for answer in publisher.answers for path, sent in answer.items() if path == "/large.dat"] == [
        len(large) - part
    ]
    assert all(publisher.times(f"/{name}") + min(small_before[name], 1) == 1 for name in small)
    assert not list(folder.glob(".*.part*"))


def test_an_interrupted_fetch_says_so_and_ends_at_once(publisher: Publisher, here: Path) -> None:
    publish(publisher)
    publisher.slow_s = 1.0  # a machine that stops for a while must not see the end of it
    job = ["--source", "s", "--settings", json.dumps(settings(publisher)), "--code", "c", "--out", "data/raw/s/1.0"]
    command = [sys.executable, "-m", "codeii", "fetch", *job, "--accept-licence"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    running = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background has them ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not publisher.sent["/large.dat"] and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "codeii fetch: interrupted; run the same again to go on" in said
    assert "Traceback" not in said
    assert publisher.sent["/large.dat"] < len(LARGE)


def test_two_fetches_of_one_source_do_not_mix(publisher: Publisher) -> None:
    publish(publisher)
    publisher.slow_s = 0.05
    first = child(settings(publisher))
    try:
        deadline = time.monotonic() + 30
        while not publisher.sent["/large.dat"] and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(ValueError, match="another process is fetching into it"):
            run(settings(publisher))
    finally:
        first.kill()
        first.communicate()
    publisher.slow_s = 0.0
    assert data_in(run(settings(publisher)))["large.dat"] == LARGE


@pytest.mark.parametrize("announced", [True, False])
def test_a_full_disk_is_said_in_words_and_a_rerun_goes_on(
    publisher: Publisher, full_disk: Path, announced: bool
) -> None:
    publish(publisher, **{"large.dat": LARGE, "small.csv": SMALL})
    filler = full_disk / "filler"
    filler.write_bytes(bytes(6_500_000))
    publisher.script["/large.dat"] = [] if announced else [chunked]
    folder = full_disk / "s/1.0"
    with pytest.raises(OSError, match=r"disk full: need .*, have .*, at .*disk") as caught:
        run(settings(publisher), folder)
    assert ("3.0 MB" in str(caught.value)) == announced
    assert not (folder / "large.dat").exists()
    assert not (folder / "manifest.json").exists()
    filler.unlink()
    assert data_in(run(settings(publisher), folder))["large.dat"] == LARGE


def test_a_source_too_large_for_the_disk_is_refused_before_the_first_byte(publisher: Publisher) -> None:
    publish(publisher)
    with pytest.raises(OSError, match=r"disk full: need 9\.0 TB|disk full: need .* TB, have"):
        run(settings(publisher, total_bytes=9_000_000_000_000_000))
    assert publisher.times("/large.dat") == 0


@pytest.mark.parametrize("said", ["flag", "environment"])
def test_offline_no_connection_is_opened_and_what_is_missing_is_named(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    publish(publisher)
    how = {"offline": True} if said == "flag" else {}
    if said == "environment":
        monkeypatch.setenv("CODEII_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"offline: s: the list of its files \(SHA256SUMS.txt\) is missing"):
        run(settings(publisher), **how)
    assert publisher.connections == 0
    monkeypatch.delenv("CODEII_OFFLINE", raising=False)
    folder = run(settings(publisher))
    before = publisher.connections
    if said == "environment":
        monkeypatch.setenv("CODEII_OFFLINE", "1")
    run(settings(publisher), **how)  # everything is here
    (folder / "large.dat").unlink()
    with pytest.raises(ValueError, match=r"offline: s: 1 of 2 files are missing in .*: large\.dat"):
        run(settings(publisher), **how)
    assert publisher.connections == before


def test_files_that_are_there_are_not_fetched_again(publisher: Publisher) -> None:
    publish(publisher)
    folder = run(settings(publisher))
    before = (folder / "manifest.json").read_bytes()
    publisher.asked.clear()
    run(settings(publisher))
    assert publisher.asked == []
    assert (folder / "manifest.json").read_bytes() == before
    (folder / "large.dat").chmod(0o644)
    (folder / "large.dat").write_bytes(LARGE[:-1] + b"x")  # rot
    run(settings(publisher))
    assert [path for path, _ in publisher.asked] == ["/large.dat"]
    assert data_in(folder)["large.dat"] == LARGE


def test_fetched_files_are_read_only_and_connections_are_kept(publisher: Publisher) -> None:
    names = [f"{number:03d}.dat" for number in range(200)]
    publish(publisher, **{name: name.encode() * 100 for name in names})
    folder = run(settings(publisher), connections=4)
    assert {(folder / name).stat().st_mode & 0o777 for name in names} == {0o444}
    assert publisher.connections <= 5  # one for the list


def test_strange_files_in_the_folder_are_named_and_not_taken_for_data(publisher: Publisher) -> None:
    publish(publisher)
    folder = run(settings(publisher))
    (folder / "A0001.mat").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"holds A0001\.mat, which the publisher's list does not name"):
        run(settings(publisher))
    assert (folder / "A0001.mat").exists()


UNSAFE = ["../out.dat", "/etc/out.dat", "a/../../out.dat", "C:out.dat", "a\\b.dat", "manifest.json", ".fetched/x"]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_list_that_names_a_path_outside_is_refused(publisher: Publisher, name: str, here: Path) -> None:
    publisher.files["/SHA256SUMS.txt"] = f"{digest(SMALL)}  {name}\n".encode()
    with pytest.raises(ValueError, match="refused, the file name"):
        run(settings(publisher))
    assert not list(here.rglob("*out.dat"))
    assert [path for path, _ in publisher.asked] == ["/SHA256SUMS.txt"]


def test_several_lost_files_are_all_named_and_the_others_come(publisher: Publisher) -> None:
    publish(publisher, **{f"{letter}.dat": letter.encode() for letter in "abcdefgh"})
    for letter in "bd":
        publisher.script[f"/{letter}.dat"] = [status(404)]
    with pytest.raises(OSError) as caught:
        run(settings(publisher))
    assert "b.dat" in str(caught.value) and "d.dat" in str(caught.value)
    assert "2 of 8 files failed. What came is kept" in str(caught.value)
    publisher.asked.clear()
    run(settings(publisher))
    assert {path for path, _ in publisher.asked} == {"/b.dat", "/d.dat"}


def test_https_is_the_only_way_out() -> None:
    from pydantic import ValidationError

    from codeii.schema.published import Primary

    for address in ("http://example.org/x", "ftp://example.org", "http://127.0.0.1.evil.org/", "https://me@h/"):
        with pytest.raises(ValidationError):
            Primary.model_validate({"page": "https://h/", "licence": LICENCE, "mirrors": [address]})
