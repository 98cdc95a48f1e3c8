"""`UpstreamModel`: a model elsewhere as a `Provider`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import msgspec

from voxgate.answers.validity import valid_json
from voxgate.answers.values import Answered
from voxgate.errors import UsageError
from voxgate.models.capabilities import STRICT_OPTIONS, unused_option_notice
from voxgate.models.store.names import family_by_alias
from voxgate.providers.upstream.answer import fit
from voxgate.providers.upstream.chat import FINISHES, parse_reply, render_question
from voxgate.providers.upstream.dialect import WindowQuestion
from voxgate.providers.upstream.dialects import DIALECTS
from voxgate.providers.upstream.encoding import encode
from voxgate.providers.upstream.failures import (
    other_model,
    refused_answer,
    unusable_answer,
    unusable_end,
    wrong_json,
)
from voxgate.transcript.values import Delta, Done, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.audio.spool import Audio
    from voxgate.models.capabilities import Capabilities
    from voxgate.providers.upstream.client import UpstreamClient
    from voxgate.providers.upstream.dialect import UpstreamRequest
    from voxgate.providers.upstream.exchange import UpstreamResponse
    from voxgate.transcript.values import Event, Options, Segment
    from voxgate.upstreams import Endpoint

ANSWER_S = 240.0
"""How long an answer may take beside the patience of its provider and the seconds of its sound: a
model on a small machine writes ten tokens a second, and first reads an hour of words."""

NEVER_UNUSED = (*STRICT_OPTIONS, "language", "task")
"""Options that are fulfilled or refused."""

_VERSION = re.compile(r"(-[\d.]+)*")


class UpstreamModel:
    """One model at one upstream."""

    profile = None
    alive = True
    has_room = True

    def __init__(
        self, endpoint: Endpoint, capabilities: Capabilities, client: UpstreamClient
    ) -> None:
        """`capabilities.times` are the finest times that the upstream is asked for."""
        self.name = endpoint.model
        self.revision: str | None = None
        self.capabilities = capabilities
        self._endpoint, self._client = endpoint, client
        self._dialect = DIALECTS[endpoint.upstream.kind]

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event, None]:
        """Yield the window's segments and `Done`.

        Raises `UpstreamError`, `VoxgateError` (`offline`), and `UsageError` (`unsupported_option`)
        for an option that the upstream's requests cannot carry.
        """
        question, request = await asyncio.to_thread(self._render, window, options)
        response = await self._client.post(
            self._endpoint.upstream, request, question.sound, window.duration_s
        )
        segments, done = await asyncio.to_thread(
            self._read, response, question, request, window.duration_s
        )
        for segment in segments:
            yield segment
        yield Progress(window.duration_s)
        yield done

    def align(self, window: Audio, text: str, language: str | None) -> AsyncIterator[Event]:
        """Refuse: no upstream finds the times of a text that it did not write."""
        del window, text, language
        raise UsageError(
            f"{self.name} cannot align a text with a window. Ask a Whisper.",
            code="unsupported_option",
        )

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the whole answer as one `Delta`, and `Answered`.

        One by a schema is valid. Raises as `transcribe` does, and `UsageError`
        (`context_exceeded`): how long the context is elsewhere is not known, so no text is cut.
        """
        request = await asyncio.to_thread(self._render_question, question, sounds)
        heard_s = sum(sound.duration_s for sound in sounds)
        upstream = self._endpoint.upstream
        response = await self._client.post(upstream, request, None, heard_s + ANSWER_S)
        text, answered = await asyncio.to_thread(self._read_reply, response, question.schema)
        yield Delta(text)
        yield answered

    def admit(self) -> None:
        """Raise where no request to the upstream is possible now: see `UpstreamClient.check`."""
        self._client.check(self._endpoint.upstream)

    async def warm(self) -> None:
        """Do nothing: there is nothing to load here."""

    async def aclose(self) -> None:
        """Do nothing: the client is shared."""

    def _render(self, window: Audio, options: Options) -> tuple[WindowQuestion, UpstreamRequest]:
        carried = self._dialect.options(self._endpoint)
        unused = [
            each.name
            for each in fields(options)
            if options.is_set(each.name) and each.name not in carried
        ]
        for name in unused:
            if name in NEVER_UNUSED:
                raise UsageError(
                    f"{self._endpoint.slug} cannot fulfil '{name}'. Leave it out, or ask another "
                    f"model.",
                    code="unsupported_option",
                )
        question = WindowQuestion(
            encode(window, self._endpoint.upstream),
            options.without(*unused),
            self._endpoint,
            self.capabilities.times,
        )
        request = self._dialect.render(question)
        return question, replace(request, unused=(*unused, *request.unused))

    def _render_question(self, question: Question, sounds: Sequence[Audio]) -> UpstreamRequest:
        # WAV is what every chat takes.
        as_wav = replace(self._endpoint.upstream, formats=("wav",))
        encoded = [encode(sound, as_wav) for sound in sounds]
        return render_question(question, encoded, self._endpoint)

    def _read_reply(self, response: UpstreamResponse, schema: str | None) -> tuple[str, Answered]:
        upstream = self._endpoint.upstream
        try:
            reply = parse_reply(response.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            hide = self._client.ring(upstream).hide
            raise unusable_answer(upstream, response, error, hide) from error
        self._check_model(reply.model)
        finish = FINISHES.get(reply.reason or "")
        if finish is None:
            raise unusable_end(upstream, reply.reason)
        if reply.text is None:
            raise refused_answer(upstream)
        text: str | None = reply.text
        if schema is not None and finish == "stop":
            text = valid_json(reply.text, schema)
        if text is None:
            raise wrong_json(upstream)
        return text, Answered(finish, reply.prompt_tokens, reply.tokens, reply.audio_tokens)

    def _check_model(self, answered: str | None) -> None:
        """Raise `UpstreamError` where another model answered than was asked."""
        asked = self._endpoint.upstream_model
        if answered and not is_same_model(asked, answered):
            raise other_model(self._endpoint.upstream, asked, answered)

    def _read(
        self,
        response: UpstreamResponse,
        question: WindowQuestion,
        request: UpstreamRequest,
        duration_s: float,
    ) -> tuple[list[Segment], Done]:
        upstream = self._endpoint.upstream
        try:
            answer = self._dialect.parse(response.body, question)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            hide = self._client.ring(upstream).hide
            raise unusable_answer(upstream, response, error, hide) from error
        self._check_model(answer.model)
        segments, notices = fit(answer, upstream.name, duration_s)
        notices += [unused_option_notice(self.name, name) for name in request.unused]
        language = answer.language_code or question.options.language
        return segments, Done(language, tuple(notices), answer.tokens)


def is_same_model(asked: str, answered: str) -> bool:
    """Return whether a model answered that was asked, by a name with or without its owner.

    A name may be answered with its version, `voxtral-mini-latest` with `voxtral-mini-2602`, and
    with another name of its family: `openai/whisper-base` with `Systran/faster-whisper-base`.
    """
    family = family_by_alias(asked)
    if family is not None and family == family_by_alias(answered):
        return True
    asked, answered = (name.rpartition("/")[2].lower() for name in (asked, answered))
    stem = asked.removesuffix("-latest")
    return asked == answered or (
        answered.startswith(stem) and _VERSION.fullmatch(answered[len(stem) :]) is not None
    )
