"""`Session`: the decoders and engines that all recordings of a process share."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from voxgate.answers.values import check_stop_of_schema
from voxgate.audio.channels import SoundChoice
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source, is_open, open_in_thread
from voxgate.errors import EngineStartError, UnknownModelError, UsageError, VoxgateError
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import (
    DEFAULT_MODEL,
    ModelSpec,
    find_model,
    find_named_model,
)
from voxgate.models.default_model import DEFAULT_NAME
from voxgate.models.placement import place_model
from voxgate.pipeline.alignment import not_aligned
from voxgate.pipeline.answer_plan import (
    AnswerPlan,
    answer_routes,
    can_answer,
    cannot_answer,
    wrong_answer_model,
)
from voxgate.pipeline.answering import AnswerJob, check_messages
from voxgate.pipeline.budget import AcceptedOptions, accept_options, accept_question
from voxgate.pipeline.endpoints import NO_PREFERENCES, Endpoints
from voxgate.pipeline.job import FinalPiece, JobProgress, TranscriptionJob
from voxgate.pipeline.route import Route, SharedProvider
from voxgate.pipeline.trace import Trace
from voxgate.settings import Settings
from voxgate.transcript.values import Notice, Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from voxgate.answers.values import Answer
    from voxgate.audio.arriving import ArrivingFile
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.pipeline.question import AskedMessage
    from voxgate.providers.base import Provider
    from voxgate.transcript.values import Transcript

log = logging.getLogger(__name__)

ALIGNER = "openai/whisper-base"
"""The model that finds the times of words for models without times, and the language for models
that do not name it."""


class Session:
    """Running decoders and loaded models, within one event loop.

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
        """`models` are the models that callers may name; None means those of this machine.

        `start` creates a model's provider at its first use; None means a local engine.
        """
        self.settings = settings or Settings.read()
        self.models = AvailableModels(self.settings) if models is None else models
        self.endpoints = Endpoints(self.settings, start)
        self._decoders = DecoderPool(self.settings)
        self._closed = False

    async def transcribe(
        self,
        source: AudioInput | ArrivingFile,
        *,
        model: str | ModelSpec | Route = DEFAULT_MODEL,
        options: Options | AcceptedOptions | None = None,
        name: str | None = None,
        pcm: PcmDeclaration | None = None,
        choice: SoundChoice | None = None,
        times: bool = True,
        tenant: Hashable = None,
        trace: Trace | None = None,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
        on_final: Callable[[FinalPiece], None] = lambda _: None,
        cover: Callable[[float], Awaitable[None]] | None = None,
        whole: bool = True,
    ) -> Transcript:
        """Transcribe a path, bytes, an open binary file, or a file that is still arriving.

        `model` is a name, the folder of a checkpoint, a spec that `find_model` returned, or a route
        that `route` returned; that one is used whatever its name stands for by now.
        `options` are checked here, unless `accept_options` has done that. `name` is the recording's
        name in messages. `pcm` declares the format of headerless samples. `choice` names a sound
        track, and splits channels. `times` says whether the times of words are wanted: for a model
        without them `ALIGNER` finds them where it is installed, and otherwise they are estimated.
        Decoders and engines are shared fairly between tenants. `trace` collects times and attempts.
        `on_progress` is called as the recording is done, `on_final` with the next segments of the
        transcript as soon as nothing can change them, `cover` before sound is recognised: it may
        refuse so many seconds of the recording. Without `whole`, what follows the end of the
        text (`max_tokens`, `stop`) is not decoded, and the transcript is that much shorter.
        Raises `VoxgateError`.
        """
        asked = await self._asked(model)
        if isinstance(asked, ModelSpec):
            route = self.endpoints.route(asked, _plain(options))
        else:
            route = asked
        if not isinstance(options, AcceptedOptions):
            first = route.first
            options = accept_options(first.name, first.capabilities, options or Options())
        choice = choice or SoundChoice()
        choice.check(options.options)
        aligner = await self._find_aligner() if times and route.lacks_word_times else None
        drafter = await self._find_drafter(route, options.options)
        open_source = partial(
            Source.open,
            source,
            self.settings,
            name=name,
            pcm=pcm,
            choice=choice,
            language=options.options.language,
        )
        with open_source() if is_open(source) else await open_in_thread(open_source) as opened:
            job = TranscriptionJob(
                source=opened,
                options=options,
                route=route,
                decoders=self._decoders,
                settings=self.settings,
                aligner=aligner if isinstance(aligner, SharedProvider) else None,
                drafter=drafter,
                tenant=tenant,
                trace=trace,
                on_progress=on_progress,
                on_final=on_final,
                cover=cover,
                whole=whole,
            )
            transcript = replace(await job.transcript(), channel_names=choice.channel_names)
        if isinstance(aligner, Notice):
            return replace(transcript, notices=(*transcript.notices, aligner))
        return transcript

    async def answer(
        self,
        messages: Sequence[AskedMessage],
        *,
        model: str | ModelSpec | Route = DEFAULT_MODEL,
        options: Options | None = None,
        schema: str | None = None,
        tenant: Hashable = None,
        trace: Trace | None = None,
        on_text: Callable[[str], None] = lambda _: None,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
        cover: Callable[[float], Awaitable[None]] | None = None,
    ) -> Answer:
        """Answer a question about texts and recordings; the last message is the user's.

        Recordings are heard whole, as long as all of them together are no longer than the model
        hears; one that makes them too long is transcribed and read. Of the options those of
        sampling, `max_tokens` and `stop` count. With a `schema`, which `checked_schema` accepted,
        the answer is JSON. `on_text` is called with the answer as it comes: what it was called with
        is never taken back, so an error after it ends the answer. What is else is as for
        `transcribe`; `cover` is awaited with the seconds of all recordings together. Raises
        `VoxgateError`.
        """
        check_messages(messages)
        check_stop_of_schema(options.stop if options else (), schema)
        plan = await self.plan_answer(model, options)
        first = plan.answerers.first
        accepted = accept_question(first.name, first.capabilities, options or Options())
        job = AnswerJob(
            messages,
            plan=plan,
            options=accepted,
            schema=schema,
            decoders=self._decoders,
            settings=self.settings,
            transcribe=partial(self.transcribe, tenant=tenant, times=False),
            tenant=tenant,
            trace=trace or Trace(),
            on_text=on_text,
            on_progress=on_progress,
            cover=cover,
        )
        return await job.answer()

    async def plan_answer(
        self, model: str | ModelSpec | Route = DEFAULT_MODEL, options: Options | None = None
    ) -> AnswerPlan:
        """Return who would answer such a question, before any work is done for it.

        Raises `UsageError` (`unsupported_option`) where nobody can, and what `resolve` and
        `Endpoints.route` raise.
        """
        asked, options = await self._asked(model), options or Options()
        answerers, transcribers = answer_routes(self.endpoints, asked, options)
        if answerers is not None:
            return AnswerPlan(answerers, transcribers)
        name = asked.first.name if isinstance(asked, Route) else asked.name
        if not self.settings.answer_model:
            raise cannot_answer(
                name, [each.name for each in await self.list_models() if can_answer(each)]
            )
        preferences = asked.preferences if isinstance(asked, Route) else NO_PREFERENCES
        reader = await self.resolve(self.settings.answer_model, folders=False)
        answerers, _ = answer_routes(self.endpoints, reader, options, preferences)
        if answerers is None:
            raise wrong_answer_model(reader.name)
        return AnswerPlan(answerers, transcribers, hears=False)

    async def resolve(self, model: str, *, folders: bool = True) -> ModelSpec:
        """Return the model of this name or, if `folders` is true, in this folder, and its device.

        Reads directories and headers, in a thread. Resolve a model once for each request, and pass
        on the spec. Raises `UnknownModelError`, `EngineStartError` (`no_endpoints`) for an alias of
        which no model is installed, `CheckpointError` for a folder without a checkpoint, and
        `ChangedCheckpointError` for files that are not those that were installed.
        """
        find = find_model if folders else find_named_model
        return await asyncio.to_thread(lambda: self._place(find(model, self.models)))

    async def is_one_of(self, model: str, names: Iterable[str]) -> bool:
        """Return whether one of these names stands for the model; an unknown one for itself.

        Reads directories and headers, all in one thread, and never a folder's by its name.
        """
        return await asyncio.to_thread(
            lambda: self._own_name(model) in map(self._own_name, names)  # until the first of them
        )

    async def own_names(self, names: Iterable[str]) -> set[str]:
        """Return the names of the models that these stand for; an unknown one stands for itself.

        Reads directories and headers, all in one thread, and never a folder's by its name.
        """
        return await asyncio.to_thread(lambda: set(map(self._own_name, names)))

    async def language_detector(self) -> str:
        """Return the model that says which language is spoken: the default one, if it can.

        Raises as `resolve` does.
        """
        default = await self.resolve(DEFAULT_NAME, folders=False)
        return default.name if default.capabilities.names_language else ALIGNER

    async def list_models(self) -> list[ModelSpec]:
        """Return every model that callers may name, with its placement. Reads them in a thread."""
        return await asyncio.to_thread(lambda: list(map(self._place, self.models.values())))

    @property
    def waiting_windows(self) -> dict[str, int]:
        """How many windows wait for a model, by its name."""
        return self.endpoints.waiting_windows

    def provider(self, spec: ModelSpec) -> Provider:
        """Return the provider of a resolved model. Its engine starts with its first window.

        Raises `EngineStartError` (`no_endpoints`) for a model whose packages are not installed.
        """
        return self.endpoints.here(spec).provider

    async def warm(self, *models: str) -> None:
        """Start the decoders' fork server and these models now. Raises `VoxgateError`."""
        await self._decoders.warm()
        for model in models:
            for each in self.endpoints.of(await self.resolve(model)):
                await each.provider.warm()

    async def aclose(self) -> None:
        """End every process of this session, for good. May be called again."""
        self._closed = True
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._decoders.aclose)
            stack.push_async_callback(self.endpoints.aclose)

    async def _find_aligner(self) -> SharedProvider | Notice | None:
        """Return what gives times to the words of a model that has none.

        None where nothing can: without its packages times are estimated, as always. A
        notice says why an aligner that is there cannot be used.
        """
        try:
            aligner = self.endpoints.here(await self.resolve(ALIGNER, folders=False))
        except (UnknownModelError, EngineStartError):
            return None
        except VoxgateError as error:
            return not_aligned(error)
        return aligner if aligner.capabilities.aligns else None

    async def _find_drafter(self, route: Route, options: Options) -> SharedProvider | None:
        """Return what hears windows first, where that makes others of the route faster.

        A model that cannot is no failure of a transcription: the log says why there is none.
        """
        name = self.settings.draft_model
        checking = any(each.capabilities.drafts for each in route.providers)
        if not (name and checking and options.greedy):
            return None
        try:
            spec = await self.resolve(name, folders=False)
            if spec.loader is None or not spec.capabilities.transcribes:
                raise UnknownModelError(f"{spec.name} does not transcribe on this machine.")
            drafter = self.endpoints.here(spec)
        except VoxgateError as error:
            log.warning("There are no drafts by 'draft_model': %s", error.sentence)
            return None
        return None if drafter in route.providers else drafter

    async def _asked(self, model: str | ModelSpec | Route) -> ModelSpec | Route:
        """Return a model with its device, or a route of this session, which must be open."""
        if self._closed:
            raise UsageError("This session is closed. Open another: `async with Session() as ...`.")
        if isinstance(model, str):
            return await self.resolve(model)
        if isinstance(model, ModelSpec):
            return await asyncio.to_thread(self._place, model)
        self.endpoints.check_own(model)
        return model

    def _place(self, spec: ModelSpec) -> ModelSpec:
        return place_model(spec, self.settings)

    def _own_name(self, name: str) -> str:
        """Return the name of the model that a name stands for; of an unknown one, the name."""
        try:
            return self.models[name].name
        except (KeyError, VoxgateError):
            return name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _plain(options: Options | AcceptedOptions | None) -> Options | None:
    return options.options if isinstance(options, AcceptedOptions) else options
