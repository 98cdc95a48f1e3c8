"""Where the questions of a call are answered: on this machine, or by a server."""

# ruff: noqa: PLC0415 (a backend imports its modules when it is chosen)
from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.backend import only_model
from voxgate.cli.streams import print_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from voxgate.answers.values import Answer
    from voxgate.client.request import UploadProgress
    from voxgate.pipeline.job import JobProgress
    from voxgate.pipeline.question import AskedMessage
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options


class Ask(Protocol):
    """`answer` of a `Session` or of a `RemoteSession`, with the model of the call."""

    def __call__(
        self,
        messages: Sequence[AskedMessage],
        *,
        options: Options,
        on_text: Callable[[str], None] = ...,
        on_progress: Callable[[JobProgress | UploadProgress], None],
    ) -> Coroutine[None, None, Answer]:
        """Return the answer to messages with recordings. Raises `VoxgateError`."""


class AnswerBackend(Protocol):
    """Where questions are answered. Its constructor raises for a call that it cannot serve.

    `first_phase` is what a recording waits for before its first progress.
    """

    first_phase: str

    def open(self) -> AbstractAsyncContextManager[Ask]:
        """Return a context manager of a function that answers one question."""


class LocalAnswers:
    """Models, engines and decoders of this machine. Raises what `find_answering` raises.

    With a schema the answers are JSON that follows it.
    """

    first_phase = "starting"

    def __init__(self, settings: Settings, model: str | None, schema: str | None = None) -> None:
        from voxgate.cli.answering_model import find_answering

        self._settings, self._schema = settings, schema
        self._spec = find_answering(model, settings)
        self.model = self._spec.name

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ask]:
        """Open a session, which starts engines and decoders when they are needed.

        Raises `UsageError` (`unsupported_option`) where nobody answers.
        """
        from voxgate.pipeline.session import Session

        async with Session(self._settings) as session:
            await session.plan_answer(self._spec)
            yield partial(session.answer, model=self._spec, schema=self._schema)


class ServerAnswers:
    """A server and its models. Raises `UsageError` for a URL or a key that no server accepts."""

    first_phase = "waiting for the server"

    def __init__(self, settings: Settings, url: str, key: str | None, model: str | None) -> None:
        from voxgate.client.remote import RemoteSession

        self._server = RemoteSession(url, key, settings, on_wait=print_message)
        self.model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ask]:
        """Connect to the server. Without a model, its only model that answers is used."""
        async with self._server as server:
            model = self.model or only_model(await server.models(answering=True), "answers")
            yield partial(server.answer, model=model)
