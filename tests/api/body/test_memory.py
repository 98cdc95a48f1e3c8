"""25 MB, in chunks as the server gets them, and what of it stands in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from voxgate.api.body.reader import BodyReader
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.api.body.request_body import RequestBody

CHUNK = 65_536  # bytes: what uvicorn reads at once
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def whole_body(kind: str, sound: bytes) -> bytes:
    if kind == "form":
        return HEAD + sound + b"\r\n--b--\r\n"
    data = base64.b64encode(sound)
    if kind == "slashes escaped":
        data = data.replace(b"/", b"\\/")
    if kind == "plus escaped":
        data = data.replace(b"+", b"\\u002B")
    return b'{"input_audio":{"data":"' + data + b'","format":"wav"},"model":"m"}'


@pytest.mark.parametrize("kind", ["json", "slashes escaped", "plus escaped", "form"])
def test_a_large_recording_is_never_in_memory(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content_type = "multipart/form-data; boundary=b" if kind == "form" else "application/json"
    sound = random.Random(25).randbytes(25_000_000)
    body = whole_body(kind, sound)
    limits = Settings(spool_dir=tmp_path_factory.mktemp("spool"))

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), CHUNK):
            yield body[start : start + CHUNK]

    async def measured() -> tuple[RequestBody, int]:
        tracemalloc.start()
        try:
            received = await BodyReader({"content-type": content_type}, chunks(), limits).whole()
            return received, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    received, peak = asyncio.run(measured())
    assert received.upload is not None
    with received.upload as upload:
        assert upload.size == len(sound)
        assert upload.sha256 == hashlib.sha256(sound).hexdigest()
    assert peak <= 1_000_000
