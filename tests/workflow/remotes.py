"""Servers for the tests of DVC's remotes, on the loopback device, as ordinary processes that end with the test."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
# Where OpenSSH's server is not installed: the one of the library that DVC itself speaks SSH with.
STAND_IN = """\
import asyncio, sys, asyncssh
async def main(port, folder):
    keys = {"server_host_keys": [f"{folder}/host"], "authorized_client_keys": f"{folder}/user.pub"}
    await asyncssh.listen("127.0.0.1", int(port), sftp_factory=True, **keys)
    await asyncio.Future()
asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class Remote:
    """Where DVC pushes to, the options that reach it, and where its objects lie."""

    url: str
    folder: Path
    options: dict[str, str] = field(default_factory=dict)

    def objects(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


@contextmanager
def ssh_remote(folder: Path) -> Iterator[Remote]:
    """An SSH server with keys of its own. Skips where DVC has no ssh."""
    pytest.importorskip("dvc_ssh", reason="needs dvc-ssh, which is not installed")
    import asyncssh

    store = folder / "store"
    store.mkdir(parents=True)
    for name in ("host", "user"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)
    port = free_port()
    (folder / "sshd_config").write_text(SSHD_CONFIG.format(port=port, folder=folder))
    with privilege_separation():
        command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
        if not Path(SSHD).is_file():
            command = [sys.executable, "-c", STAND_IN, str(port), str(folder)]
        with serving(command, port, folder):
            url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{store}"
            yield Remote(url, store, {"keyfile": str(folder / "user")})


@contextmanager
def webdav_remote(folder: Path) -> Iterator[Remote]:
    """rclone's WebDAV server. Skips where it or DVC's webdav is not installed."""
    pytest.importorskip("dvc_webdav", reason="needs dvc-webdav, which is not installed")
    rclone = shutil.which("rclone")
    if rclone is None:
        pytest.skip("needs rclone, which is not installed")
    store = folder / "store"
    store.mkdir(parents=True)
    port = free_port()
    command = [rclone, "serve", "webdav", str(store), "--addr", f"127.0.0.1:{port}", "--user", "u", "--pass", "p"]
    with serving(command, port, folder):
        yield Remote(f"webdav://127.0.0.1:{port}/", store, {"user": "u", "password": "p"})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def privilege_separation() -> Iterator[None]:
    """The empty folder that OpenSSH wants where it is started by root."""
    folder = Path("/run/sshd")
    if os.geteuid() != 0 or folder.exists() or not Path(SSHD).is_file():
        yield
        return
    folder.mkdir(mode=0o755)
    try:
        yield
    finally:
        folder.rmdir()


@contextmanager
def serving(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run a server until the block ends; skip with its own words where it does not come up."""
    env = {**os.environ, "HOME": str(folder)}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        deadline = time.monotonic() + 15
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"{command[0]} does not serve here: {(folder / 'server.log').read_text()[-300:]}")
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
