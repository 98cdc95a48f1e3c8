"""`RemoteSession`: a Voxgate server that does the work, with the verbs of a `Session`."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from voxgate.client.address import Address
from voxgate.client.request import TranscriptionUpload, audio_format, open_upload
from voxgate.client.transcript import Untrusted, parse_transcript
from voxgate.client.transport import Transport, TransportLimits
from voxgate.errors import UsageError
from voxgate.offline import refusal
from voxgate.pipeline.job import JobProgress
from voxgate.settings import Settings
from voxgate.transcript.values import Notice, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.client.reply import Reply
    from voxgate.transcript.values import Transcript

TRANSCRIPTIONS_PATH = "audio/transcriptions"
MODELS_PATH = (
    "models?output_modalities=transcription"  # OpenRouter lists no others unless it is asked
)
MAX_RETRIES = 5
WANTED_FORMAT = {"response_format": "verbose_json", "timestamp_granularities": ["segment", "word"]}


class RemoteSession:
    """A server's models, within one event loop, as a `Session` offers those of this machine.

    `told` hears why it takes longer when a busy server has asked to be left alone for a while.
    Raises `UsageError` for a URL or a key that cannot be one, and `VoxgateError` (`offline`) for a
    server on another machine where the settings say to stay offline.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        settings: Settings | None = None,
        *,
        limits: TransportLimits | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings or Settings.read()
        address = Address.parse(url)
        if self.settings.offline and not address.is_loopback:
            raise refusal(f"The server {address} would be reached")
        self._line = Transport(address, _checked(key), limits or TransportLimits())
        self._told = told

    async def models(self) -> list[str]:
        """The models that transcribe there, in the server's order. Raises `ServerError`."""
        answer = await self._ask(MODELS_PATH)
        listed = Untrusted(answer.body())
        if not listed.has("data"):
            raise listed.odd("data", "is missing")
        return [model.text("id") for model in listed.objects("data")]

    async def transcribe(
        self,
        source: AudioInput,
        *,
        model: str,
        options: Options | None = None,
        name: str | None = None,
        pcm: PcmDeclaration | None = None,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
    ) -> Transcript:
        """Send a path, bytes or an open binary file, and wait for its transcript.

        `name` is what messages call the recording; `pcm` declares headerless sound; `on_progress`
        is called at the end alone, since a server that answers in JSON does not say how far it is.
        Raises `VoxgateError`: `ServerError` for all that goes wrong at or before the server.
        """
        self.check(pcm)
        opened = await asyncio.to_thread(open_upload, source, self.settings, name=name, pcm=pcm)
        with opened:
            reply = await self._ask(
                TRANSCRIPTIONS_PATH, TranscriptionUpload(opened, _asked(model, options))
            )
            heard = parse_transcript(reply.body(), model=model)
            grown = [_grown(opened.name)] if opened.grown() else []
        on_progress(JobProgress(heard.duration, heard.duration))
        said = (replace(one, sentence=reply.without_key(one.sentence)) for one in heard.notices)
        return replace(heard, notices=(*grown, *said))

    @staticmethod
    def check(pcm: PcmDeclaration | None) -> None:
        """Raise `UsageError` for headerless sound that cannot be declared to a server."""
        audio_format("", pcm)

    async def aclose(self) -> None:
        """Close what is open, for good. May be called again."""
        await self._line.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _ask(self, path: str, body: TranscriptionUpload | None = None) -> Reply:
        """Ask, and ask again as often as a busy server invites to it."""
        for _ in range(MAX_RETRIES):
            reply = await self._line.ask(path, body)
            if reply.wait_s is None:
                return reply
            self._told(f"the server is busy: it is asked again in {reply.wait_s:g} s.")
            await asyncio.sleep(reply.wait_s)
        return await self._line.ask(path, body)


def _checked(key: str | None) -> str | None:
    """The key without what copying has put around it. Not shown, even if it is none."""
    if key is None:
        return None
    bare = key.strip()
    if not bare:
        raise UsageError("The server's key is empty. Was a variable not set?")
    if not (bare.isascii() and bare.isprintable() and " " not in bare):
        raise UsageError(
            "The server's key has a character in it that no key has. Copy it again, and alone."
        )
    return bare


def _asked(model: str, options: Options | None) -> dict[str, object]:
    """The request without the recording, and without what is left to the server."""
    options = options or Options()
    wanted = {f.name: getattr(options, f.name) for f in fields(options) if options.is_set(f.name)}
    if "vocabulary" in wanted:
        wanted["keyterms"] = wanted.pop("vocabulary")  # one of its names on the wire
    return {"model": model, **WANTED_FORMAT, **wanted}


def _grown(name: str) -> Notice:
    return Notice(
        "growing_source",
        f"{name} grew while it was sent. It was transcribed as it was at the beginning; run again "
        f"when the recording has ended.",
    )
