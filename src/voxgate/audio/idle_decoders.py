"""`IdleDecoders`: decoders that wait for a further recording of the caller they worked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from voxgate.audio.fork_server import ForkServerProcess

IDLE_S: Final = 10.0
"""How long a decoder waits. A fork costs less than the memory that it would occupy for longer."""

MOST_AGE_S: Final = 60.0
"""From the beginning of its first recording to that of its last."""


@dataclass(slots=True, eq=False)
class Decoder:
    """A decoder's process, which is one caller's. Times are of the event loop's clock."""

    server: ForkServerProcess
    number: int
    tenant: Hashable
    born_s: float
    recordings: int = 1  # that it was given
    idle: asyncio.TimerHandle | None = field(default=None, repr=False)  # ends it

    @property
    def age_s(self) -> float:
        """Seconds since its first recording."""
        return asyncio.get_running_loop().time() - self.born_s


class IdleDecoders:
    """At most `most` decoders that wait, each for a recording of its own tenant.

    None gets more than `most_recordings`. One that is old or waits for too long is ended by `end`,
    and so is the one that waits longest where there are too many.
    """

    def __init__(self, most: int, most_recordings: int, end: Callable[[Decoder], None]) -> None:
        self._most, self._most_recordings, self._end = most, most_recordings, end
        self._decoders: list[Decoder] = []  # the one that waits longest first

    def take(self, tenant: Hashable) -> Decoder | None:
        """Return a decoder that worked for this tenant alone, if one waits."""
        for decoder in [each for each in reversed(self._decoders) if each.tenant == tenant]:
            self._remove(decoder)
            if not decoder.server.has_ended(decoder.number) and decoder.age_s < MOST_AGE_S:
                decoder.recordings += 1
                return decoder
            self._end(decoder)
        return None

    def add(self, decoder: Decoder) -> bool:
        """Let a decoder wait for its tenant's next recording. Return whether it may.

        It may not without a tenant: two recordings of nobody may be of two.
        """
        if decoder.tenant is None or decoder.recordings >= self._most_recordings:
            return False
        self._decoders.append(decoder)
        loop = asyncio.get_running_loop()
        decoder.idle = loop.call_later(IDLE_S, self._give_up, decoder)
        if len(self._decoders) > self._most:
            self._give_up(self._decoders[0])
        return True

    def clear(self) -> None:
        """Forget all of them: their server ends."""
        for decoder in list(self._decoders):
            self._remove(decoder)

    def _give_up(self, decoder: Decoder) -> None:
        self._remove(decoder)
        self._end(decoder)

    def _remove(self, decoder: Decoder) -> None:
        self._decoders.remove(decoder)
        if decoder.idle:
            decoder.idle.cancel()
