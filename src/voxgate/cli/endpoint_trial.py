"""`EndpointTrial`: what an endpoint elsewhere made of a known sentence, beside what it should."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.answers.values import Message, Question, TextPart
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.decoder_process import PcmBlock
from voxgate.audio.source import Source
from voxgate.audio.spool import Audio, Spool
from voxgate.errors import VoxgateError
from voxgate.evaluation import known_sentence
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.providers.upstream.client import UpstreamClient
from voxgate.providers.upstream.model import UpstreamModel
from voxgate.transcript.values import Delta, Done, Options, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint

ASKED = "Answer with one word: ready."

MOST_ERRORS = 0.5
"""Of the words: with more, an endpoint recognises something else than it was sent."""


@dataclass(frozen=True, slots=True)
class EndpointTrial:
    """What came of one request."""

    endpoint: Endpoint
    seconds: float  # until the whole answer was read
    failure: str | None = None  # a sentence, in the place of what follows
    text: str = ""
    errors: int = 0  # words that differ from what was spoken
    words: int = 0  # that were spoken
    times: str = "none"  # the finest that were sent
    language: str | None = None  # as it was named
    notices: tuple[str, ...] = ()

    @property
    def word_error_rate(self) -> float:
        """Its errors for each word that was spoken."""
        return self.errors / self.words if self.words else 1.0

    @property
    def _error_rate(self) -> float | None:
        """The same to be told: None without a transcript."""
        transcribed = self.failure is None and self.endpoint.transcribes
        return round(self.word_error_rate, 4) if transcribed else None

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, in a sentence; None if it can."""
        if (self._error_rate or 0.0) > MOST_ERRORS:
            return (
                f"{self.endpoint.slug} wrote other words than were spoken. Is it a model that "
                f"transcribes English?"
            )
        return self.failure

    def facts(self) -> dict[str, Any]:
        """Return the fields for programs."""
        return {
            "model": self.endpoint.model,
            "provider": self.endpoint.upstream.name,
            "upstream_model": self.endpoint.upstream_model,
            "works": self.problem is None,
            "problem": self.problem,
            "seconds": round(self.seconds, 3),
            "text": self.text,
            "word_error_rate": self._error_rate,
            "times": self.times,
            "stated_times": capabilities_of(self.endpoint).times,
            "language": self.language,
            "notices": list(self.notices),
        }


async def try_endpoints(endpoints: Sequence[Endpoint], settings: Settings) -> list[EndpointTrial]:
    """Send the known sentence to each endpoint, to those of one provider one after the other.

    One that only answers is asked a question: whatever it answers is right.
    Raises `VoxgateError` where the sentence cannot be decoded on this machine.
    """
    spool, client = Spool(settings.spool_dir), UpstreamClient(settings)
    try:
        await _decode(spool, settings)
        sound = Audio(spool, 0, spool.samples)

        async def of_provider(name: str) -> list[EndpointTrial]:
            own = (each for each in endpoints if each.upstream.name == name)
            return [
                await (_try(each, sound, client) if each.transcribes else _try_answer(each, client))
                for each in own
            ]

        names = dict.fromkeys(each.upstream.name for each in endpoints)
        found = await asyncio.gather(*map(of_provider, names))
    finally:
        await client.aclose()
        spool.close()
    return [trial for trials in found for trial in trials]


async def _decode(spool: Spool, settings: Settings) -> None:
    async with DecoderPool(settings) as decoders:
        with Source.open(known_sentence.sound(), settings, name="the known sentence") as source:
            async for event in decoders.decode(source):
                if isinstance(event, PcmBlock):
                    spool.append(event.pcm16)


async def _try(endpoint: Endpoint, sound: Audio, client: UpstreamClient) -> EndpointTrial:
    able, started = capabilities_of(endpoint), time.monotonic()
    if sound.duration_s > able.window_s:
        failure = (
            f"{endpoint.slug} takes {able.window_s:.1f} s at once, and the known sentence has "
            f"{sound.duration_s:.1f} s, so it was not asked. Raise its limits."
        )
        return EndpointTrial(endpoint, 0.0, failure=failure)
    segments: list[Segment] = []
    done: Done | None = None
    try:
        model = UpstreamModel(endpoint, able, client)
        model.admit()
        async for event in model.transcribe(sound, Options()):
            if isinstance(event, Segment):
                segments.append(event)
            elif isinstance(event, Done):
                done = event
    except VoxgateError as error:
        return EndpointTrial(endpoint, time.monotonic() - started, failure=error.sentence)
    text = " ".join(segment.text.strip() for segment in segments)
    spoken = known_sentence.words(known_sentence.text())
    return EndpointTrial(
        endpoint,
        time.monotonic() - started,
        text=text,
        errors=known_sentence.word_errors(spoken, known_sentence.words(text)),
        words=len(spoken),
        times=_times(segments),
        language=done.language if done else None,
        notices=tuple(notice.sentence for notice in done.notices) if done else (),
    )


async def _try_answer(endpoint: Endpoint, client: UpstreamClient) -> EndpointTrial:
    started = time.monotonic()
    question = Question((Message("user", (TextPart(ASKED),)),))
    try:
        model = UpstreamModel(endpoint, capabilities_of(endpoint), client)
        model.admit()
        events = [event async for event in model.answer(question, ())]
    except VoxgateError as error:
        return EndpointTrial(endpoint, time.monotonic() - started, failure=error.sentence)
    text = "".join(event.text for event in events if isinstance(event, Delta))
    return EndpointTrial(endpoint, time.monotonic() - started, text=text)


def _times(segments: Sequence[Segment]) -> str:
    """Return the finest times that were sent: what was made of them here does not count."""
    if any(word.time_source == "recognised" for each in segments for word in each.words):
        return "word"
    return "segment" if any(each.time_source == "recognised" for each in segments) else "none"
