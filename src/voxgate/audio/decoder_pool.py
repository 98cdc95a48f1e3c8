"""`DecoderPool`: decode recordings in confined processes, which a fork server starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from voxgate.audio.fork_server import ForkServerProcess
from voxgate.audio.idle_decoders import Decoder, IdleDecoders
from voxgate.errors import VoxgateError
from voxgate.fair_queue import FairQueue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Hashable

    from voxgate.audio.decoder_process import DecoderEvent, Decoding
    from voxgate.audio.source import Source
    from voxgate.settings import Settings

log = logging.getLogger(__name__)


class DecoderPool:
    """The fork server and its decoders. The server starts at first use.

    A process needs only one pool. At most `max_decoders` recordings are decoded at once; others
    wait in a queue that is shared fairly between tenants. Without this limit a decoder that shares
    a core with fifty others would fall behind real time and be ended for it. A decoder may decode
    several recordings of one tenant, one after another. Use the pool as an asynchronous context
    manager, within one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: ForkServerProcess | None = None
        self._starting = asyncio.Lock()
        self._queue = FairQueue(settings.max_decoders)
        self._idle = IdleDecoders(settings.max_decoders, settings.decoder_recordings, self._end)
        self._ending = set[asyncio.Task[None]]()  # decoders that have sent everything

    async def decode(self, source: Source, tenant: Hashable = None) -> AsyncGenerator[DecoderEvent]:
        """Decode one recording, no faster than the events are consumed.

        Decoders are shared fairly between tenants. One that has decoded recordings of this tenant,
        and of no other, may be used; where it fails, the recording is decoded anew by itself.
        Closing the iterator ends its decoder. Raises `AudioError` with any of its codes, and
        `SpoolFullError`.
        """
        async with contextlib.AsyncExitStack() as held:
            await held.enter_async_context(self._queue.slot(tenant))
            given = 0  # events
            if source.size is not None and (decoder := self._idle.take(tenant)):
                try:
                    decoding = self._decode_again(decoder, source)
                    async with contextlib.aclosing(self._events(decoder, decoding, held)) as events:
                        async for event in events:
                            given += 1
                            yield event
                except VoxgateError as error:  # for which a recording before may be the reason
                    count = decoder.recordings
                    log.info("%s at recording %d of a decoder: decoded anew", error.code, count)
                else:
                    return
            server = await self._running_server()
            decoding = await server.fork(source)
            now_s = asyncio.get_running_loop().time()
            decoder = Decoder(server, decoding.decoder, tenant, now_s)
            async with contextlib.aclosing(self._events(decoder, decoding, held)) as events:
                async for event in events:
                    if given:  # before the failure; a file has the same events each time
                        given -= 1
                    else:
                        yield event

    async def warm(self) -> int:
        """Start the fork server before the first recording. Return its process id."""
        return (await self._running_server()).pid

    async def aclose(self) -> None:
        """End the fork server and every decoder. May be called again."""
        self._idle.clear()
        async with self._starting:
            await self._close_server()
        if self._ending:
            await asyncio.wait(self._ending)

    def _decode_again(self, decoder: Decoder, source: Source) -> Decoding:
        """Give a further recording to a decoder that waits, or end it."""
        try:
            return decoder.server.decode(decoder.number, source)
        except BaseException:
            self._end(decoder)
            raise

    async def _events(
        self, decoder: Decoder, decoding: Decoding, held: contextlib.AsyncExitStack
    ) -> AsyncGenerator[DecoderEvent]:
        """Yield the events. Then the decoder waits for another recording, or it ends.

        What is `held` for this recording is held until it has ended.
        """
        try:
            async for event in decoding.events():
                yield event
        except BaseException:
            await decoding.close()
            raise
        if decoding.decoder_waits and self._idle.add(decoder):
            decoding.leave()
            if decoder.recordings == 1:
                decoder.server.let_wait(decoder.number)
        else:  # only the next decoder waits for this end: all is decoded
            held.push_async_callback(decoding.close)
            self._end_by(held.pop_all().aclose())

    def _end(self, decoder: Decoder) -> None:
        """End a decoder that waits."""
        self._end_by(decoder.server.kill(decoder.number))

    def _end_by(self, end: Coroutine[None, None, None]) -> None:
        ending = asyncio.create_task(end)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def __aenter__(self) -> DecoderPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _close_server(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.close()

    async def _running_server(self) -> ForkServerProcess:
        async with self._starting:
            if self._server and not self._server.alive:
                await self._close_server()
            if not self._server:
                self._server = await ForkServerProcess.start(self._settings)
            return self._server
