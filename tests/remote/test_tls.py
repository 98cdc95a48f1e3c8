"""TLS: the connection is to a number, and the certificate, SNI and Host are the name's."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import trustme

from tests.failures import raises
from tests.remote.fetching import fetcher
from tests.websites import PUBLIC_HOST, Web, redirect, response, web
from voxgate.remote.recording_url import RecordingUrl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(authority: trustme.CA) -> AsyncIterator[Web]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("public.example").configure_cert(context)
    async with web(context) as running:
        running.answers["/a.wav"] = response(200, b"RIFF")
        context.sni_callback = lambda _socket, name, _context: running.heads.append(f"SNI {name}")
        yield running


@pytest.fixture
def _trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("host", ["public.example", "PUBLIC.example."])
async def test_the_name_is_sent_and_certified(site: Web, tmp_path: Path, host: str) -> None:
    del site.heads[:]
    (await fetcher(tmp_path).fetch(RecordingUrl.parse(site.url("/a.wav", host, "https")))).close()
    sni, head = site.heads
    assert sni == "SNI public.example"
    assert f"\r\nHost: public.example:{site.port}\r\n" in head
    assert site.accepted[-1] == PUBLIC_HOST


@pytest.mark.usefixtures("_trusted")
async def test_a_certificate_of_another_name_is_refused(site: Web, tmp_path: Path) -> None:
    """Also for the number, which a connection was opened to."""
    url = RecordingUrl.parse(site.url("/a.wav", PUBLIC_HOST, "https"))
    with raises("fetch_failed", match=r"The certificate of 127\.0\.0\.2 is not trusted"):
        await fetcher(tmp_path).fetch(url)


async def test_a_certificate_of_an_unknown_authority_is_refused(site: Web, tmp_path: Path) -> None:
    url = RecordingUrl.parse(site.url("/a.wav", "public.example", "https"))
    with raises(
        "fetch_failed", match=r"certificate of public.example is not trusted .* set SSL_CERT_FILE"
    ):
        await fetcher(tmp_path).fetch(url)


async def test_a_server_without_tls(tmp_path: Path) -> None:
    async with web() as plain:
        url = RecordingUrl.parse(plain.url("/a.wav", "public.example", "https"))
        with raises("fetch_failed", match="must begin with http:// instead"):
            await fetcher(tmp_path).fetch(url)


@pytest.mark.usefixtures("_trusted")
async def test_a_redirect_to_tls(site: Web, tmp_path: Path) -> None:
    async with web() as plain:
        plain.answers["/a"] = redirect(site.url("/a.wav", "public.example", "https"))
        url = RecordingUrl.parse(plain.url("/a", "public.example"))
        with await fetcher(tmp_path).fetch(url) as fetched:
            assert (fetched.size, fetched.name) == (4, "a.wav")


@pytest.mark.usefixtures("_trusted")
async def test_a_server_that_wants_a_certificate_of_the_client(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """By TLS 1.3 its alert comes after the handshake, or the end of the connection before it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("public.example").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    async with web(context) as strict:
        url = RecordingUrl.parse(strict.url("/a.wav", "public.example", "https"))
        with raises(
            "fetch_failed", match=r"public.example (refused the TLS connection|does not answer)"
        ):
            await fetcher(tmp_path).fetch(url)
