"""Decoding from the caller's side: recordings in, blocks of sound out, failures as sentences."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voxgate.audio.fork_server import ForkServerProcess
from voxgate.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from voxgate.audio.decoded import Decoded
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


class Decoders:
    """The fork server and the decoders that it becomes; started at first use.

    One is enough for a process. `max_decoders` recordings decode at once, others wait for their
    turn, which is shared fairly between parties: a decoder that shared a core with fifty would fall
    behind real time and be ended for it.
    Use it as an asynchronous context, within one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: ForkServerProcess | None = None
        self._starting = asyncio.Lock()
        self._turns = Turns(settings.max_decoders)

    async def decode(self, source: Source, party: Hashable = None) -> AsyncGenerator[Decoded]:
        """Decode one recording, as fast as the blocks are taken and no faster.

        `party` is who takes turns with others. Closing the iterator ends its decoder. Raises
        `AudioError` of every kind, `SpoolFullError`.
        """
        async with self._turns.turn(party):
            server = await self._started()
            child = await server.fork(source, self._settings)
            try:
                async for message in child.messages():
                    yield message
            finally:
                await child.close()

    async def warm(self) -> int:
        """Start the fork server now rather than at the first recording. Returns its process id."""
        return (await self._started()).pid

    async def aclose(self) -> None:
        """End the fork server and every decoder. May be called again."""
        async with self._starting:
            await self._end()

    async def __aenter__(self) -> Decoders:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _end(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.close()

    async def _started(self) -> ForkServerProcess:
        async with self._starting:
            if self._server and not self._server.alive:
                await self._end()
            if not self._server:
                self._server = await ForkServerProcess.start(self._settings)
            return self._server
