"""`Connection`: HTTP/1.1 as uvicorn speaks it, and an end for callers who do not.

uvicorn waits without a limit for a first request, for the rest of a head, for the rest of a body
whose answer went out before it was here, and for a caller to read. It closes connections on callers
who still send, which takes their answer back. What is not HTTP it answers in plain text, and fails
where an answer has begun already.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxgate.api.error_responses import error_body
from voxgate.errors import UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

NOT_HTTP = UsageError(
    "What came is no HTTP/1.1 request, or its headers have more than 16 KiB. Let your HTTP client "
    "write the request, its framing included, by itself."
)

_BODY = error_body(NOT_HTTP)
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Connection(H11Protocol):
    """One caller's connection.

    From its beginning, and from each answer, there are `timeout_keep_alive` seconds until the next
    request has to be under way; a byte now and then does not lengthen them. For as long an answer
    waits for its reader. While work is under way, nothing is limited here.
    """

    _deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        self._line = transport
        self._next_request, self._reading = _Clock(self.loop), _Clock(self.loop)
        super().connection_made(cast("asyncio.Transport", _Closing(transport, self._close)))
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the last answer was given: then let them pass."""
        if not self._deaf:
            super().data_received(data)
            self._await_request()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        """Wait for the caller to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on: what was to be read is read, nearly all of it."""
        super().resume_writing()
        if not self._line.is_closing():
            self._reading.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._next_request.stop()
        self._reading.stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own sentence)
        """Refuse what is no HTTP, unless an answer has begun: then nothing more can be said."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._line.write(_REFUSAL)
        if self.cycle:  # neither will its body be whole, nor more of its answer be heard
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
        self._linger()

    def _close(self) -> None:
        """Close, but give who still sends the time to read the answer."""
        sends = self.conn.their_state is h11.SEND_BODY
        if sends and not self._deaf and not self._line.is_closing():
            self._linger()
        else:
            self._line.close()

    def _linger(self) -> None:
        """Say no more and hear no more: RFC 9112, 9.6."""
        self._deaf = True
        self.flow.resume_reading()
        with suppress(OSError):  # the caller is gone
            self._line.write_eof()
        self._next_request.start(self.timeout_keep_alive, self._end)

    def _await_request(self) -> None:
        if self._deaf:
            return
        if self.cycle and not self.cycle.response_complete:
            self._next_request.stop()
        elif not self._next_request.runs:
            self._next_request.start(self.timeout_keep_alive, self._end)

    def _end(self) -> None:
        self._line.close()
        self._await_reader()

    def _await_reader(self, unread: float = math.inf) -> None:
        """Look again and again whether bytes leave, which are not added to in the meantime."""
        left = self._line.get_write_buffer_size()
        if left and left >= unread:
            self._line.abort()
            return
        self._reading.start(self.timeout_keep_alive, lambda: self._await_reader(left))


class _Closing:
    """A transport that is closed by somebody else."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport, self.close = transport, close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Clock:
    """One timer, which runs or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._timer is not None

    def start(self, seconds: float, end: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._loop.call_later(seconds, end)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
