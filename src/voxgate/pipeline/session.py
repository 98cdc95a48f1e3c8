"""`Session`: what outlives one recording, so that the next one starts at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.errors import NoWeightsError, UsageError
from voxgate.fair_queue import FairQueue
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import find_model, why_not_installed
from voxgate.models.placement import place_model
from voxgate.pipeline.job import JobProgress, TranscriptionJob
from voxgate.providers.local import LocalEngine
from voxgate.providers.memory_arbiter import MemoryArbiters
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from types import TracebackType
    from typing import Self

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.trace import Trace
    from voxgate.providers.base import Provider
    from voxgate.transcript.values import Transcript

DEFAULT_MODEL = "cmusphinx/en-us"
"""The model whose weights come inside its package: it works anywhere, at once, offline."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """A model's provider, and the turns that recordings take at it."""

    provider: Provider
    lane: FairQueue


class Session:
    """Warm decoders and loaded models, within one event loop.

    Any number of recordings may be transcribed at once. Leaving the context ends every process:

        async with Session() as session:
            transcript = await session.transcribe("note.flac")
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Mapping[str, ModelSpec] | None = None,
        start: Callable[[ModelSpec, Settings], Provider] | None = None,
    ) -> None:
        """`models` are those that may be asked for; None are those of this machine.

        `start` makes one's provider at first use; None is an engine of this machine.
        """
        self.settings = settings or Settings.read()
        self.models = AvailableModels(self.settings) if models is None else models
        self._rooms = MemoryArbiters(self.settings)
        self._start = start or self._local
        self._decoders = DecoderPool(self.settings)
        # By address and revision: a model may have several names, and a folder other files later.
        self._desks: dict[tuple[str, str | None], _Desk] = {}
        self._closed = False

    async def transcribe(
        self,
        given: AudioInput,
        *,
        model: str | Provider = DEFAULT_MODEL,
        options: Options | None = None,
        name: str | None = None,
        pcm: PcmDeclaration | None = None,
        party: Hashable = None,
        trace: Trace | None = None,
        standing: Callable[[JobProgress], None] = lambda _: None,
    ) -> Transcript:
        """Transcribe a path, bytes or an open binary file.

        `model` is a name, the folder of a checkpoint, or what `provider` has given: that one
        answers, whatever its name stands for by now. `name` is what messages call the recording;
        `pcm` declares headerless sound; `party` is whom the work is for: decoders and engines are
        shared fairly between parties; `trace` takes where the time went; `standing` is told how
        far it has come. Raises `VoxgateError`.
        """
        if self._closed:
            raise UsageError("This session is closed. Open another: `async with Session() as ...`.")
        desk = self._desk(model) if isinstance(model, str) else self._desk_of(model)
        source = await asyncio.to_thread(Source.open, given, self.settings, name=name, pcm=pcm)
        with source:
            run = TranscriptionJob(
                source=source,
                options=options or Options(),
                provider=desk.provider,
                decoders=self._decoders,
                settings=self.settings,
                lane=desk.lane,
                party=party,
                trace=trace,
                standing=standing,
            )
            return await run.transcript()

    def provider(self, model: str) -> Provider:
        """The provider of a model; its engine starts when it gets its first window.

        Raises `UnknownModelError`, `NoWeightsError` for a model that is not installed, and
        `CheckpointError` for a folder that holds none; `ChangedCheckpointError` for one that holds
        no longer what was installed.
        """
        return self._desk(model).provider

    async def warm(self, *models: str) -> None:
        """Start the decoders' fork server and these models now. Raises `VoxgateError`."""
        await self._decoders.warm()
        for model in models:
            await self.provider(model).warm()

    async def aclose(self) -> None:
        """End every process of this session, for good. May be called again."""
        self._closed = True
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._decoders.aclose)
            for desk in self._desks.values():
                stack.push_async_callback(desk.provider.aclose)
            self._desks = {}

    def _desk(self, model: str) -> _Desk:
        spec = place_model(find_model(model, self.models), self.settings)
        key = spec.address, spec.revision
        if key not in self._desks:
            if absent := why_not_installed(spec):
                raise NoWeightsError(absent)
            provider = self._start(spec, self.settings)
            lane = FairQueue(provider.capabilities.concurrency)
            self._desks[key] = _Desk(provider, lane)
        return self._desks[key]

    def _local(self, spec: ModelSpec, settings: Settings) -> Provider:
        return LocalEngine(spec, settings, self._rooms.of(spec.device))

    def _desk_of(self, provider: Provider) -> _Desk:
        for desk in self._desks.values():
            if desk.provider is provider:
                return desk
        raise UsageError(f"The provider of {provider.name} is of another session. Use its own.")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
