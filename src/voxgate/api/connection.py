"""`Connection`: uvicorn's HTTP/1.1 protocol, with limits for callers that do not take part.

uvicorn waits without a limit for a first request, for the rest of a request's head, for the rest of
a body that was answered before it was complete, and for a caller to read a response. It accepts
connections until no file can be opened any more. It closes
connections whose caller still sends, which can destroy the response on its way. It answers bytes
that are not HTTP in plain text, and fails on them where a response has begun already. It takes
requests with two framings, whose end a proxy in front may see elsewhere, and any head that comes in
one piece.
"""

from __future__ import annotations

import math
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxgate.api.error_responses import error_body, error_headers
from voxgate.api.request_log import NOTHING, RequestEntry
from voxgate.errors import BusyError, UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.config import Config

    from voxgate.errors import VoxgateError

HEAD_BYTES = 16 * 1024
NOT_HTTP = UsageError(
    "What came is no HTTP/1.1 request, or its headers have more than 16 KiB. Let your HTTP client "
    "write the request, its framing included, by itself."
)
FRAMED_TWICE = UsageError(
    "The request has both headers, Content-Length and Transfer-Encoding. Let your HTTP client "
    "write the request, its framing included, by itself."
)

TOO_MANY = BusyError(
    "The server is answering as many connections as it may have. Send the request again soon.",
    code="too_many_connections",
)

BREAK_OFF = "voxgate.break_off"
"""The ASGI extension whose `close` closes the connection, in the middle of a response too."""


