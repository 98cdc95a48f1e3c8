"""Where data is extracted: backends whose transcripts have the data that a schema describes."""

# ruff: noqa: PLC0415 (a backend imports its modules when it is chosen)
from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from voxgate.cli.answer_backend import LocalAnswers
from voxgate.cli.backend import ServerBackend
from voxgate.errors import VoxgateError
from voxgate.transcript.values import Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.cli.answer_backend import Ask
    from voxgate.cli.backend import Transcribe
    from voxgate.client.request import UploadProgress
    from voxgate.pipeline.job import JobProgress
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options


class LocalExtraction:
    """A `TranscriptionBackend` of this machine, whose transcripts have the data alone."""

    first_phase = LocalAnswers.first_phase

    def __init__(self, settings: Settings, model: str | None, schema: str) -> None:
        self._answers, self._schema = LocalAnswers(settings, model, schema), schema
        self.model = self._answers.model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Open a session, which starts engines and decoders when they are needed."""
        async with self._answers.open() as ask:
            yield partial(_extract, ask, self._schema)


class ServerExtraction(ServerBackend):
    """A server, of whose transcripts the data is wanted."""

    def __init__(
        self, settings: Settings, url: str, key: str | None, model: str | None, schema: str
    ) -> None:
        super().__init__(settings, url, key, model, None, schema=schema)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Transcribe]:
        """Connect to the server. Without a model, its only model that answers is used."""
        async with super().open() as transcribe:
            yield partial(_transcribe, transcribe)


async def _extract(
    ask: Ask,
    schema: str,
    source: AudioInput,
    *,
    options: Options | None,
    name: str | None,
    pcm: PcmDeclaration | None,  # noqa: ARG001 (of the protocol; `extract` has no --pcm)
    choice: SoundChoice,  # noqa: ARG001 (as well)
    on_progress: Callable[[JobProgress | UploadProgress], None],
) -> Transcript:
    """Ask for the data of a recording."""
    from voxgate.answers.instructions import extraction
    from voxgate.answers.values import TextPart
    from voxgate.pipeline.question import AskedMessage, RecordingPart
    from voxgate.transcript.values import Options

    parts = (RecordingPart(source, name), TextPart(extraction(schema)))
    answer = await ask(
        [AskedMessage("user", parts)], options=options or Options(), on_progress=on_progress
    )
    return _complete(
        Transcript(
            (),
            answer.duration,
            answer.model,
            notices=answer.notices,
            structured=answer.structured,
        )
    )


async def _transcribe(transcribe: Transcribe, source: AudioInput, **call: Any) -> Transcript:
    return _complete(await transcribe(source, **call))


def _complete(transcript: Transcript) -> Transcript:
    """Return a transcript whose data is complete. Raises `VoxgateError` for one that is cut off."""
    structured = transcript.structured
    if structured is None or structured.json is None:
        raise cut_off("the data")
    return transcript


def cut_off(what: str) -> VoxgateError:
    """Return the error for an answer that is not complete."""
    return VoxgateError(
        f"{what} was cut off: it reached --max-tokens, or the end of the model's context. Raise "
        f"--max-tokens, or ask for less."
    )
