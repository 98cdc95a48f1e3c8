"""TLS to an upstream: its certificate is verified, always."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.failures import raises
from tests.providers.upstream.asking import ask, endpoint
from tests.websites import response, web
from voxgate.audio.spool import Audio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from voxgate.transcript.values import Segment

PATH = "/v1/audio/transcriptions"
PAST = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def _trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield


@pytest.fixture
def short() -> Iterator[Audio]:
    window = Audio.from_pcm16(bytes(3200))
    yield window
    window.spool.close()


async def asked(certificate: trustme.LeafCert | None, short: Audio) -> list[Segment]:
    """Ask a server with this certificate, or without TLS, by https."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
    async with web(context) as site:
        site.answers[PATH] = response(200, b'{"text": "Hello."}', connection="close")
        return (await ask(endpoint(site.url("/v1", "127.0.0.1", "https")), short))[0]


@pytest.mark.usefixtures("_trusted")
async def test_a_certificate_of_a_trusted_authority(authority: trustme.CA, short: Audio) -> None:
    assert [each.text for each in await asked(authority.issue_cert("127.0.0.1"), short)] == [
        "Hello."
    ]


@pytest.mark.usefixtures("_trusted")
async def test_an_expired_certificate(authority: trustme.CA, short: Audio) -> None:
    expired = authority.issue_cert("127.0.0.1", not_after=PAST)
    with raises(
        "upstream_failed", match=r"somewhere has a certificate .*\(certificate has expired"
    ):
        await asked(expired, short)


@pytest.mark.usefixtures("_trusted")
async def test_a_certificate_of_another_name(authority: trustme.CA, short: Audio) -> None:
    with raises("upstream_failed", match=r"not trusted \(IP address mismatch"):
        await asked(authority.issue_cert("example.org"), short)


async def test_a_certificate_of_an_unknown_authority(authority: trustme.CA, short: Audio) -> None:
    with raises("upstream_failed", match="not trusted .*set SSL_CERT_FILE") as caught:
        await asked(authority.issue_cert("127.0.0.1"), short)
    assert "SSL_CERT_FILE" not in caught.value.public_sentence


async def test_a_server_without_tls(short: Audio) -> None:
    with raises("upstream_failed", match="did not agree on TLS. Check whether its 'url' must"):
        await asked(None, short)


async def test_certificates_that_cannot_be_read(
    short: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with raises("invalid_settings", match="SSL_CERT_FILE or SSL_CERT_DIR cannot be read"):
        await ask(endpoint("https://127.0.0.1:9/v1"), short)
