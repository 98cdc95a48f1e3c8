from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import resource
from typing import TYPE_CHECKING

import pytest

from tests.api.body.reading import arriving, cut, read_all, recording
from tests.failures import raises
from voxgate.api.body.reader import BodyReader
from voxgate.errors import SpoolFullError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.settings import Settings

JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
LONG = base64.b64encode(bytes(range(256)) * 600)
JSON_HEAD = b'{"input_audio": {"data": "' + LONG


async def never(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield these chunks, then wait for ever."""
    for chunk in chunks:
        yield chunk
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/vnd.api+json",
        None,
        "",
    ],
)
def test_json(content_type: str | None, limits: Settings) -> None:
    body = b'\xef\xbb\xbf \r\n\t{"a": 1}'
    for size in (1, 2, 3, 100):
        received = read_all(content_type, body, limits, [size])
        assert received.fields == {"a": 1}
        assert received.kind == "json"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"{}"),
        ("image/png", b"RIFF"),
        ("application/ogg", b"RIFF"),
        ("application/jsonp", b"{}"),
        ("application/json; charset=utf-16", b"{}"),
        ("application/x-www-form-urlencoded; charset=latin1", b"a=1"),
        ("multipart/mixed; boundary=b", b"--b--"),
        ("\u0142/\u0142", b"{}"),
        (None, b""),
        (None, b"[]"),
        (None, b"a=1"),
        (None, b"\xef\xbb\xbf"),
        (None, b" " * 2000 + b"{}"),
    ],
)
def test_other_types(content_type: str | None, body: bytes, limits: Settings) -> None:
    with raises("unsupported_media_type") as caught:
        read_all(content_type, body, limits, [7])
    assert "Send" in caught.value.sentence


def test_a_compressed_body(limits: Settings) -> None:
    with raises("unsupported_media_type", match="without Content-Encoding"):
        read_all(JSON, b"\x1f\x8b", limits, content_encoding="gzip")
    assert read_all(JSON, b"{}", limits, content_encoding="identity").fields == {}


@pytest.mark.parametrize("content_type", [JSON, FORM, "application/x-www-form-urlencoded"])
def test_a_length_beyond_the_limit_is_refused_unread(content_type: str, limits: Settings) -> None:
    """Not one chunk is asked for: this one would never come."""
    headers = {"content-type": content_type, "content-length": "10000000"}
    with raises("payload_too_large"):
        asyncio.run(BodyReader(headers, never(), limits).whole())


@pytest.mark.parametrize("length", ["x", "-1", "1e9", "", "9" * 5000, "\u0661"])
def test_an_invalid_length(length: str, limits: Settings) -> None:
    with pytest.raises(UsageError, match="Content-Length"):
        read_all(JSON, b"{}", limits, content_length=length)


@pytest.mark.parametrize(
    ("content_type", "head", "junk"),
    [
        (JSON, b'{"x": "', b"no base64 "),
        (FORM, b"--b--", b"epilogue"),
        ("application/x-www-form-urlencoded", b"a=", b"b"),
    ],
)
def test_a_wrong_length(content_type: str, head: bytes, junk: bytes, limits: Settings) -> None:
    with raises("payload_too_large"):
        read_all(content_type, head + junk * 400_000, limits, content_length="10")


@pytest.mark.parametrize(
    ("content_type", "head"),
    [(JSON, JSON_HEAD), (FORM, FORM_HEAD + LONG), (None, b" "), (JSON, b"")],
)
def test_a_body_that_stalls(content_type: str | None, head: bytes, limits: Settings) -> None:
    headers = {"content-type": content_type} if content_type else {}
    with raises("request_timeout", match=r"0\.05 s"):
        asyncio.run(BodyReader(headers, never(head, b""), limits).whole())


@pytest.mark.parametrize(("content_type", "head"), [(JSON, JSON_HEAD), (FORM, FORM_HEAD + LONG)])
def test_a_reader_that_is_cancelled(content_type: str, head: bytes, limits: Settings) -> None:
    patient = dataclasses.replace(limits, body_patience_s=1e6)

    async def cancelled() -> None:
        reached = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield head
            reached.set()
            await asyncio.Event().wait()

        reading = asyncio.create_task(
            BodyReader({"content-type": content_type}, chunks(), patient).whole()
        )
        await reached.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(cancelled())


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError("its own")])
@pytest.mark.parametrize(("content_type", "head"), [(JSON, JSON_HEAD), (FORM, FORM_HEAD + LONG)])
def test_a_client_that_disconnects(
    content_type: str, head: bytes, error: Exception, limits: Settings
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield head
        raise error

    with pytest.raises(type(error)) as caught:
        asyncio.run(BodyReader({"content-type": content_type}, chunks(), limits).whole())
    assert caught.value is error


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON, JSON_HEAD + b'"}}'), (FORM, FORM_HEAD + LONG + b"\r\n--b--")],
)
def test_other_tasks_run_meanwhile(content_type: str, body: bytes, limits: Settings) -> None:
    """One chunk with the whole body does not hold the loop until it is done."""

    async def turns() -> int:
        count = 0

        async def count_turns() -> None:
            nonlocal count
            while True:
                await asyncio.sleep(0)
                count += 1

        counting = asyncio.create_task(count_turns())
        received = await BodyReader(
            {"content-type": content_type}, arriving([body]), limits
        ).whole()
        recording(received.upload)
        counting.cancel()
        return count

    assert asyncio.run(turns()) >= len(body) // 65_536


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON, JSON_HEAD + LONG + b'"}}'), (FORM, FORM_HEAD + LONG + LONG + b"\r\n--b--")],
)
def test_a_full_disk(content_type: str, body: bytes, limits: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = dataclasses.replace(limits, spool_dir=tmp_path / "file")
    with pytest.raises(SpoolFullError, match="VOXGATE_SPOOL_DIR"):
        read_all(content_type, body, nowhere)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(SpoolFullError, match="Free some space"):
            read_all(content_type, body, limits)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_caller_closes_the_upload(limits: Settings) -> None:
    body = FORM_HEAD + b"RIFF\r\n--b--"
    received = asyncio.run(
        BodyReader({"content-type": FORM}, arriving(cut(body, [5])), limits).whole()
    )
    assert received.upload is not None
    with received.upload as upload:
        assert upload.file.fileno() > 0
        assert upload.size == 4
        assert upload.sha256 == hashlib.sha256(b"RIFF").hexdigest()
    upload.close()
    assert upload.file.closed
