"""`EngineClient`: the caller's side of the engine protocol, on a Unix socket.

It uses h11 and asyncio's own streams instead of httpx. A window is cancelled by closing its
connection in the middle of a read. anyio's Unix streams, which httpx uses, log an error of a
callback when a read is cancelled at the moment its data arrives.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import h11

from voxgate.answers.values import Answered
from voxgate.engine import protocol
from voxgate.engine.question_wire import QUESTION_HEADER, encode_question
from voxgate.errors import EngineError
from voxgate.tracing import trace_headers
from voxgate.transcript.values import Done, Segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.transcript.values import Event, Options

CHUNK_BYTES = 64 * 1024  # of one read


class NotListeningError(Exception):
    """No engine accepts connections there; it has received nothing."""


class BrokenOffError(Exception):
    """The connection ended before the response did."""


class EngineClient:
    """Calls to one engine. Each call has its own connection, so closing it cancels that call only.

    There are no timeouts: the watchdog finds out whether an engine still works. Besides
    `VoxgateError` the methods raise `NotListeningError` and `BrokenOffError`, which the owner of
    the engine's process interprets.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def health(self) -> protocol.Health:
        """Return the state of the engine."""
        async with aclosing(self._call("GET", protocol.HEALTH_ROUTE)) as parts:
            return protocol.Health.decode(b"".join([part async for part in parts]))

    async def transcribe(self, pcm16: bytes, options: Options) -> AsyncGenerator[Event, None]:
        """Yield the window's events; `Done` is the last. Closing the iterator cancels it."""
        headers = {protocol.OPTIONS_HEADER: protocol.encode_options(options)}
        async with aclosing(self._events(protocol.TRANSCRIBE_ROUTE, headers, pcm16)) as events:
            async for event in events:
                yield event

    async def align(
        self, pcm16: bytes, text: str, language: str | None
    ) -> AsyncGenerator[Event, None]:
        """Yield the text as segments with timed words; as `transcribe` does in all else."""
        headers = {protocol.ALIGN_HEADER: protocol.encode_alignment(text, language)}
        async with aclosing(self._events(protocol.ALIGN_ROUTE, headers, pcm16)) as events:
            async for event in events:
                yield event

    async def answer(self, question: Question, pcm16: bytes) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the answer's events; `Answered` is the last. Closing the iterator cancels it.

        `pcm16` are the question's sounds, one after another.
        """
        headers = {QUESTION_HEADER: encode_question(question)}
        async with aclosing(self._lines(protocol.ANSWER_ROUTE, headers, pcm16)) as events:
            async for event in events:
                if isinstance(event, Done | Segment):
                    raise EngineError("The engine answered a question with a transcript.")
                yield event
                if isinstance(event, Answered):
                    return
        raise BrokenOffError

    async def _events(
        self, route: str, headers: dict[str, str], pcm16: bytes
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._lines(route, headers, pcm16)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    raise EngineError("The engine answered a question that nobody asked.")
                yield event
                if isinstance(event, Done):
                    return
        raise BrokenOffError

    async def _lines(
        self, route: str, headers: dict[str, str], pcm16: bytes
    ) -> AsyncGenerator[Event | Answered, None]:
        """Yield every event of a response. Raise the failure that it ends with."""
        async with (
            aclosing(self._call("POST", route, headers | trace_headers(), pcm16)) as parts,
            aclosing(_split_lines(parts)) as lines,
        ):
            async for line in lines:
                event = protocol.decode(line)
                if isinstance(event, protocol.Failure):
                    raise event.to_error()
                yield event

    async def _call(
        self, method: str, route: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> AsyncGenerator[bytes, None]:
        """Yield the response's body as it arrives, for any status: failures are lines too."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except (FileNotFoundError, ConnectionError) as error:
            raise NotListeningError from error
        except OSError as error:  # for example too many open files
            raise EngineError(f"The engine's socket cannot be opened ({error}).") from error
        fields = {"Host": "engine", "Connection": "close", "Content-Length": str(len(body))}
        request = h11.Request(
            method=method, target=route, headers=list((fields | (headers or {})).items())
        )
        http = h11.Connection(h11.CLIENT)
        try:
            for part in (request, h11.Data(data=body), h11.EndOfMessage()):
                writer.write(http.send(part) or b"")
            while not isinstance(event := await _next_event(http, reader), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise BrokenOffError from error
        finally:
            writer.transport.abort()  # drops what is not sent yet


async def _next_event(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await reader.read(CHUNK_BYTES))
    if not isinstance(event, h11.Event):
        raise h11.RemoteProtocolError("the connection was paused")
    return event


async def _split_lines(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield whole lines. Raise `EngineError` for a line longer than `protocol.LINE_BYTES`."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > protocol.LINE_BYTES:
            raise EngineError("The engine's events are malformed: a line has no end.")
    if rest:
        yield rest
