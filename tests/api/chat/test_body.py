"""Bodies with several recordings, long texts, and more than memory holds."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import tracemalloc
from contextlib import closing
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.body.reading import arriving, cut
from tests.api.chat.asking import sound, text, user
from voxgate.api.body.request_body import TEXT_BYTES
from voxgate.api.chat.body import MAX_RECORDINGS, ChatBodyReader
from voxgate.errors import UsageError, VoxgateError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.api.chat.body import ChatRequestBody

JSON = {"content-type": "application/json"}
CHUNK = 65_536


def read(
    fields: dict[str, Any], settings: Settings, sizes: tuple[int, ...] = (CHUNK,)
) -> ChatRequestBody:
    body = json.dumps(fields).encode()
    return asyncio.run(ChatBodyReader(JSON, arriving(cut(body, sizes)), settings).whole())


def noise(seed: int, count: int) -> bytes:
    return random.Random(seed).randbytes(count)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def limits(tmp_path: Path) -> Settings:
    return Settings(spool_dir=tmp_path, max_upload_bytes=2_000_000)


@pytest.mark.parametrize("sizes", [(CHUNK,), (1000, 7, 99_991)])
def test_recordings_keep_their_places(limits: Settings, sizes: tuple[int, ...]) -> None:
    """Long and short ones, in all shapes, around texts."""
    sounds = [noise(n, count) for n, count in enumerate((100_000, 10, 70_000, 60_000))]
    first, second, third, fourth = map(encoded, sounds)
    fields = {
        "messages": [
            user(text("a"), sound(first), sound(second)),
            {"role": "assistant", "content": "b"},
            user(
                {"type": "input_audio", "input_audio": f"data:audio/wav;base64,{third}"},
                text("c"),
                {"type": "input_audio", "input_audio": fourth},
                {"type": "input_audio", "input_audio": "https://example.org/a.wav"},
            ),
        ],
        "model": "m",
    }
    with closing(read(fields, limits, sizes)) as body:
        places = [(0, 1), (0, 2), (2, 0), (2, 2)]
        assert list(body.uploads) == places
        hashes = [hashlib.sha256(each).hexdigest() for each in sounds]
        assert [body.uploads[place].sha256 for place in places] == hashes
        assert body.uploads[2, 0].media_type == "audio/wav"
        assert body.dropped == []
        parts = body.fields["messages"][2]["content"]
        assert [part.get("input_audio") for part in parts] == [
            *({}, None, {}),
            "https://example.org/a.wav",
        ]


def test_long_texts_are_read(limits: Settings) -> None:
    """As base64 looks, and as it does not; what is beside texts is dropped, and said."""
    plain, letters = "Ein «Wort» ☃\n" * 10_000, "word" * 30_000
    fields = {
        "messages": [
            {"role": "system", "content": plain},
            user(text(letters), {**text("a"), "note": plain}),
        ],
        "metadata": {"a": letters},
    }
    with closing(read(fields, limits, (997,))) as body:
        assert body.fields["messages"][0]["content"] == plain
        assert body.fields["messages"][1]["content"][0]["text"] == letters
        assert body.dropped == ["messages[1].content[1].note", "metadata.a"]
        assert body.uploads == {}
    over = {"messages": [{"role": "user", "content": "a " * TEXT_BYTES}]}
    with closing(read(over, limits)) as body:
        assert body.dropped == ["messages[0].content"]


def test_the_limit_is_one_on_all_recordings(limits: Settings) -> None:
    part = sound(encoded(noise(1, 700_000)))
    with closing(read({"messages": [user(part, part)]}, limits)) as body:
        assert len(body.uploads) == 2
    with pytest.raises(VoxgateError, match="larger than 2 MB") as refused:
        read({"messages": [user(part, part, part)]}, limits)
    assert refused.value.code == "payload_too_large"
    small = replace(limits, max_upload_bytes=1000)
    with pytest.raises(VoxgateError, match="larger than 1,000 bytes"):
        read({"messages": [user(*[sound(encoded(noise(1, 400)))] * 3)]}, small)


def test_more_recordings_than_files(limits: Settings) -> None:
    part = sound(encoded(noise(1, 60_000)))
    with closing(read({"messages": [user(*[part] * MAX_RECORDINGS)]}, limits)) as body:
        assert len(body.uploads) == MAX_RECORDINGS
    with pytest.raises(UsageError, match=f"more than {MAX_RECORDINGS}"):
        read({"messages": [user(*[part] * (MAX_RECORDINGS + 1))]}, limits)
    short = sound(encoded(b"abc"))
    with pytest.raises(UsageError, match=f"more than {MAX_RECORDINGS}"):
        read({"messages": [user(*[short] * (MAX_RECORDINGS + 1))]}, limits)


def test_large_recordings_are_never_in_memory(tmp_path: Path) -> None:
    """300 MB of base64 in two recordings."""
    limits = Settings(spool_dir=tmp_path, max_upload_bytes=400_000_000)
    piece = encoded(noise(3, 49_152)).encode()
    between = (
        b'{"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": "',
        b'"}, {"type": "input_audio", "input_audio": "',
        b'"}]}]}',
    )
    count = 150_000_000 // len(piece)

    async def chunks() -> AsyncIterator[bytes]:
        for head in between[:2]:
            yield head
            for _, one in zip(range(count), cycle([piece]), strict=False):
                yield one
        yield between[2]

    async def measured() -> tuple[ChatRequestBody, int]:
        tracemalloc.start()
        try:
            received = await ChatBodyReader(JSON, chunks(), limits).whole()
            return received, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    received, peak = asyncio.run(measured())
    with closing(received):
        assert [each.size for each in received.uploads.values()] == [count * 49_152] * 2
    assert peak <= 1_500_000
