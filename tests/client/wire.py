"""A server that sends exactly the given bytes and records the requests."""

from __future__ import annotations

import base64
import json
import socket
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

DEADLINE_S = 300.0  # distinguishes slow from never: tests/processes.py
RECEIVE_BYTES = 1 << 16
GOLDEN: dict[str, Any] = {
    "task": "transcribe",
    "duration": 2.5,
    "text": "train stopped outside the city",
    "language": "en",
    "model": "Systran/faster-whisper-base",
    "usage": {"seconds": 2.5, "cost": 0.0, "prompt_audio_seconds": 3},
    "segments": [
        {
            "id": 0,
            "seek": 25,
            "start": 0.25,
            "end": 1.0,
            "text": "train stopped",
            "tokens": [],
            "temperature": 0.0,
            "type": "transcription_segment",
            "time_source": "recognised",
            "confidence": 0.75,
            "avg_logprob": -0.2877,
        },
        {
            "id": 1,
            "start": 1.0,
            "end": 2.0,
            "text": "outside the city",
            "time_source": "recognised",
        },
    ],
    "words": [
        {"word": "train", "start": 0.25, "end": 0.5, "type": "word", "time_source": "recognised"},
        {"word": "stopped", "start": 0.5, "end": 1.0, "confidence": 0.5},
        {"word": "outside", "start": 1.0, "end": 1.5},
        {"word": "the", "start": 1.5, "end": 1.5},
        {"word": "city", "start": 1.5, "end": 2.0},
    ],
}
"""The response of this version's server."""


@dataclass
class Request:
    """A request that was received."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    @property
    def size(self) -> int:
        """The bytes of the body that were received."""
        return self.body.seek(0, 2)

    def json(self) -> dict[str, Any]:
        """Return the parsed body."""
        self.body.seek(0)
        value = json.load(self.body)
        assert isinstance(value, dict)
        return value

    def recording(self) -> bytes:
        """Return the file that was sent."""
        return base64.b64decode(self.json()["input_audio"]["data"], validate=True)


@dataclass(frozen=True)
class Answer:
    """A response, and the behaviour of the server before and after it."""

    data: bytes
    reads_body: bool = True  # whether it reads the request's body
    keeps_open: bool = False  # whether it keeps the connection open after the response
    waits_for_head: bool = True  # whether it waits for the whole head, or responds after any byte
    gate: threading.Event | None = None  # the event for which it waits before the response


@dataclass
class Wire:
    """A server on the loopback with one answer for each request, in order. A context manager."""

    answers: list[Answer]
    requests: list[Request] = field(default_factory=list)
    received: threading.Event = field(default_factory=threading.Event)
    """Set when a whole request was received."""
    disconnected: threading.Event = field(default_factory=threading.Event)
    """Set when a client disconnected too early."""
    responded: threading.Event = field(default_factory=threading.Event)
    """Set when a response was sent."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self._listener.getsockname())  # what `--server` takes
        self._kept: list[socket.socket] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        address = self._listener.getsockname()
        self._closing.set()
        for connection in self._kept:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # ends a wait for the client
        with suppress(OSError):
            socket.create_connection(address).close()  # ends the wait for the next client
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        for connection in self._kept:
            connection.close()
        self._listener.close()
        for request in self.requests:
            request.body.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._kept.append(connection)
            if self._closing.is_set():
                return
            with suppress(ConnectionError):
                if self.answers:
                    self._converse(connection, self.answers.pop(0))
            connection.close()

    def _converse(self, connection: socket.socket, answer: Answer) -> None:
        if not answer.waits_for_head:
            connection.recv(RECEIVE_BYTES)
            connection.sendall(answer.data)
            return
        head, rest = _read_head(connection)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.split(": ", 1) for line in lines)
        request = Request(method, path, {name.lower(): value for name, value in pairs})
        self.requests.append(request)
        if answer.reads_body:
            size = request.body.write(rest)
            while size < int(request.headers.get("content-length", 0)):
                size += request.body.write(_receive(connection))
        self.received.set()
        if answer.gate:
            answer.gate.wait(DEADLINE_S)
        connection.sendall(answer.data)
        self.responded.set()
        if answer.keeps_open and answer.reads_body:
            if not connection.recv(1):
                self.disconnected.set()
        elif answer.keeps_open:
            self._closing.wait()


def wire(*answers: Answer | bytes) -> Wire:
    """Return a server with these answers."""
    return Wire([a if isinstance(a, Answer) else Answer(a) for a in answers])


def http(
    status: int, body: bytes | object, /, kind: str = "application/json", **more: str
) -> bytes:
    """Return a response with a length. A body other than bytes is JSON. In headers, `_` is `-`."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _start(status, {"content-type": kind, "content-length": len(data)} | more) + data


def chunked(*parts: bytes, whole: bool = True) -> bytes:
    """Return 200 with JSON in chunks, like a server that does not know the length in advance."""
    head = _start(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + chunks + (b"0\r\n\r\n" if whole else b"")


def failure(status: int, sentence: str, **more: str) -> bytes:
    """Return an error response in OpenRouter's shape."""
    return http(status, error(status, sentence), **more)


def error(status: int, sentence: str) -> dict[str, Any]:
    """Return the body of an error response."""
    return {"error": {"code": status, "message": sentence, "metadata": {"error_type": "server"}}}


def _start(status: int, headers: dict[str, Any]) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return "\r\n".join([line, *lines, "", ""]).encode()


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    head = b""
    while b"\r\n\r\n" not in head:
        head += _receive(connection)
    head, _, rest = head.partition(b"\r\n\r\n")
    return head, rest


def _receive(connection: socket.socket) -> bytes:
    part = connection.recv(RECEIVE_BYTES)
    if not part:
        raise ConnectionResetError
    return part
