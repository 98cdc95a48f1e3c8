"""`BatchRun` and its backends: transcribe the recordings of a call here or on a server."""

# ruff: noqa: PLC0415 (a backend imports its modules when it is chosen)
from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.fetching import opened_input
from voxgate.cli.outputs import UnwritableError
from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, progress_line
from voxgate.cli.streams import print_error, print_message
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

    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.outputs import Output
    from voxgate.models.default_model import DefaultModel
    from voxgate.pipeline.job import JobProgress
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript

BUILT_IN_NOTICE = (
    "{model} is used, the model that comes with Voxgate; -m names another, and {pull} gets Voxtral."
)
NEWEST_NOTICE = "{model} is used, the model that was installed last; -m names another."
NEXT_NOTICE = "{reason} {model} is used instead; -m names another."
ONLY_MODEL_NOTICE = "{model} is used: the server has no other model."
OUTCOMES = ("transcribed", "skipped", "failed", "not begun")
"""Of recordings, in the order of the summary."""


class BatchRun:
    """The recordings of one call, transcribed one after another by one backend."""

    def __init__(
        self,
        backend: TranscriptionBackend,
        options: Options,
        pcm: PcmDeclaration | None,
        choice: SoundChoice,
        output: Output,
        *,
        settings: Settings,
    ) -> None:
        self.speed = SpeedSummary()
        self._outcomes = Counter[str]()
        self._backend, self._options = backend, options
        self._pcm, self._choice, self._output = pcm, choice, output
        self._settings = settings

    async def run(self, recordings: Sequence[InputRecording]) -> bool:
        """Transcribe and write all recordings, print every error, and return whether none failed.

        A bad recording does not stop the others, but an error that would recur for each of them
        does. Raises `VoxgateError` if the backend cannot be opened.
        """
        self._outcomes["not begun"] = len(recordings)
        async with self._backend.open() as transcribe:
            for recording in recordings:
                self._outcomes["not begun"] -= 1
                try:
                    async with opened_input(recording, self._settings) as opened:
                        outcome = await self._transcribe_one(transcribe, opened)
                    self._outcomes[outcome] += 1
                except VoxgateError as error:
                    print_error(error, "" if isinstance(error, OutputError) else recording.name)
                    self._outcomes["failed"] += 1
                    if _would_recur(error):
                        break
        return not self._outcomes["failed"]

    def summary(self) -> str:
        """Return how many recordings were transcribed, skipped, not begun, and how many failed."""
        counts = [f"{self._outcomes[name]} {name}" for name in OUTCOMES if self._outcomes[name]]
        noun = "recording" if self._outcomes.total() == 1 else "recordings"
        return f"{self._outcomes.total()} {noun}: {', '.join(counts)}."

    @property
    def skipped(self) -> bool:
        """Whether a recording was skipped."""
        return self._outcomes["skipped"] > 0

    async def _transcribe_one(self, transcribe: Transcribe, recording: InputRecording) -> str:
        """Transcribe a recording that the output wants, and return its outcome."""
        if not await self._output.wants(recording):
            return "skipped"
        speed = TranscriptionSpeed(self._backend.first_phase)
        with progress_line(recording.name, speed) as on_progress:
            transcript = await transcribe(
                recording.source,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                choice=self._choice,
                on_progress=on_progress,
            )
        self.speed.add(transcript.duration, speed)
        _print_notices(recording, transcript)
        await self._output.write(recording, transcript)
        return "transcribed"


def _would_recur(error: VoxgateError) -> bool:
    recurring = (EngineStartError, OutputError, UnusableServerError)
    return isinstance(error, recurring) and not isinstance(error, UnwritableError)


def _print_notices(recording: InputRecording, transcript: Transcript) -> None:
    for notice in transcript.notices:  # a server does not know the recording's name here
        prefix = "" if recording.name in notice.sentence else f"{recording.name}: "
        print_message(f"warning: {prefix}{notice.sentence}")
    if not transcript.text and not transcript.notices:
        print_message(
            f"warning: no words were recognised in {recording.name}: its transcript is empty."
        )


class Transcribe(Protocol):
    """`transcribe` of a `Session` or of a `RemoteSession`, with the model of the call."""

    async def __call__(
        self,
        source: AudioInput,
        *,
        options: Options | None,
        name: str | None,
        pcm: PcmDeclaration | None,
        choice: SoundChoice,
        on_progress: Callable[[JobProgress], None],
    ) -> Transcript:
        """Return the transcript of a recording. Raises `VoxgateError`."""


class TranscriptionBackend(Protocol):
    """Where recordings are transcribed. Its constructor raises for a call that it cannot serve.

    `first_phase` is what a recording waits for before its first progress.
    """

    first_phase: str

    def open(self) -> AbstractAsyncContextManager[Transcribe]:
        """Return a context manager of a function that transcribes one recording."""


class LocalBackend:
    """Models, engines and decoders of this machine.

    Raises `UnknownModelError`, `CheckpointError` for a folder without a checkpoint, and
    `UsageError` (`unsupported_language`) or `UsageError` (`unsupported_option`) for an option that
    the model does not support. `times` says whether a format of the call has times.
    """

    first_phase = "starting"

    def __init__(
        self, settings: Settings, model: str | None, options: Options, *, times: bool
    ) -> None:
        from voxgate.models.available import AvailableModels
        from voxgate.models.catalogue import find_model
        from voxgate.models.default_model import choose_default

        models = AvailableModels(settings)
        if model:
            self._notice, self._spec = "", find_model(model, models)
        else:
            default = choose_default(models, settings)
            self._notice, self._spec = _default_notice(default), default.spec
        self._settings, self._times = settings, times
        self._spec.capabilities.check(self._spec.name, options)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Open a session, which starts engines and decoders when they are needed."""
        from voxgate.pipeline.session import Session

        if self._notice:
            print_message(self._notice)
        async with Session(self._settings) as session:
            yield partial(session.transcribe, model=self._spec, times=self._times)


def _default_notice(default: DefaultModel) -> str:
    """Return the sentence on a model that the caller did not name."""
    from voxgate.models.catalogue import DEFAULT_MODEL
    from voxgate.models.store.names import pull_advice

    name = default.spec.name
    if default.reason:
        return NEXT_NOTICE.format(reason=default.reason, model=name)
    if name == DEFAULT_MODEL:
        return BUILT_IN_NOTICE.format(model=name, pull=pull_advice("voxtral-mini"))
    return NEWEST_NOTICE.format(model=name)


class ServerBackend:
    """A server and its models: nothing on this machine is started or checked.

    It is asked for times whatever the call's formats are, since txt has a line for each segment.

    Raises `UsageError` for a URL, a key or a PCM declaration that no server accepts.
    """

    first_phase = "waiting for the server"

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
        self._server = RemoteSession(url, key, settings, on_wait=print_message)
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Connect to the server. Without a model, its only model is used."""
        async with self._server as server:
            model = self._model or _only_model(await server.models())
            yield partial(server.transcribe, model=model)


def _only_model(names: list[str]) -> str:
    if not names:
        raise UsageError("The server has no model that transcribes. Install one there.")
    if len(names) > 1:
        raise UsageError(
            f"The server has several models: name one of them with -m: {', '.join(names)}."
        )
    print_message(ONLY_MODEL_NOTICE.format(model=names[0]))
    return names[0]
