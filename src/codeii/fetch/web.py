"""One request over https: connections kept alive, redirects followed by hand, web pages told from data.

The standard library's http.client is used because the file's bytes, ranges and lengths have to be seen as they come.
"""

import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from socket import SHUT_RDWR
from time import time
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

CONNECT_S, READ_S = 20.0, 60.0
REDIRECTS = 5
AGENT = "codeii (research workflow; standard-library http client)"
_MOVED = (301, 302, 303, 307, 308)
_LATER = (408, 425, 429, 500, 502, 503, 504)  # another try may find an answer
_SMALL = 65_536  # bytes of a page read for its title, or of a redirect read to keep the connection
_PAGE = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b", re.I | re.S
)


class Setback(Exception):
    """A try that brought no file: why, whether another try may, and how long the server asks to wait."""

    def __init__(self, reason: str, *, again: bool, wait_s: float = 0.0) -> None:
        """Keep the three beside the message."""
        super().__init__(reason)
        self.again, self.wait_s = again, wait_s


@dataclass(frozen=True, slots=True)
class Web:
    """What requests share: each thread's open connections, and all of them."""

    mine: threading.local = field(default_factory=threading.local)
    all: list[HTTPConnection] = field(default_factory=list)


def hang_up(web: Web) -> None:
    """Close every connection, also under a thread that waits for an answer."""
    for connection in web.all:
        with suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(SHUT_RDWR)
        connection.close()


def address_of(base: str, name: str) -> str:
    """Address of the file `name` below the base address."""
    return f"{base.rstrip('/')}/{quote(name)}"


@contextmanager
def answer(web: Web, address: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
    """The server's answer to GET, after redirects; its body is still to be read, with `blocks`.

    A redirect may lead to another https address and nowhere else. Raises Setback for anything but an answer with
    status 200, 206 or 416, and when there is none.
    """
    here, response = _follow(web, address, headers)
    try:
        yield response
    except BaseException:
        _close(web, here)
        raise
    if not response.isclosed():  # a body left unread would be taken for the next answer
        _close(web, here)


def blocks(response: HTTPResponse, size: int, address: str) -> Iterator[bytes]:
    """The body in blocks of at most `size` bytes. Raises Setback when the connection breaks before its end."""
    left = response.length
    try:
        while block := response.read(size):
            yield block
            left = None if left is None else left - len(block)
    except (OSError, HTTPException) as error:
        raise Setback(f"{address}: the connection broke: {_in_words(error)}", again=True) from error
    if left:
        raise Setback(f"{address}: the connection was cut {left} bytes before the end", again=True)


def _follow(web: Web, address: str, headers: Mapping[str, str]) -> tuple[str, HTTPResponse]:
    here = address
    try:
        for _ in range(REDIRECTS + 1):
            response = _ask(web, here, headers)
            if response.status not in _MOVED:
                _check_status(here, response)
                return here, response
            here = _redirected(web, here, response)
    except Setback:
        _close(web, here)  # what is left of a page of error would be taken for the next answer
        raise
    except (OSError, HTTPException) as error:
        _close(web, here)
        untrusted = isinstance(error, ssl.SSLCertVerificationError)
        raise Setback(f"{here}: {_in_words(error)}", again=not untrusted) from error
    raise Setback(f"{address}: more than {REDIRECTS} redirects, the last to {here[:200]}", again=False)


def _ask(web: Web, address: str, headers: Mapping[str, str]) -> HTTPResponse:
    """Send one request; a connection that the server closed while it was idle is opened again, once."""
    parts = urlsplit(address)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    asked = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
    for reused in (True, False):
        connection = _connection(web, address)
        fresh = connection.sock is None
        try:
            if fresh:
                connection.connect()
                connection.sock.settimeout(READ_S)
            connection.request("GET", path, headers=asked)
            return connection.getresponse()
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            _close(web, address)
            if fresh or not reused:
                raise
    raise AssertionError("unreachable")


def _connection(web: Web, address: str) -> HTTPConnection:
    """This thread's connection to the server of `address`; https goes through the proxy the environment names."""
    kept: dict[str, HTTPConnection] = web.mine.__dict__.setdefault("connections", {})
    parts = urlsplit(address)
    if parts.netloc not in kept:
        host = parts.hostname or ""
        if parts.scheme == "http":
            kept[parts.netloc] = HTTPConnection(host, parts.port, timeout=CONNECT_S)
        elif (proxy := getproxies().get("https")) and not proxy_bypass(host):
            through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
            kept[parts.netloc] = HTTPSConnection(
                through.hostname or "", through.port, timeout=CONNECT_S, context=_trusted()
            )
            kept[parts.netloc].set_tunnel(host, parts.port or 443, _credentials(through))
        else:
            kept[parts.netloc] = HTTPSConnection(host, parts.port, timeout=CONNECT_S, context=_trusted())
        web.all.append(kept[parts.netloc])
    return kept[parts.netloc]


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, or those of SSL_CERT_FILE; reading them takes a tenth of a second."""
    return ssl.create_default_context()


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _close(web: Web, address: str) -> None:
    connection = web.mine.__dict__.get("connections", {}).pop(urlsplit(address).netloc, None)
    if connection is not None:
        connection.close()


def _redirected(web: Web, address: str, response: HTTPResponse) -> str:
    target = urlsplit(urljoin(address, response.headers.get("Location", "")))
    _close(web, address)  # its body is of no use
    in_test = target.scheme == "http" and target.hostname == "127.0.0.1" and address.startswith("http:")
    if not (in_test or (target.scheme == "https" and target.hostname)):
        shown = f"{target.scheme}://{target.netloc}{target.path}"[:200]
        raise Setback(f"{address}: redirects to {shown!r}, which is not https", again=False)
    return urlunsplit(target)


def _check_status(address: str, response: HTTPResponse) -> None:
    if response.status in (200, 206, 416):
        return
    title = title_of(response.read(_SMALL))
    said = f"{response.status} {response.reason}{f' ({title})' if title else ''}"
    raise Setback(f"{address}: {said}", again=response.status in _LATER, wait_s=_wait_of(response))


def _wait_of(response: HTTPResponse) -> float:
    """Seconds of Retry-After, given as a number or as a date; 0 where it is absent or odd."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    return 0.0


def refuse_page(address: str, name: str, response: HTTPResponse, first: bytes) -> None:
    """Raise Setback where the answer is a web page (a login, a notice) though the file `name` is none.

    first : the body's first bytes; empty where the answer begins in the middle of the file.
    """
    if name.lower().endswith((".html", ".htm", ".xhtml")):
        return
    kind = response.headers.get_content_type() if response.headers.get("Content-Type") else ""
    if kind in ("text/html", "application/xhtml+xml") or _PAGE.match(first):
        title = title_of(first)
        said = f"a web page titled {title!r}" if title else "a web page"
        raise Setback(f"{address}: {said} came instead of data", again=True)


def title_of(page: bytes) -> str:
    """First words of a page's title; empty where it has none."""
    match = re.search(rb"<title[^>]*>(.*?)</title>", page, re.I | re.S)
    words = match[1].decode("utf-8", errors="replace").split() if match else []
    return "".join(char for char in " ".join(words[:12]) if char.isprintable())[:120]


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); install your system's ca-certificates, or "
            "name your institution's in SSL_CERT_FILE"
        )
    if isinstance(error, TimeoutError):
        return f"no answer within {READ_S:.0f} s"
    return str(error) or error.__class__.__name__
