"""One request: certificates, redirects, proxies, and web pages told from data."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.http_server import Proxy, Publisher, redirect, serving, tunnelling

from codeii.fetch import transfer, web
from codeii.fetch.listing import Wanted

DATA = bytes(range(256)) * 100


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody has signed, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    subject = ["-subj", "/CN=publisher.example", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *subject, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    web._trusted.cache_clear()
    with serving(Publisher({"/a.dat": DATA, "/b.dat": DATA}), certificate) as publisher:
        yield publisher
    web._trusted.cache_clear()


def trust(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def bring(folder: Path, *mirrors: str, name: str = "a.dat") -> bytes:
    own = web.Web()
    try:
        way = transfer.Way(mirrors, own, lambda count: None, threading.Event())
        transfer.bring(way, Wanted(name), folder)
    finally:
        web.hang_up(own)
    return (folder / name).read_bytes()


def test_https_is_spoken_where_the_certificate_is_trusted(
    secure: Publisher, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(certificate, monkeypatch)
    assert bring(tmp_path, secure.address) == DATA


def test_a_certificate_that_is_not_trusted_ends_it_at_once(secure: Publisher, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"its certificate is not trusted \(self.signed certificate\); .* SSL_CERT_FILE"):
        bring(tmp_path, secure.address)
    assert secure.asked == []
    assert secure.connections <= 1
    assert not (tmp_path / "a.dat").exists()


def test_a_certificate_of_another_host_is_not_trusted(
    secure: Publisher, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(certificate, monkeypatch)
    with pytest.raises(OSError, match="certificate is not trusted"):
        bring(tmp_path, secure.address.replace("127.0.0.1", "localhost"))


def test_a_redirect_never_leaves_https(
    secure: Publisher, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(certificate, monkeypatch)
    with serving(Publisher({"/a.dat": DATA})) as plain:
        secure.script["/a.dat"] = [redirect(f"{plain.address}/a.dat"), redirect(f"{secure.address}/b.dat?signed=a@b")]
        with pytest.raises(OSError, match=r"redirects to 'http://127\.0\.0\.1:\d+/a\.dat', which is not https"):
            bring(tmp_path, secure.address)
        assert plain.asked == []
    assert bring(tmp_path, secure.address) == DATA


def test_the_proxy_of_the_environment_is_used_for_https_alone(
    secure: Publisher, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(certificate, monkeypatch)
    with tunnelling() as proxy, serving(Publisher({"/a.dat": DATA})) as plain:
        monkeypatch.setenv("https_proxy", f"http://me:p%40ss@{proxy}")
        assert bring(tmp_path / "1", secure.address) == DATA
        assert bring(tmp_path / "2", plain.address) == DATA
        assert Proxy.asked == [(secure.address.removeprefix("https://"), "Basic bWU6cEBzcw==")]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert bring(tmp_path / "3", secure.address) == DATA
        assert len(Proxy.asked) == 1


PAGES = [
    b"<!DOCTYPE html><html><title>Log in</title>",
    b"\n\n  <!doctype HTML>",
    b"<HTML lang=en>",
    b"<head><title>x</title>",
    b'<?xml version="1.0"?>\n<!DOCTYPE html>',
    b"<!-- served by a cache -->\n<html>",
    b"\xef\xbb\xbf<!DOCTYPE html>",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_known_by_how_it_begins(page: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BACK_OFF_S", 0.001)
    with serving(Publisher({"/a.dat": page, "/index.html": page})) as publisher:
        with pytest.raises(OSError, match=r"a web page.* came instead of data"):
            bring(tmp_path, publisher.address)
        assert not (tmp_path / "a.dat").exists()
        assert bring(tmp_path, publisher.address, name="index.html") == page  # a page that was asked for


@pytest.mark.parametrize("data", [b"", b"<xml/>", b"<htmlish>", b"00001_lr 12 100 1000\n", b"x<!DOCTYPE html>"])
def test_data_is_no_page(data: bytes, tmp_path: Path) -> None:
    with serving(Publisher({"/a.dat": data})) as publisher:
        assert bring(tmp_path, publisher.address) == data


def test_the_title_of_a_page_is_short_and_printable() -> None:
    assert web.title_of(b"<title lang=en>\n Please \x1b[31m log\nin </title>") == "Please [31m log in"
    assert len(web.title_of(b"<title>" + b"word " * 1000 + b"</title>")) <= 120
    assert web.title_of(b"no title") == ""


def test_names_are_quoted_in_addresses() -> None:
    assert web.address_of("https://h/files/", "a b/c#d?e%f.dat") == "https://h/files/a%20b/c%23d%3Fe%25f.dat"
