"""A publisher on 127.0.0.1 that keeps to a script of faults: what a fetch meets on bad days."""

import hashlib
import re
import socket
import ssl
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

Fault = Callable[["Handler", bytes], None]
LOGIN = b"<!DOCTYPE html>\n<html><head><title>PhysioNet: please  log in</title></head><body>...</body></html>"


@dataclass
class Publisher:
    """Files by path (`/a/b.dat`), a script of faults for each, and a book of what was asked and sent."""

    files: dict[str, bytes] = field(default_factory=dict)
    script: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    always: Fault | None = None  # for every request
    ranges: bool = True
    etags: bool = True
    slow_s: float = 0.0  # before each block of the body
    sent: Counter[str] = field(default_factory=Counter)  # path -> bytes of bodies
    answers: list[dict[str, int]] = field(default_factory=list)  # the same for each answer
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    address: str = ""

    def publish(self, folder: Path, below: str = "/") -> None:
        """Serve the files of a folder, with PhysioNet's kind of SHA256SUMS.txt beside them."""
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        sums = "".join(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in sorted(files.items()))
        self.files |= {f"{below}{name}": content for name, content in files.items()}
        self.files[f"{below}SHA256SUMS.txt"] = sums.encode()

    def times(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    publisher: Publisher

    def setup(self) -> None:
        super().setup()
        self.publisher.connections += 1

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        self.publisher.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        content = self.publisher.files.get(path)
        faults = self.publisher.script.get(path, [])
        if faults:
            faults.pop(0)(self, content or b"")
        elif self.publisher.always is not None:
            self.publisher.always(self, content or b"")
        elif content is None:
            self.answer(404, b"nothing here")
        else:
            self.give(content)

    def give(self, content: bytes, *, cut_after: int | None = None, etag: str | None = None) -> None:
        """The file, or the range asked for, as a good server does; `cut_after` bytes the line goes dead."""
        tag = etag or f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        match = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", tag) == tag
        headers: dict[str, str] = {"ETag": tag} if self.publisher.etags else {}
        if match and self.publisher.ranges and same:
            start = int(match[1])
            if start >= len(content):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        self.answer(206 if start else 200, body, headers, cut_after=cut_after)

    def answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        cut_after: int | None = None,
        length: int | None = None,
        kind: str = "application/octet-stream",
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        path = unquote(self.path.split("?")[0])
        given = body if cut_after is None else body[:cut_after]
        mine = {path: 0}
        self.publisher.answers.append(mine)
        for start in range(0, len(given), 65_536):
            time.sleep(self.publisher.slow_s)
            self.wfile.write(given[start : start + 65_536])
            mine[path] += len(given[start : start + 65_536])
            self.publisher.sent[path] += len(given[start : start + 65_536])
        if cut_after is not None or length is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True


class Proxy(BaseHTTPRequestHandler):
    """Opens tunnels, as the proxy of a hospital does."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, there)
            back.join()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while block := one.recv(65_536):
            other.sendall(block)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def tunnelling() -> Iterator[str]:
    """A proxy on 127.0.0.1, by `host:port`."""
    Proxy.asked.clear()
    server = _Server(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about."""


@contextmanager
def serving(publisher: Publisher | None = None, certificate: Path | None = None) -> Iterator[Publisher]:
    """Serve until the block ends; `address` is where. certificate : with its key, to serve https."""
    publisher = publisher or Publisher()
    server = _Server(("127.0.0.1", 0), type("Of", (Handler,), {"publisher": publisher}))
    publisher.address = f"http://127.0.0.1:{server.server_port}"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        publisher.address = publisher.address.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def cut(share: float) -> Fault:
    """The line goes dead after this share of what was asked for."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.give(content, cut_after=int(share * len(content)))

    return fault


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"later") -> Fault:
    return lambda handler, content: handler.answer(code, body, headers)


def page(body: bytes = LOGIN, code: int = 200, kind: str = "text/html; charset=utf-8") -> Fault:
    """A web page where a file was asked for."""
    return lambda handler, content: handler.answer(code, body, kind=kind)


def redirect(target: str) -> Fault:
    return lambda handler, content: handler.answer(302, b"", {"Location": target})


def other(content: bytes, etag: str | None = None) -> Fault:
    """Another file under the name."""
    return lambda handler, given: handler.give(content, etag=etag)


def rest_of(content: bytes, *, shift: int = 0, etag: str = '"other"') -> Fault:
    """A partial answer that does not look at If-Range: of another file, or from another place."""

    def fault(handler: Handler, given: bytes) -> None:
        asked = handler.headers.get("Range", "")
        assert asked, "nothing was resumed"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) + shift
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.answer(206, content[start:], {"Content-Range": where, "ETag": etag})

    return fault


def short_length(share: float) -> Fault:
    """The length announced, and sent, is less than the file has."""
    return lambda handler, content: handler.answer(200, content[: int(share * len(content))])


def long_length(handler: Handler, content: bytes) -> None:
    """More is announced than comes."""
    handler.answer(200, content, length=len(content) + 1000)


def hung_up(handler: Handler, content: bytes) -> None:
    """No answer at all."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def silent(seconds: float) -> Fault:
    """An answer that stops in the middle, with the line open."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def until_closed(share: float) -> Fault:
    """No length is announced, and the end of the line is the end of the file."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content[: int(share * len(content))])
        handler.close_connection = True

    return fault


def chunked(handler: Handler, content: bytes) -> None:
    """No length is announced."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(content), 50_000):
        block = content[start : start + 50_000]
        handler.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")
