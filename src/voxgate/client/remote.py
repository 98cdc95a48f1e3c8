"""`RemoteSession`: transcription by a Voxgate server, with the methods of a `Session`."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from voxgate.audio.channels import SoundChoice
from voxgate.client.address import Address
from voxgate.client.conversation import AnswerEvents, answer_fields, conversation_upload
from voxgate.client.request import TranscriptionUpload, audio_format, open_upload
from voxgate.client.transcript import UntrustedObject, parse_transcript
from voxgate.client.transport import Transport, TransportLimits
from voxgate.errors import UsageError
from voxgate.offline import offline_error
from voxgate.pipeline.job import JobProgress
from voxgate.pipeline.question import RecordingPart
from voxgate.settings import Settings
from voxgate.transcript.values import Notice, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from voxgate.answers.values import Answer
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.client.reply import Reply
    from voxgate.client.request import JsonUpload, UploadProgress
    from voxgate.pipeline.question import AskedMessage
    from voxgate.transcript.values import Transcript

PATHS = {"transcribe": "audio/transcriptions", "translate": "audio/translations"}  # by task
# OpenRouter lists models of transcription only if the query requests them.
MODELS_PATH = "models?output_modalities=transcription"
ANSWERS_PATH = "chat/completions"
ANSWERING = "structured_outputs"  # among the parameters of a model that answers
MAX_RETRIES = 5
RESPONSE_FORMAT = {
    "response_format": "verbose_json",
    "timestamp_granularities": ["segment", "word"],
}


class RemoteSession:
    """The models of a server, for one event loop, with the methods of a local `Session`.

    `on_wait` is called with a sentence when a busy server requests a wait before the next attempt.
    Raises `UsageError` for an invalid URL or key, and `VoxgateError` (`offline`) for a server on
    another machine when the settings require offline mode.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        settings: Settings | None = None,
        *,
        limits: TransportLimits | None = None,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings or Settings.read()
        self._address = address = Address.parse(url)
        if self.settings.offline and not address.is_loopback:
            raise offline_error(f"This would connect to the server {address}")
        self._key = _valid_key(key)
        self._transport = Transport(address, self._key, limits or TransportLimits())
        self._on_wait = on_wait

    async def models(self, *, answering: bool = False) -> list[str]:
        """Return the server's models of transcription in its order. Raises `ServerError`.

        With `answering` they are those that answer questions, too.
        """
        reply = await self._request(MODELS_PATH)
        listed = UntrustedObject(reply.body())
        if not listed.has("data"):
            raise listed.invalid("data", "is missing")
        return [
            model.text("id")
            for model in listed.objects("data")
            if not answering or ANSWERING in model.texts("supported_parameters")
        ]

    async def transcribe(
        self,
        source: AudioInput,
        *,
        model: str,
        options: Options | None = None,
        name: str | None = None,
        pcm: PcmDeclaration | None = None,
        choice: SoundChoice | None = None,
        schema: str | None = None,
        on_progress: Callable[[JobProgress | UploadProgress], None] = lambda _: None,
    ) -> Transcript:
        """Send a path, bytes or an open binary file, and return its transcript.

        `name` is the recording's name in messages, `pcm` declares headerless sound, and `choice`
        names a sound track and splits channels: only Voxgate's servers know it. With `schema`, the
        text of a JSON schema, the transcript has the data, too.
        `on_progress` is called while the recording is sent, and with all of it at the end: a
        response in JSON does not report how far the server is. Raises `VoxgateError`:
        `ServerError` for every failure of the server or of the connection to it.
        """
        self.check(pcm)
        opened = await asyncio.to_thread(open_upload, source, self.settings, name=name, pcm=pcm)
        with opened:
            options = options or Options()
            asked = _request_fields(model, options, choice or SoundChoice())
            if schema is not None:
                asked["structured_outputs"] = {"json": json.loads(schema)}
            upload = TranscriptionUpload(opened, asked, on_progress)
            reply = await self._request(PATHS[options.task], upload)
            transcript = parse_transcript(reply.body(), model=model)
            notices = [_growth_notice(opened.name)] if opened.grown() else []
        on_progress(JobProgress(transcript.duration, transcript.duration))
        notices += [
            replace(notice, sentence=reply.redact_key(notice.sentence))
            for notice in transcript.notices
        ]
        names = choice.channel_names if choice else ()
        return replace(transcript, notices=tuple(notices), channel_names=names)

    async def answer(
        self,
        messages: Sequence[AskedMessage],
        *,
        model: str,
        options: Options | None = None,
        schema: str | None = None,
        on_text: Callable[[str], None] = lambda _: None,
        on_progress: Callable[[JobProgress | UploadProgress], None] = lambda _: None,
    ) -> Answer:
        """Send a conversation with recordings, and return the model's answer to its end.

        `schema` is the text of a JSON schema that the answer is to follow. `on_text` is called with
        each piece of the answer, `on_progress` while the recordings are sent. Raises as
        `transcribe`.
        """
        recordings = [
            part for each in messages for part in each.parts if isinstance(part, RecordingPart)
        ]
        with ExitStack() as stack:
            sources = [
                stack.enter_context(
                    await asyncio.to_thread(
                        open_upload, part.source, self.settings, name=part.name, pcm=None
                    )
                )
                for part in recordings
            ]
            asked = answer_fields(model, options or Options(), schema)
            upload = conversation_upload(messages, sources, asked, on_progress)
            events = AnswerEvents(str(self._address), self._key, on_text)
            reply = await self._request(ANSWERS_PATH, upload, events.feed)
            grown = [_growth_notice(each.name) for each in sources if each.grown()]
        if reply.data:  # no stream: an error, or another server's success
            raise reply.failure()
        answer = events.answer(model)
        return replace(answer, notices=(*grown, *answer.notices))

    @staticmethod
    def check(pcm: PcmDeclaration | None) -> None:
        """Raise `UsageError` for headerless sound that the wire format cannot declare."""
        audio_format("", pcm)

    async def aclose(self) -> None:
        """Close the session permanently. More calls have no effect."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _request(
        self,
        path: str,
        body: JsonUpload | None = None,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """Send a request, and repeat it up to `MAX_RETRIES` times if a busy server requests it."""
        for _ in range(MAX_RETRIES):
            reply = await self._transport.send(path, body, on_line)
            if reply.wait_s is None:
                return reply
            self._on_wait(f"the server is busy: the next attempt is in {reply.wait_s:g} s.")
            await asyncio.sleep(reply.wait_s)
        return await self._transport.send(path, body, on_line)


def _valid_key(key: str | None) -> str | None:
    """Return the key without surrounding space. No message contains it, even if it is invalid."""
    if key is None:
        return None
    stripped = key.strip()
    if not stripped:
        raise UsageError("The server's key is empty. Check whether a variable is not set.")
    if not (stripped.isascii() and stripped.isprintable() and " " not in stripped):
        raise UsageError(
            "The server's key contains a character that is not allowed. Copy only the key again."
        )
    return stripped


def _request_fields(model: str, options: Options, choice: SoundChoice) -> dict[str, object]:
    """Return the request without the recording and without options that have their defaults."""
    given = {f.name: getattr(options, f.name) for f in fields(options) if options.is_set(f.name)}
    given.pop("task", None)  # the path says it
    if "vocabulary" in given:
        given["keyterms"] = given.pop("vocabulary")  # one of its names on the wire
    if choice.track is not None:
        given["track"] = choice.track
    if choice.split:
        given["channels"] = choice.channels
    return {"model": model, **RESPONSE_FORMAT, **given}


def _growth_notice(name: str) -> Notice:
    return Notice(
        "growing_source",
        f"{name} grew while it was sent. It was transcribed as it was at the beginning; run again "
        f"when the recording has ended.",
    )
