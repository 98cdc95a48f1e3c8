"""Recordings with spoilt bytes: each ends by an answer or the connection's end, and leaves nothing.

FUZZ_SEED and FUZZ_CASES are those of tests/api/test_fuzz.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from wyoming.event import Event, async_write_event

from tests.api.wyoming.clients import Listening, listening, recording
from tests.cli.command import clip
from tests.processes import open_files, until
from voxgate.api.wyoming import connection

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SEED = int(os.environ.get("FUZZ_SEED") or 20_260)
CASES = int(os.environ.get("FUZZ_CASES") or 150)
AT_ONCE = 8
PATIENCE_S = 0.3
ENDS = {"transcript-stop", "error", None}
SPOILS = (b"", b"\n", b"{", b"}", b'"', b"-1", b"99999999999", b"null", b"\x00\xff", b"[" * 999)
NUMBERS = ("data_length", "payload_length", "rate", "width", "channels")


class Pipe:
    """What a `StreamWriter` is to the library: it keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def writelines(self, parts: list[bytes]) -> None:
        self.data += b"".join(parts)

    async def drain(self) -> None:
        """Never wait."""


async def good() -> bytes:
    """A voice command, as its client writes it."""
    pipe = Pipe()
    for event in (Event("transcribe", {"language": "en"}), *recording(clip()[:12_000])):
        await async_write_event(event, pipe)  # type: ignore[arg-type]
    return bytes(pipe.data)


def spoilt(data: bytes, dice: random.Random) -> bytes:
    """Return the bytes with some replaced, left out, repeated, or with another number somewhere."""
    for _ in range(dice.randint(1, 3)):
        at, length = dice.randrange(len(data)), dice.choice((0, 1, 3, 500))
        kind = dice.randrange(4)
        if kind == 0:
            data = data[:at] + dice.choice(SPOILS) + data[at + length :]
        elif kind == 1:
            data = data[:at] + data[at : at + length] * 2 + data[at + length :]
        elif kind == 2:
            data = data[: max(1, at)]
        else:
            name = dice.choice(NUMBERS).encode()
            places = data.split(b'"' + name + b'": ')
            chosen = dice.randrange(len(places))
            if chosen:
                rest = places[chosen].lstrip(b"0123456789")
                places[chosen] = dice.choice((*SPOILS, b"7", b"1e9")) + rest
            data = (b'"' + name + b'": ').join(places)
    return data


async def outcome(server: Listening, data: bytes) -> str | None:
    """Return the last event of a connection that sends this and waits; None if it has none."""
    reader, writer = await server.raw()
    last = None
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(data)
        await writer.drain()
        while (last not in ENDS or last is None) and (line := await reader.readline()):
            head = json.loads(line)
            last = head["type"]
            await reader.readexactly(head.get("data_length", 0))
    writer.close()
    return last


async def test_spoilt_recordings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"FUZZ_SEED={SEED}")
    monkeypatch.setattr(connection, "IDLE_S", PATIENCE_S)
    data, dice = await good(), random.Random(SEED)
    cases = [spoilt(data, dice) for _ in range(CASES)]
    async with listening(tmp_path, body_patience_s=PATIENCE_S) as server:
        assert await outcome(server, data) == "transcript-stop"
        files = open_files()
        seen = set()
        for start in range(0, len(cases), AT_ONCE):
            some = cases[start : start + AT_ONCE]
            seen |= set(await asyncio.gather(*(outcome(server, case) for case in some)))
        assert seen >= {"transcript-stop", "error"}
        await until(lambda: not server.server.connections, "the end of the connections")
        await until(lambda: open_files() <= files, "the closing of every file")
        assert await outcome(server, data) == "transcript-stop"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
