from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.body.reading import read_all, recording
from tests.failures import raises

if TYPE_CHECKING:
    from voxgate.settings import Settings

SEED = 15


def test_the_body_is_the_recording_and_the_query_has_the_fields(limits: Settings) -> None:
    body = random.Random(SEED).randbytes(700_000)
    query = b"model=a%2Fb&timestamp_granularities[]=word&provider[zdr]=true&prompt=A+b"
    for sizes in ([65_536], [1_000_000], [4093, 1]):
        received = read_all("Video/MP4; codecs=opus", body, limits, sizes, query=query)
        assert received.kind == "raw"
        assert received.fields == {
            "model": "a/b",
            "timestamp_granularities": ["word"],
            "provider": {"zdr": "true"},
            "prompt": "A b",
        }
        assert received.upload is not None
        assert received.upload.media_type == "video/mp4"
        assert received.upload.name is None
        assert recording(received.upload) == body


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="talk.mp3"', "talk.mp3"),
        ("inline; filename=..\\..\\talk.mp3", "talk.mp3"),
        ("attachment; filename=\"a\"; filename*=UTF-8''%E2%82%AC.wav", "€.wav"),
        ('attachment; filename="../"', None),
        ("nonsense \x00", None),
        ("", None),
    ],
)
def test_a_disposition_names_the_file(disposition: str, name: str | None, limits: Settings) -> None:
    received = read_all("audio/mpeg", b"ID3", limits, content_disposition=disposition)
    assert received.upload is not None
    with received.upload as upload:
        assert upload.name == name


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (b"model", "query is not urlencoded"),
        (b"model=%ff", "query is not UTF-8"),
        (b"a[=1", "not understood"),
        (b"a=1&a[b]=1", "contradicts another one"),
        (b"a=1&" * 1000 + b"a=1", "more than 1000 fields"),
    ],
)
def test_a_query_that_is_refused(query: bytes, why: str, limits: Settings) -> None:
    with raises("invalid_request", match=why):
        read_all("audio/mpeg", b"ID3", limits, query=query)


@pytest.mark.parametrize("headers", [{}, {"content_length": "1000001"}])
def test_a_recording_beyond_the_limit(headers: dict[str, Any], limits: Settings) -> None:
    with raises("payload_too_large", match="The recording is larger than 1 MB"):
        read_all("application/octet-stream", b"x" * 1_000_001, limits, **headers)
    received = read_all("application/octet-stream", b"x" * 1_000_000, limits)
    assert len(recording(received.upload) or b"") == 1_000_000


@pytest.mark.parametrize("size", [10_000, 70_000, 300_000])
@pytest.mark.parametrize("declared", [True, False])
def test_the_type_that_curl_chooses_is_answered_by_the_right_one(
    size: int, declared: bool, limits: Settings
) -> None:
    """`curl --data-binary @talk.mp3` calls any bytes a form."""
    body = b"ID3\x04" + random.Random(SEED).randbytes(size)
    headers: dict[str, Any] = {"content_length": str(len(body))} if declared else {}
    code = "payload_too_large" if size > 262_144 and declared else "invalid_request"
    with raises(code, match="-H 'Content-Type: audio/mpeg'"):  # type: ignore[arg-type]
        read_all("application/x-www-form-urlencoded", body, limits, **headers)


def test_bytes_without_a_type_are_answered_by_the_right_one(limits: Settings) -> None:
    """`curl -T talk.mp3` names none."""
    with raises("unsupported_media_type", match="-H 'Content-Type: audio/mpeg'"):
        read_all(None, b"ID3\x04\x00", limits)
