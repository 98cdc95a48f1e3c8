"""What happens when a client disconnects: its response is cancelled, its job lingers (`jobs`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from voxgate.api.request_log import RequestEntry

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.requests import Request
    from starlette.types import Receive

CLIENT_CLOSED_REQUEST = 499


def left_during_the_body(request: Request) -> Response:
    """Return the response to a caller who disconnected: nobody reads it, the log shows it."""
    RequestEntry.of(request.scope).code = "abandoned"
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def run_until_disconnect(
    response: Coroutine[None, None, None], left: Coroutine[None, None, None]
) -> bool:
    """Run `response`, and cancel it when `left` returns: the client has closed the connection.

    Returns whether the response ended. Raises what the response raises.
    """
    responding = asyncio.create_task(response)
    disconnecting = asyncio.create_task(left)
    try:
        await asyncio.wait({responding, disconnecting}, return_when=asyncio.FIRST_COMPLETED)
        if not responding.done():
            return False
        await responding
        return True
    finally:
        for task in (responding, disconnecting):
            task.cancel()
        await asyncio.gather(responding, disconnecting, return_exceptions=True)


async def disconnected(receive: Receive) -> None:
    """Return when the client has closed the connection. What else it sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
