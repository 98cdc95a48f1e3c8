"""Where a call's work is done: by this machine, or by a server elsewhere."""

# ruff: noqa: PLC0415 (what a workplace is built of is imported where it is chosen)

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from voxgate.cli.streams import say
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli.work import Transcriber
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options

FALLBACK = (
    "no Voxtral model is installed, so {model} is used: small, English only, and rough. "
    "`voxgate models pull mistralai/Voxtral-Mini-3B-2507` gets a better one."
)
NEWEST = "{model} is used, the model that was installed last; -m names another."
ONLY = "{model} is used: the server has no other model."


class Workplace(Protocol):
    """What is made before any work, and says then what cannot be done there."""

    def open(self) -> AbstractAsyncContextManager[tuple[Transcriber, str]]:
        """Who transcribes there, and with which model."""


class ThisMachine:
    """Models, engines and decoders of this machine.

    Raises `UnknownModelError`, `CheckpointError` for a folder that holds none, and for what the
    model cannot do `UnsupportedLanguageError` and `OptionError`.
    """

    def __init__(self, settings: Settings, model: str | None, options: Options) -> None:
        from voxgate.engine.catalogue import find
        from voxgate.pipeline.session import DEFAULT_MODEL
        from voxgate.registry.shelf import Shelf

        shelf = Shelf(settings)
        newest = shelf.newest() if model is None else None
        self._model = model or newest or DEFAULT_MODEL
        self._remark = None if model else (NEWEST if newest else FALLBACK)
        self._settings = settings
        spec = find(self._model, shelf)
        spec.capabilities.check(spec.name, options)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Transcriber, str]]:
        """A session, which starts what is needed when it is needed."""
        from voxgate.pipeline.session import Session

        if self._remark:
            say(self._remark.format(model=self._model))
        async with Session(self._settings) as session:
            yield session, self._model


class RemoteServer:
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
        from voxgate.client.remote import Server

        Server.check(pcm)
        self._server = Server(url, key, settings, told=say)
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
    say(ONLY.format(model=models[0]))
    return models[0]