class Connection(H11Protocol):
    """One connection.

    The next request must be complete up to its body within `timeout_keep_alive` seconds of the
    connection's start or of the last response; single bytes do not extend that. A response waits
    `reader_patience_s` for its reader. While a request is being answered, nothing is limited here.
    """

    reader_patience_s = 60.0
    most = math.inf
    waiting: ClassVar[dict[Connection, None]] = {}  # for a request, the longest wait first
    _discards_input = False
    conn: _Requests

    def __init__(self, config: Config, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        self.conn = _Requests(h11.SERVER, HEAD_BYTES)

    @classmethod
    def limited(cls, reader_patience_s: float, most: int) -> type[Connection]:
        """Return the class of one server's connections.

        They wait so long for a caller to read. Where more than `most` are open, the one that has
        waited longest for its request is closed; where none waits, the new one is refused.
        """
        limits = {"reader_patience_s": reader_patience_s, "most": most, "waiting": {}}
        return type(cls.__name__, (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        self._socket_transport = transport
        self._request_timer, self._read_timer = _Timer(self.loop), _Timer(self.loop)
        super().connection_made(cast("asyncio.Transport", _TransportProxy(transport, self._close)))
        self._await_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take bytes; discard them after the last response."""
        if not self._discards_input:
            super().data_received(data)
            self._await_request()

    def handle_events(self) -> None:
        """Take what has arrived, and let an application break off the response to it."""
        super().handle_events()
        if self.scope is not None:  # its application has not begun yet
            self.scope.setdefault("extensions", {})[BREAK_OFF] = {"close": self._break_off}

    def shutdown(self) -> None:
        """Close when the server stops. h11 knows of no response to what was refused here."""
        if self._discards_input:
            self._socket_transport.close()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        """Start to wait for the next request."""
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        """Start to wait for the caller to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Stop waiting: the caller has read nearly everything."""
        super().resume_writing()
        if not self._socket_transport.is_closing():
            self._read_timer.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers."""
        self._stop_waiting()
        self._read_timer.stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own sentence)
        """Answer bytes that are not HTTP, unless a response has begun already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(self.conn.refusal)
        if self.cycle:  # its body stays incomplete, and no more of its response can be read
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
        self._close_lingering()

    def _refuse(self, error: VoxgateError) -> None:
        """Answer without the application, and log it."""
        address = self.client[0] if self.client else NOTHING
        RequestEntry(address, code=error.code).write(error.status)
        self._socket_transport.write(_refusal(error))

    def _close(self) -> None:
        """Close, but give a caller that still sends the time to read the response."""
        sends = self.conn.their_state is h11.SEND_BODY
        if sends and not self._discards_input and not self._socket_transport.is_closing():
            self._close_lingering()
        else:
            self._socket_transport.close()

    def _break_off(self) -> None:
        """Close in the middle of a response; what is written of it must be read in time."""
        self._close()
        self._await_reader()

    def _close_lingering(self) -> None:
        """Send nothing more and discard what arrives, for a limited time: RFC 9112, 9.6."""
        self._unset_keepalive_if_required()
        self._discards_input = True
        self.flow.resume_reading()
        with suppress(OSError):  # the caller has disconnected
            self._socket_transport.write_eof()
        self._wait()

    def _await_request(self) -> None:
        """Start the timer for the next request, or stop it where a request is being answered."""
        if self._discards_input:
            return
        if self.cycle and not self.cycle.response_complete:
            self._stop_waiting()
        elif not self._request_timer.running:
            self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self.waiting[self] = None
        self._request_timer.start(self.timeout_keep_alive, self._time_out)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        self._request_timer.stop()

    @property
    def has_sent_all(self) -> bool:
        """Whether the system has taken all that was written."""
        return not self._socket_transport.get_write_buffer_size()

    def give_way(self) -> None:
        """Close for a newer connection, and count no more: the event loop closes it later."""
        self._socket_transport.close()
        self._stop_waiting()
        self.connections.discard(self)

    def _make_room(self) -> None:
        """Close the connection that has waited longest where there are too many, or refuse this."""
        if len(self.connections) > self.most:
            idle = (other for other in self.waiting if other is not self and other.has_sent_all)
            for longest in islice(idle, 1):
                longest.give_way()
        if len(self.connections) > self.most:
            self._refuse(TOO_MANY)
            self._close_lingering()

    def _time_out(self) -> None:
        self._socket_transport.close()
        self._await_reader()

    def _await_reader(self, unread: float = math.inf) -> None:
        """Check periodically that the write buffer shrinks, and abort where it does not."""
        left = self._socket_transport.get_write_buffer_size()
        uploads = self.conn.their_state is h11.SEND_BODY and not self._discards_input
        if left and left >= unread and not uploads:  # many send all before they read
            self._socket_transport.abort()
            return
        unread = math.inf if uploads else left
        self._read_timer.start(self.reader_patience_s, lambda: self._await_reader(unread))


def _refusal(error: VoxgateError) -> bytes:
    """Return a complete response that ends its connection."""
    body = error_body(error)
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **error_headers(error),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Requests(h11.Connection):
    """h11's parser, stricter with a request's head; `refusal` says what is wrong with one."""

    refusal = NOT_HTTP

    def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """Return the next event. Raises `h11.RemoteProtocolError`."""
        begins = self.their_state is h11.IDLE
        before = len(self.trailing_data[0]) if begins else 0
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_length(before - len(self.trailing_data[0]))
            self._check_framing(event)
        return event

    def _check_framing(self, request: h11.Request) -> None:
        """Refuse two framings, which is how requests are smuggled: RFC 9112, 6.3."""
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
            self.refusal = FRAMED_TWICE
            raise h11.RemoteProtocolError(FRAMED_TWICE.sentence)


def _check_length(head_bytes: int) -> None:
    """Refuse a long head: h11 counts only those that are not complete yet."""
    if head_bytes > HEAD_BYTES:
        raise h11.RemoteProtocolError(NOT_HTTP.sentence)


class _TransportProxy:
    """A transport with another `close`."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport, self.close = transport, close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Timer:
    """One timer that can be restarted and stopped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, callback: Callable[[], None]) -> None:
        self.stop()
        self._handle = self._loop.call_later(seconds, callback)

    def stop(self) -> None:
        if self._handle:
            self._handle.cancel()
        self._handle = None
