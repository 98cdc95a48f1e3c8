"""Addresses that lead into a private network: nothing is connected to, given or redirected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.failures import raises
from tests.remote.fetching import Rebinding, fetcher
from tests.websites import PUBLIC_HOST, Web, connects, redirect, response, web
from voxgate.errors import UsageError, VoxgateError
from voxgate.remote.recording_url import RecordingUrl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = (
    *("127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1"),
    *("0177.0.0.1", "017700000001", "0", "0.0.0.0", "127.0.0.1.", "localhost", "localhost."),  # noqa: S104
    *("LOCALHOST", "127。0。0。1", "\uff11\uff12\uff17.0.0.1"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200"),
    *("168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]"),
    *("[64:ff9b:1::7f00:1]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[fe80::1]"),
    *("[fe80::1%25lo]", "[::1%a%b]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]"),
)
NAMES = (
    *("loopback.example", "metadata.example", "mixed.example", "mapped.example", "nat64.example"),
    *("none.example", "LoopBack.Example."),
)
TRICKS = (
    *(f"http://{host}:PORT/a.wav" for host in (*NUMBERS, *NAMES)),
    "http://127.0.0.1/a.wav",
    "https://127.0.0.1:PORT/a.wav",
    "//127.0.0.1:PORT/a.wav",
    "http://public.example@127.0.0.1:PORT/",
    "http://public.example:PORT@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT#@public.example/",
    "http://127.0.0.1:PORT?@public.example/",
    "http://public.example\\@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@public.example:PORT/",
    "http://127.0.0.1%2f@public.example:PORT/",
    "http://127.0.0.1%00.public.example:PORT/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/",
    "http://[127.0.0.1]:PORT/",
    "http://" + "a." * 200 + "example:PORT/",
    "http://" + "a" * 64 + ".example:PORT/",
    "http:127.0.0.1:PORT",
    "http:///127.0.0.1:PORT",
    "ftp://public.example:PORT/a.wav",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_a",
    "unix:///run/voxgate.sock",
    "data:audio/wav;base64,AAAA",
    "http://public.example:0/",
    "http://public.example:99999/",
    "http://public.example:PORT:PORT/",
    "http://public.example:PORT/\r\nHost: 127.0.0.1",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Web]:
    async with web() as running:
        running.answers["/a.wav"] = response(200, b"RIFF")
        yield running


@pytest.mark.parametrize("trick", TRICKS)
async def test_an_address_that_is_given(site: Web, tmp_path: Path, trick: str) -> None:
    del site.accepted[:]
    with connects() as tried, raises_refusal():
        await fetcher(tmp_path).fetch(RecordingUrl.parse(trick.replace("PORT", str(site.port))))
    assert tried == []
    assert site.accepted == []


@pytest.mark.parametrize("trick", TRICKS)
async def test_a_redirect(site: Web, tmp_path: Path, trick: str) -> None:
    del site.accepted[:]
    site.answers["/on"] = redirect(trick.replace("PORT", str(site.port)).split("\r")[0])
    with connects() as tried, pytest.raises(VoxgateError) as caught:
        await fetcher(tmp_path).fetch(RecordingUrl.parse(site.url("/on", "public.example")))
    # A relative address, or one that ends at a line break, leads back to the same server.
    assert caught.value.code in {"url_refused", "fetch_failed"}
    assert {number for number, _ in tried} == {PUBLIC_HOST}
    assert set(site.accepted) == {PUBLIC_HOST}


async def test_a_public_host_is_fetched_from(site: Web, tmp_path: Path) -> None:
    """The other tests could not fail otherwise."""
    with await fetcher(tmp_path).fetch(
        RecordingUrl.parse(site.url("/a.wav", "Public.Example."))
    ) as fetched:
        assert fetched.size == 4
    assert site.heads[-1].split("\r\n")[1] == f"Host: public.example:{site.port}"


async def test_a_name_is_resolved_once_for_its_check_and_its_connection(
    site: Web, tmp_path: Path
) -> None:
    del site.accepted[:]
    rebinding = Rebinding(PUBLIC_HOST, "127.0.0.1")
    url = RecordingUrl.parse(site.url("/a.wav", "rebinding.example"))
    (await fetcher(tmp_path, resolver=rebinding).fetch(url)).close()
    assert rebinding.left == 1
    assert site.accepted == [PUBLIC_HOST]


async def test_a_name_is_checked_anew_after_a_redirect(site: Web, tmp_path: Path) -> None:
    del site.accepted[:]
    site.answers["/back"] = redirect("/a.wav")
    rebinding = Rebinding(PUBLIC_HOST, "127.0.0.1")
    url = RecordingUrl.parse(site.url("/back", "rebinding.example"))
    with raises_refusal():
        await fetcher(tmp_path, resolver=rebinding).fetch(url)
    assert site.accepted == [PUBLIC_HOST]


async def test_private_and_unknown_names_are_one_sentence(tmp_path: Path) -> None:
    """Otherwise a stranger could ask which names a private network has."""
    sentences = []
    for host in ("loopback.example", "none.example"):
        with raises("url_refused") as caught:
            await fetcher(tmp_path).fetch(RecordingUrl.parse(f"http://{host}/"))
        sentences.append(caught.value.sentence.replace(host, ""))
    assert sentences[0] == sentences[1]


def raises_refusal() -> pytest.RaisesExc[UsageError]:
    return pytest.raises(
        UsageError,
        match=re.compile("address|host|pages"),
        check=lambda error: error.code in {"url_refused", "invalid_request"},
    )
