"""`EventStream`: an answer that carries one window's events, and cancels it when nobody listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from voxgate.engine.protocol import NDJSON, Failure, encode
from voxgate.engine.scheduler import Scheduler, Work
from voxgate.errors import EngineError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import Receive, Scope, Send

    from voxgate.transcript.values import Event


class EventStream(Response):
    """A streamed NDJSON response; closing the connection cancels the work within one step.

    The work is queued when the response is made, which raises `EngineBusyError` while a status can
    still be chosen. Lines wait in memory for a slow reader: a window has hundreds, not millions.
    """

    media_type = NDJSON

    def __init__(
        self,
        scheduler: Scheduler,
        model: str,
        steps: Callable[[], Generator[Event, None, None]],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`ended` is called once, when nothing more will be sent."""
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._model, self._ended = model, ended
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._scheduler = scheduler
        self._work = Work(steps, tell=self._tell, end=self._end)
        scheduler.add(self._work)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send lines until the work ends or the caller leaves."""
        watch = asyncio.create_task(self._watch(receive))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while (line := await self._lines.get()) is not None:
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watch.cancel()
            self._scheduler.cancel(self._work)
            self._ended()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._scheduler.cancel(self._work)
        self._lines.put_nowait(None)

    def _tell(self, event: Event) -> None:
        self._put(encode(event))

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            self._put(encode(Failure.of(self._told(error))))
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _told(self, error: Exception) -> VoxgateError:
        if isinstance(error, VoxgateError):
            return error
        return EngineError(  # the traceback is in the engine's log, and stays there
            f"{self._model} failed on this window ({type(error).__name__}). Give it once more, or "
            f"report it with the engine's log."
        )
