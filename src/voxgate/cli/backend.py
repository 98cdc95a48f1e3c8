"""Where a call's work is done: by this machine, or by a server elsewhere."""

# ruff: noqa: PLC0415 (what a workplace is built of is imported where it is chosen)
from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.outputs import UnwritableError
from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, progress_line
from voxgate.cli.streams import complain, say
from voxgate.errors import (
    EngineStartError,
    OutputError,
    UnusableServerError,
    UsageError,
    VoxgateError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.outputs import Output
    from voxgate.pipeline.job import JobProgress
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript


# MERGED cli.work
# The recordings of one call, one after another at one workplace: what is loaded there stays.


class Transcriber(Protocol):
    """Who does the work: a `Session` of this machine, or a `Server` elsewhere."""

    async def transcribe(
        self,
        source: AudioInput,
        *,
        model: str,
        options: Options | None,
        name: str | None,
        pcm: PcmDeclaration | None,
        on_progress: Callable[[JobProgress], None],
    ) -> Transcript:
        """One recording's transcript. Raises `VoxgateError`."""


class BatchRun:
    """What is asked of every recording of the call, and how fast it went."""

    def __init__(
        self,
        workplace: TranscriptionBackend,
        options: Options,
        pcm: PcmDeclaration | None,
        output: Output,
    ) -> None:
        self.figures = SpeedSummary()
        self._workplace, self._options = workplace, options
        self._pcm, self._output = pcm, output

    async def run(self, recordings: Sequence[InputRecording]) -> bool:
        """Transcribe and write each; whether all went well. Every failure has been said.

        One bad recording does not stop the others. What would fail them all alike does. Raises
        `VoxgateError` where the work cannot be begun.
        """
        complete = True
        async with self._workplace.open() as (transcriber, model):
            for left, recording in zip(range(len(recordings))[::-1], recordings, strict=True):
                try:
                    await self._one(transcriber, model, recording)
                except VoxgateError as error:
                    complain(error, "" if isinstance(error, OutputError) else recording.name)
                    complete = False
                    if _would_recur(error):
                        if left:
                            say(f"{left} of {len(recordings)} recordings were not begun.")
                        break
        return complete

    async def _one(self, transcriber: Transcriber, model: str, recording: InputRecording) -> None:
        pace = TranscriptionSpeed()
        with progress_line(recording.name, pace) as on_progress:
            transcript = await transcriber.transcribe(
                recording.given,
                model=model,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                on_progress=on_progress,
            )
        self.figures.add(transcript.duration, pace)
        _warn(recording, transcript)
        await self._output.put(recording, transcript)


def _would_recur(error: VoxgateError) -> bool:
    everywhere = (EngineStartError, OutputError, UnusableServerError)
    return isinstance(error, everywhere) and not isinstance(error, UnwritableError)


def _warn(recording: InputRecording, transcript: Transcript) -> None:
    for notice in transcript.notices:  # a server does not know what the recording is called here
        named = "" if recording.name in notice.sentence else f"{recording.name}: "
        say(f"warning: {named}{notice.sentence}")
    if not transcript.text and not transcript.notices:
        say(f"warning: no words were recognised in {recording.name}: its transcript is empty.")


FALLBACK_NOTICE = (
    "no Voxtral model is installed, so {model} is used: small, English only, and rough. "
    "`voxgate models pull mistralai/Voxtral-Mini-3B-2507` gets a better one."
)
NEWEST_NOTICE = "{model} is used, the model that was installed last; -m names another."
ONLY_LOCAL = "{model} is used: the server has no other model."


class TranscriptionBackend(Protocol):
    """What is made before any work, and says then what cannot be done there."""

    def open(self) -> AbstractAsyncContextManager[tuple[Transcriber, str]]:
        """Who transcribes there, and with which model."""


class LocalBackend:
    """Models, engines and decoders of this machine.

    Raises `UnknownModelError`, `CheckpointError` for a folder that holds none, and for what the
    model cannot do `UnsupportedLanguageError` and `OptionError`.
    """

    def __init__(self, settings: Settings, model: str | None, options: Options) -> None:
        from voxgate.models.available import AvailableModels
        from voxgate.models.catalogue import find_model
        from voxgate.pipeline.session import DEFAULT_MODEL

        shelf = AvailableModels(settings)
        newest = shelf.newest() if model is None else None
        self._model = model or newest or DEFAULT_MODEL
        self._remark = None if model else (NEWEST_NOTICE if newest else FALLBACK_NOTICE)
        self._settings = settings
        spec = find_model(self._model, shelf)
        spec.capabilities.check(spec.name, options)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Transcriber, str]]:
        """A session, which starts what is needed when it is needed."""
        from voxgate.pipeline.session import Session

        if self._remark:
            say(self._remark.format(model=self._model))
        async with Session(self._settings) as session:
            yield session, self._model


class ServerBackend:
    """A server and its models: nothing of this machine's own is started or checked.

    Raises `UsageError` for a URL, a key or a declaration that no server could take.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        key: str | None,
        model: str | None,
        pcm: PcmDeclaration | None,
    ) -> None:
        from voxgate.client.remote import RemoteSession

        RemoteSession.check(pcm)
        self._server = RemoteSession(url, key, settings, told=say)
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Transcriber, str]]:
        """The server. Without a model it is asked for its own, and its only one is used."""
        async with self._server as server:
            yield server, self._model or _only(await server.models())


def _only(models: list[str]) -> str:
    if len(models) != 1:
        names = ", ".join(models)
        raise UsageError(
            f"The server has several models: name one of them with -m: {names}."
            if models
            else "The server has no model that transcribes. Install one there."
        )
    say(ONLY_LOCAL.format(model=models[0]))
    return models[0]
