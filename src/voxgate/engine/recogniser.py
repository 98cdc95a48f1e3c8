"""The `Recogniser` protocol: a loaded model inside an engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    from voxgate.engine.capabilities import Capabilities
    from voxgate.transcript.values import Event, Options


class Recogniser(Protocol):
    """A model that is ready to work. Called from `capabilities.concurrency` threads at once."""

    @property
    def name(self) -> str:
        """The model's full name."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def recognise(self, pcm16: bytes, options: Options) -> Generator[Event, None, None]:
        """Events of one window of mono PCM16LE at 16 kHz, ending with `Done`.

        Every item is a step: it shows that the work goes on, and it is the place where the work can
        be stopped, by closing the generator. A model with nothing to say yet yields a `Progress`.
        A step must stay well below the engine's patience (`Settings.engine_patience_s`). The same
        window gives the same events, whatever came before it. Raises `VoxgateError`.
        """
