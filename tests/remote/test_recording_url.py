"""What is taken for the address of a recording."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.reading import thorough
from tests.failures import raises
from voxgate.errors import UsageError
from voxgate.remote.recording_url import PAGE_SITES, RecordingUrl


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("https://example.org/a/b.mp3?c=d.wav#e", "example.org", "b.mp3"),
        ("HTTP://EXAMPLE.org:8080", "example.org", None),
        (" https://example.org./a.mp3\n", "example.org", "a.mp3"),
        ("https://bücher.example/Lesung%201.ogg", "xn--bcher-kva.example", "Lesung 1.ogg"),
        ("http://[FD00::1]:80/a.wav", "fd00::1", "a.wav"),
        ("http://192.168.1.7/a.wav", "192.168.1.7", "a.wav"),
        ("http://my_nas/a b.wav", "my_nas", "a b.wav"),
        ("https://example.org/a//", "example.org", None),
    ],
)
def test_an_address(text: str, host: str, name: str | None) -> None:
    url = RecordingUrl.parse(text)
    assert (url.host, url.file_name) == (host, name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not begin with http:// or https://"),
        ("talk.mp3", "does not begin with http:// or https://"),
        ("ftp://example.org/a.mp3", "does not begin with http:// or https://"),
        ("https://", "names no server"),
        ("https://a..b/", "names no server"),
        ("https://me:secret@example.org/a.mp3", "has a user name or a password"),
        ("https://me@example.org/a.mp3", "has a user name or a password"),
        ("https://example.org:0/", "no valid port"),
        ("https://example.org:x/", "is malformed"),
        ("https://example.org/\x00", "is malformed"),
        ("https://\ud800.example/", "is malformed"),
        ("https://example.org/" + "a" * 8192, "longer than 8192 characters"),
    ],
)
def test_no_address(text: str, says: str) -> None:
    with raises("invalid_request", match=says) as caught:
        RecordingUrl.parse(text)
    assert "secret" not in caught.value.sentence


@pytest.mark.parametrize("site", PAGE_SITES)
def test_a_page_of_a_site_is_answered_with_the_line_that_works(site: str) -> None:
    address = f"https://www.{site}/watch?v=a&t=1"
    with raises("url_refused", match="has pages, not files") as caught:
        RecordingUrl.parse(address)
    line = caught.value.sentence.partition("a page: ")[2]
    assert shlex.split(line) == [
        *("yt-dlp", "-f", "bestaudio", "-o", "-", address, "|", "voxgate", "transcribe", "-")
    ]
    assert RecordingUrl.parse(f"https://not{site}/a.mp3").host == f"not{site}"


@thorough
@given(
    st.sampled_from(("http://", "https://", "HTTP:", "", "//", "http://a.example/")),
    st.text() | st.text("abc.:/\\@[]%#?&= 019xX-_\u3002\uff0e\ud800\0é", max_size=60),
)
def test_any_text_is_an_address_or_refused(scheme: str, rest: str) -> None:
    try:
        url = RecordingUrl.parse(scheme + rest)
        url = url.redirected(rest)
    except UsageError:
        return
    assert url.host.isascii()
    assert url.host == url.host.lower() != ""
    assert not {"@", "/", "%", " "} & set(url.host)
    assert "/" not in (url.file_name or "")
