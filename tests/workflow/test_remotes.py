"""Pushed from one checkout, pulled in another, restored, nothing to be done: over a path, SSH and WebDAV."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params
from tests.workflow.conftest import BIN, ROOT, Checkout
from tests.workflow.remotes import Remote, ssh_remote, webdav_remote
from tests.workflow.test_restore import WEIGHTS, flip

pytestmark = pytest.mark.study

# What a reader of the results wants: no raw data, nothing made of it but networks and what they say.
JUDGED = ("scores", "comparisons", "analyses", "explanations", "verdicts")
RESULTS = [
    f"results/{name}" for name in ("audit", "runs", "predictions", "submissions", *JUDGED, "published", "tracking")
]
SCORES = "results/scores/ptbxl_superdiagnostic/resnet1d/scores.csv"


@pytest.fixture(scope="module")
def origin(with_git: Checkout) -> Checkout:
    """The checkout that pushes: its study recorded by DVC, and the record committed."""
    with_git.run("dvc", "repro")
    with_git.run("git", "add", "-A")
    with_git.run("git", "commit", "-qm", "the study's lock", expect=None)  # it may be committed already
    return with_git


def clone(origin: Checkout, folder: Path, remote: Remote) -> Checkout:
    """What somebody else has: the project's files, and the remote's address."""
    origin.run("git", "clone", "-q", str(origin.folder), str(folder))
    checkout = Checkout(folder)
    add(checkout, remote)
    return checkout


def add(checkout: Checkout, remote: Remote) -> None:
    """What `dvc remote add --local -d` and `dvc remote modify --local` write."""
    lines = ["[core]", "remote = store", "['remote \"store\"']", f"url = {remote.url}"]
    lines += [f"{option} = {value}" for option, value in remote.options.items()]
    (checkout.folder / ".dvc/config.local").write_text("\n".join(lines) + "\n")


def object_of(store: Path, path: Path) -> Path:
    """Where a DVC store keeps the bytes of a file: under their MD5."""
    name = hashlib.md5(path.read_bytes()).hexdigest()
    return store / "files/md5" / name[:2] / name[2:]


def pull_again(checkout: Checkout, folder: str, expect: int | None = 0) -> None:
    """Pull a folder as if for the first time."""
    for name in (folder, ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(checkout.folder / name, ignore_errors=True)
    checkout.run("dvc", "pull", folder, expect=expect)


@pytest.fixture(scope="module")
def on_a_path(origin: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Remote, Checkout]]:
    """A store in a folder, to which everything was pushed, one source first; and a clone that pulled that source."""
    folder = tmp_path_factory.mktemp("path")
    remote = Remote(str(folder / "store"), folder / "store")
    add(origin, remote)
    origin.run("dvc", "push", "data/raw/ptbxl")
    other = clone(origin, folder / "other", remote)
    other.run("dvc", "pull", "data/raw/ptbxl")
    yield remote, other


def test_each_raw_source_of_the_study_is_an_out_of_its_own() -> None:
    jobs = all_jobs(load_params([ROOT / "params.yaml"]))
    folders = {job.folder.rsplit("/", 1)[0] for job in jobs if job.kind == "raw"}
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["raw"]
    assert {path for out in stage["outs"] for path in out} == folders
    assert set(stage["cmd"][0].split()[2:]) == folders, "a source that a cut does not need is an empty folder"


def test_a_fetched_version_below_runs_is_added_committed_and_pulled(tmp_path: Path) -> None:
    """The study at full size runs with --directory runs/paper: `dvc add` puts its raw data under DVC."""
    remote = Remote(str(tmp_path / "store"), tmp_path / "store")
    mine = Checkout(tmp_path / "mine")
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore", ".dvcignore"):
        (mine.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, mine.folder / name)
    version = "runs/paper/data/raw/ptbxl/1.0.3"
    for name in (f"{version}/manifest.json", "runs/paper/scratch/x", "runs/paper/results/records/ptbxl/signals.npy"):
        (mine.folder / name).parent.mkdir(parents=True)
        (mine.folder / name).write_text("{}")
    (mine.folder / "runs/paper/.snakemake").mkdir()
    git(mine, "init", "-q")
    add(mine, remote)
    mine.run("dvc", "add", "-q", version)
    git(mine, "add", "-A")
    tracked = set(git(mine, "ls-files", "runs", ".dvc/config.local").split())
    assert tracked == {f"{version}.dvc", "runs/paper/data/raw/ptbxl/.gitignore"}
    git(mine, "commit", "-qm", "raw data")
    mine.run("dvc", "push", "-q", f"{version}.dvc")
    other = clone(mine, tmp_path / "other", remote)
    other.run("dvc", "pull", "-q", f"{version}.dvc")
    assert (other.folder / version / "manifest.json").read_text() == "{}"
    assert "up to date" in other.run("dvc", "status")


def git(checkout: Checkout, *arguments: str) -> str:
    return checkout.run("git", "-c", "user.email=test@example.org", "-c", "user.name=test", *arguments)


def test_one_source_is_pushed_and_pulled_alone(on_a_path: tuple[Remote, Checkout]) -> None:
    remote, other = on_a_path
    listed = (other.folder / "data/raw/ptbxl/1.0.3-twin/SHA256SUMS").read_text().splitlines()
    assert len(listed) < len(remote.objects()) < len(listed) + 10
    assert [path.name for path in (other.folder / "data/raw").iterdir()] == ["ptbxl"]
    assert not (other.folder / "results").exists()


def test_everything_pulled_from_a_path_is_current_after_restore(
    origin: Checkout, on_a_path: tuple[Remote, Checkout]
) -> None:
    _, other = on_a_path
    origin.run("dvc", "push")
    other.run("dvc", "pull")
    output = other.run("codeii", "restore", env={"PYTHONDONTWRITEBYTECODE": ""})
    assert "nothing to be done" in output
    assert list((other.folder / "src").rglob("*.pyc"))
    assert "up to date" in other.run("dvc", "status"), "bytecode beside the sources is no change of them"
    assert not list((other.folder / "results/tracking").glob("*.db")), "the tracker's store is no version"


def test_a_flipped_byte_in_the_remote_or_the_cache_is_named(
    origin: Checkout, on_a_path: tuple[Remote, Checkout]
) -> None:
    remote, other = on_a_path
    origin.run("dvc", "push")
    other.run("dvc", "pull")
    in_remote, in_cache = SCORES, SCORES.replace("ptbxl_superdiagnostic", "cpsc2018_few_shot")
    flip(object_of(remote.folder, other.folder / in_remote))
    pull_again(other, "results/scores")
    cached = object_of(other.folder / ".dvc/cache", other.folder / in_cache)
    cached.chmod(0o644)
    flip(cached)
    cached.chmod(0o444)  # which DVC takes for untouched
    (other.folder / in_cache).unlink()
    other.run("dvc", "checkout", "results/scores")
    assert "results/scores" not in other.run("dvc", "status", "scores"), "DVC would see it by itself now"
    output = other.run("codeii", "restore", expect=4)
    for name in (in_remote, in_cache):
        assert f"{name}: content changed since it was made (sha256 " in output


def killed_push(checkout: Checkout, remote: Remote, *targets: str) -> int:
    """Push until some objects have arrived, then kill -9. Returns how many there are."""
    path = f"{BIN}:{os.environ['PATH']}"
    command = ["dvc", "push", "-q", *targets]
    push = subprocess.Popen(command, cwd=checkout.folder, env={**os.environ, "PATH": path}, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(remote.objects()) < 20 and push.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(push.pid, signal.SIGKILL)
    assert push.wait() == -signal.SIGKILL, "the push was over before it could be interrupted"
    return len(remote.objects())


def test_an_interrupted_push_over_ssh_is_completed_by_the_same_command(origin: Checkout, tmp_path: Path) -> None:
    """What is made before the results is not pulled: they are current all the same."""
    with ssh_remote(tmp_path / "ssh") as remote:
        add(origin, remote)
        before = killed_push(origin, remote, *RESULTS)
        origin.run("dvc", "push", *RESULTS)
        assert len(remote.objects()) > before
        for path in remote.objects():
            md5 = hashlib.md5(path.read_bytes()).hexdigest()
            assert path.parent.name + path.name.removesuffix(".dir") == md5, "an object is not what its name says"
        other = clone(origin, tmp_path / "other", remote)
        other.run("dvc", "pull", *RESULTS)
    output = other.run("codeii", "restore")
    assert "not here: data/raw/code_ii_open/2026-twin" in output
    assert "nothing to be done" in output


def test_webdav_carries_results_and_a_torn_object_is_noticed(origin: Checkout, tmp_path: Path) -> None:
    """An upload over WebDAV that was cut leaves half an object under the whole one's name, and DVC goes by names."""
    with webdav_remote(tmp_path / "webdav") as remote:
        add(origin, remote)
        origin.run("dvc", "push", *RESULTS)
        other = clone(origin, tmp_path / "other", remote)
        other.run("dvc", "pull", *RESULTS)
        assert "nothing to be done" in other.run("codeii", "restore")

        torn = object_of(remote.folder, other.folder / WEIGHTS)
        whole = torn.read_bytes()
        cut_upload(remote, torn, whole)
        assert "Everything is up to date" in origin.run("dvc", "push", "results/runs")
        pull_again(other, "results/runs")
        assert f"{WEIGHTS}: 1000 bytes, " in other.run("codeii", "restore", expect=4)
        add(other, replace(remote, options={**remote.options, "verify": "true"}))
        pull_again(other, "results/runs", expect=1)  # what docs/versions.md advises: DVC looks, too

        # DVC believes that a folder is there as a whole if its list is, so both go before it is pushed again.
        outs = yaml.safe_load((origin.folder / "dvc.lock").read_text())["stages"]["runs"]["outs"]
        listed = next(out["md5"] for out in outs if out["path"] == "results/runs")
        for path in (torn, remote.folder / "files/md5" / listed[:2] / listed[2:]):
            request(remote, "DELETE", path)
            assert not path.exists()
        origin.run("dvc", "push", "results/runs")
        assert torn.read_bytes() == whole


def request(remote: Remote, method: str, path: Path, content: bytes = b"", length: int = 0) -> None:
    """Speak to the WebDAV server as a client does; `length` may promise more than is sent."""
    url = urlsplit(remote.url)
    login = b64encode(f"{remote.options['user']}:{remote.options['password']}".encode()).decode()
    name = path.relative_to(remote.folder).as_posix()
    head = f"{method} /{name} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Basic {login}\r\n"
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {length}\r\nConnection: close\r\n\r\n".encode() + content)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def cut_upload(remote: Remote, path: Path, content: bytes) -> None:
    """Upload as a killed push does: the first 1000 bytes, and no more."""
    request(remote, "DELETE", path)
    request(remote, "PUT", path, content[:1000], len(content))
    assert path.stat().st_size == 1000
