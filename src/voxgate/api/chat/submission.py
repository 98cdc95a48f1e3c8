"""`ChatSubmission`: a request for an answer that is ready to run."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.answers.values import MOST_ANSWER_TOKENS, TextPart
from voxgate.api.body.request_body import recording_too_large
from voxgate.api.chat.chat_job import ChatJob
from voxgate.api.job_submission import JobSubmission
from voxgate.errors import AudioError
from voxgate.pipeline.question import AskedMessage, RecordingPart

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from voxgate.answers.values import Answer
    from voxgate.api.chat.body import Place
    from voxgate.api.chat.parsed_chat import ChatTurn, NamedSound, ParsedChat
    from voxgate.api.gateway import Gateway
    from voxgate.api.generation_record import RequestOrigin
    from voxgate.api.recording import WholeRecording
    from voxgate.api.request_log import RequestEntry
    from voxgate.ledger.generation import Generation, Outcome
    from voxgate.ledger.key import Key
    from voxgate.pipeline.answer_plan import AnswerPlan
    from voxgate.pipeline.question import AskedPart
    from voxgate.pipeline.route import Route


API_TYPE = "completions"
"""What OpenRouter calls the kind of request that is answered."""


class ChatSubmission(JobSubmission[ChatJob]):
    """One request for an answer that is ready to run. Call `submit` once."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        entry: RequestEntry,
        key: Key | None,
        parsed: ParsedChat,
        route: Route,
        plan: AnswerPlan,
        variants: Hashable,
        recordings: Mapping[Place, WholeRecording],
        origin: RequestOrigin,
    ) -> None:
        """`route` is to those that the caller asks, and `plan` says who of them does what.

        `variants` is what equal questions have in common of their endpoints.
        `recordings` are those of all its sounds, by their places.
        """
        super().__init__(
            gateway,
            ChatJob,
            entry=entry,
            key=key,
            parsed=parsed,
            route=replace(route, providers=plan.providers),
            origin=origin,
            answer_tokens=parsed.options.max_tokens or MOST_ANSWER_TOKENS,
        )
        self.parsed, self._recordings, self._asked = parsed, recordings, route
        self._variants = variants
        self._opened_bytes = 0

    def discard(self) -> None:
        """Close the recordings, instead of `submit`."""
        for recording in self._recordings.values():
            recording.close()

    def _identity(self) -> Hashable:
        """Return the whole question; one whose answer is drawn anew each time is like no other."""
        parsed = self.parsed
        if not parsed.is_repeatable:
            return object()
        turns = tuple((turn.role, *self._parts_of(turn)) for turn in parsed.turns)
        return ChatJob, self._variants, parsed.preferences, parsed.schema, turns

    def _parts_of(self, turn: ChatTurn) -> Iterator[Hashable]:
        for part in turn.parts:
            if isinstance(part, TextPart):
                yield part
            else:
                yield self._recordings[part.place].identity, part.pcm

    @property
    def _sound_origin(self) -> str | None:
        hosts = {each.origin for each in self._recordings.values() if each.origin}
        return ", ".join(sorted(hosts)) or None

    async def _work(self, job: ChatJob) -> Answer:
        self._describe_span()
        with ExitStack() as stack:
            for recording in self._recordings.values():
                stack.enter_context(closing(recording))
            messages = [
                AskedMessage(turn.role, tuple([await self._opened(part) for part in turn.parts]))
                for turn in self.parsed.turns
            ]
            return await self._gateway.session.answer(
                messages,
                model=self._willing(),
                options=self.parsed.options,
                schema=self.parsed.schema,
                tenant=self._owner,
                trace=self._trace,
                on_text=job.give,
                on_progress=lambda _: job.decoding.set(),
                cover=self._cover,
            )

    async def _opened(self, part: TextPart | NamedSound) -> AskedPart:
        if isinstance(part, TextPart):
            return part
        recording = self._recordings[part.place]
        source = await recording.open(self._trace.stages)
        self._opened_bytes += os.fstat(source.fileno()).st_size
        limit = self._gateway.settings.max_upload_bytes
        if self._opened_bytes > limit:  # of those that were fetched, or kept before
            raise recording_too_large(limit)
        return RecordingPart(source, recording.name or "the recording", pcm=part.pcm)

    def _willing(self) -> Route:
        """Return the route to those whom the caller asks without those that take nothing now."""
        asked = self._asked
        willing = tuple(each for each in asked.providers if each in self.route.providers)
        return replace(asked, providers=willing or asked.providers)

    def _begun(self) -> Generation:
        return replace(super()._begun(), api_type=API_TYPE)

    def _outcome(self, job: ChatJob) -> Outcome:
        answer = job.result
        facts = (answer.prompt_tokens, answer.finish) if answer else (None, None)
        return replace(super()._outcome(job), prompt_tokens=facts[0], finish_reason=facts[1])

    def _charged_tokens(self, job: ChatJob) -> int:
        """Return the tokens of the answer, and those of the transcripts that were read for it.

        What was sent of an answer that broke off is charged as one: by its own tokens, and not by
        those that so much sound can have.
        """
        shares = self._trace.shares
        if job.result is None:
            if not job.delivered:
                return 0
            shares.add_answer(shares.answerer, job.delivered_tokens)
        return shares.tokens

    async def _cover(self, seconds: float) -> None:
        limit_s = self._gateway.settings.max_upload_s
        if seconds > limit_s:
            raise AudioError(
                f"The recordings are together longer than {limit_s:g} s, the limit here for those "
                f"of a question. Send fewer.",
                code="audio_too_long",
            )
        await self._charge.cover(seconds)
        self._job.asked_s = max(self._job.asked_s, seconds)
