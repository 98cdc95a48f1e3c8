"""`EventReader`: a connection's events, read by the library, in bounded memory and time.

The library reads as many bytes as a header claims, and fails in many ways where a client sends
something else than events.
"""

from __future__ import annotations

import asyncio

from wyoming.event import Event, async_read_event

from voxgate.errors import UsageError, VoxgateError

HEADER_BYTES = 64 * 1024
PART_BYTES = 2**20
"""The largest data and the largest payload of one event: 32 s of sound at 16 kHz."""

NOT_EVENT = UsageError(
    "What came is no Wyoming event: a line of JSON of at most 64 KiB, as the library 'wyoming' "
    "writes it."
)


class EventReader(asyncio.StreamReader):
    """What a client sends. `left` is set when it has closed the connection."""

    def __init__(self) -> None:
        super().__init__(limit=HEADER_BYTES)
        self.left = asyncio.Event()

    async def event(self, patience_s: float) -> Event | None:
        """Return the next event, or None where the client has left.

        Raises `UsageError` for bytes that are no event or too large, and `VoxgateError`
        (`request_timeout`) where it does not arrive completely in `patience_s` seconds.
        """
        patience = asyncio.timeout(patience_s)
        try:
            async with patience:
                event = await async_read_event(self)
        except TimeoutError as error:
            if not patience.expired():
                raise
            raise VoxgateError(
                f"No event came for {patience_s:g} s. Connect again.", code="request_timeout"
            ) from error
        except (OSError, asyncio.IncompleteReadError):
            return None
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise NOT_EVENT from error
        if event is None:
            if self.at_eof():
                return None
            raise NOT_EVENT
        event.data = event.data or {}  # some clients write null
        if not (isinstance(event.type, str) and isinstance(event.data, dict)):
            raise NOT_EVENT
        return event

    async def readexactly(self, n: int) -> bytes:
        """Return this many bytes. Raises `UsageError` before it waits for too many."""
        if not isinstance(n, int) or not 0 <= n <= PART_BYTES:
            raise UsageError(
                f"An event has more than {PART_BYTES // 2**20} MiB. Send sound in shorter chunks."
            )
        return await super().readexactly(n)

    async def disconnected(self) -> None:
        """Return when the client has left."""
        await self.left.wait()

    def feed_eof(self) -> None:
        """Note that the client has left."""
        super().feed_eof()
        self.left.set()

    def set_exception(self, exc: Exception) -> None:
        """Note that the connection broke."""
        super().set_exception(exc)
        self.left.set()
