"""Where the recordings of a call are transcribed: on this machine, or by a server."""

# ruff: noqa: PLC0415 (a backend imports its modules when it is chosen)
from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from voxgate.cli.streams import print_message
from voxgate.errors import UsageError
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.client.request import UploadProgress
    from voxgate.models.default_model import DefaultModel
    from voxgate.pipeline.job import JobProgress
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript

FIRST_NOTICE = "{model} is used; `voxgate models` lists others."
NEXT_NOTICE = "{reason} {model} is used instead; -m names another."
ELSEWHERE_NOTICE = (
    "{reason} {model} is used instead, which is not on this machine: {providers} gets the "
    "recording. -m names another."
)
ONLY_MODEL_NOTICE = "{model} is used: the server has no other model."

PHASES_OF_MISTAKES = {"decoding", "sending", "sent"}
"""The phases of a recording in which a mistake in the call may still be found."""


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
        on_progress: Callable[[JobProgress | UploadProgress], None],
    ) -> Transcript:
        """Return the transcript of a recording. Raises `VoxgateError`."""


class TranscriptionBackend(Protocol):
    """Where recordings are transcribed. Its constructor raises for a call that it cannot serve.

    `first_phase` is what a recording waits for before its first progress.
    """

    first_phase: str

    @property
    def model(self) -> str | None:
        """The model's name; None where the server chooses."""

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
        self.model = self._spec.name
        self._spec.capabilities.check(self._spec.name, options)

    @property
    def places(self) -> tuple[str, ...]:
        """Who recognises first: this machine or, where the model is not on it, its providers."""
        elsewhere = tuple(each.upstream.name for each in self._spec.endpoints)
        return elsewhere if self._spec.loader is None else (LOCAL,)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Open a session, which starts engines and decoders when they are needed."""
        from voxgate.pipeline.session import Session

        async with Session(self._settings) as session:
            transcribe = partial(session.transcribe, model=self._spec, times=self._times)
            yield _announcing(transcribe, self._notice)


def _default_notice(default: DefaultModel) -> str:
    """Return the sentence on a model that the caller did not name; empty if it was said before.

    It is said when the built-in model is installed, by its first use. Whoever installed another
    was told then that it is used.
    """
    if default.reason and default.spec.loader is None:
        providers = " or ".join(each.upstream.name for each in default.spec.endpoints)
        return ELSEWHERE_NOTICE.format(
            reason=default.reason, model=default.spec.name, providers=providers
        )
    if default.reason:
        return NEXT_NOTICE.format(reason=default.reason, model=default.spec.name)
    return "" if default.spec.checkpoint else FIRST_NOTICE.format(model=default.spec.name)


def _announcing(transcribe: Callable[..., Awaitable[Transcript]], notice: str) -> Transcribe:
    """Return the function, with a notice once its model works: not before a mistake in the call."""
    notices = [notice] if notice else []

    async def announced(
        source: AudioInput,
        *,
        on_progress: Callable[[JobProgress | UploadProgress], None],
        **call: Any,
    ) -> Transcript:
        def report(status: JobProgress | UploadProgress) -> None:
            if status.phase not in PHASES_OF_MISTAKES and notices:
                print_message(notices.pop())
            on_progress(status)

        return await transcribe(source, on_progress=report, **call)

    return announced


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
        *,
        schema: str | None = None,
    ) -> None:
        """With a schema the transcripts have data that follows it."""
        from voxgate.client.remote import RemoteSession

        RemoteSession.check(pcm)
        self._server = RemoteSession(url, key, settings, on_wait=print_message)
        self.model, self._schema = model, schema

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Connect to the server. Without a model, its only model is used."""
        async with self._server as server:
            answers = self._schema is not None
            model = self.model or only_model(
                await server.models(answering=answers), "answers" if answers else "transcribes"
            )
            notice = "" if self.model else ONLY_MODEL_NOTICE.format(model=model)
            transcribe = partial(server.transcribe, model=model, schema=self._schema)
            yield _announcing(transcribe, notice)


def only_model(names: list[str], does: str = "transcribes") -> str:
    """Return the one model of a server that does it. Raises `UsageError` for none, and several."""
    if not names:
        raise UsageError(f"The server has no model that {does}. Install one there.")
    if len(names) > 1:
        raise UsageError(
            f"The server has several models: name one of them with -m: {', '.join(names)}."
        )
    return names[0]
