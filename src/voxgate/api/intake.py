"""`Intake`: from the body of one request to what can be submitted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.api.admission import admit, fit_to_all
from voxgate.api.dialects.parse import with_file_of
from voxgate.api.dialects.response_format import OBJECTS
from voxgate.api.generation_record import RequestOrigin
from voxgate.api.key_limits import check_model
from voxgate.api.recording import RemoteRecording
from voxgate.api.request_log import RequestEntry
from voxgate.api.submission import Submission
from voxgate.errors import VoxgateError
from voxgate.pipeline.budget import accept_question

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from fastapi import Request

    from voxgate.api.admission import Fittings
    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.body.upload import BodyBeginning
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.gateway import Gateway
    from voxgate.api.recording import Recording
    from voxgate.ledger.key import Key
    from voxgate.pipeline.route import Route, SharedProvider

    Parse: TypeAlias = Callable[[RequestBody | BodyBeginning], ParsedRequest]


DIALECTS: dict[str, str] = {"json": "openrouter", "urlencoded": "mistral", "raw": "raw"}
"""The API that a kind of body belongs to; a form is OpenAI's."""

OTHER_SERVERS = {
    "/asr": "whisper-asr-webservice",
    "/detect-language": "whisper-asr-webservice",
    "/inference": "whisper.cpp",
}
"""The APIs of other servers, by their paths."""


class Intake:
    """One request, apart from its body. `model` is the one that the body names, for errors."""

    def __init__(self, request: Request, parse: Parse, key: Key | None) -> None:
        """`parse` is that of the request's dialect."""
        self._gateway: Gateway = request.app.state.gateway
        self._entry = RequestEntry.of(request.scope)
        self._headers, self._parse, self._key = request.headers, parse, key
        self._server = OTHER_SERVERS.get(request.url.path)
        self.owner = key.hash if key else None
        self.max_recordings = key.max_recordings if key else None
        self.key_in_file = key is not None and key.in_file
        self.model: str | None = None
        self._allowed_models = set[str]()

    async def check_beginning(self, body: BodyBeginning) -> None:
        """Check the model where the fields before the recording name it.

        Raises `VoxgateError` (`permission_denied`) for one that the key may not use.
        """
        if self._key is None or self._key.allowed_models is None:
            return
        try:
            parsed = await self._parsed(body)
        except VoxgateError:
            return  # a later field may mend it; the whole body has the same error if none does
        self.model = parsed.model
        await self._check_models(parsed)

    async def accept(
        self, body: RequestBody | BodyBeginning, *, provisional: bool = False
    ) -> Submission:
        """Check the request whole, and find its model. The submission closes the recording.

        Raises every `VoxgateError` for a request that is refused, after closing the upload.
        """
        try:
            return await self._accept(body, provisional=provisional)
        except BaseException:
            if body.upload:
                body.upload.close()
            raise

    async def _accept(self, body: RequestBody | BodyBeginning, *, provisional: bool) -> Submission:
        parsed = await self._read(body)
        admission = await admit(parsed, self._gateway.session)
        asked, parsed = admission.fittings.asked, admission.parsed
        answering = await self._answering(parsed, admission.route)
        recording = await self._recording(body, parsed)
        return Submission(
            self._gateway,
            entry=self._entry,
            key=self._key,
            admission=replace(admission, parsed=with_file_of(parsed, recording)),
            answering=answering,
            recording=recording,
            origin=RequestOrigin(self._dialect(body, parsed), asked.model, self._headers),
            keeps=self._keeps(parsed),
            provisional=provisional,
        )

    async def fit(self, body: RequestBody) -> Fittings[ParsedRequest]:
        """Check the request, and fit it to its models, without choosing who serves it.

        Raises every `VoxgateError` for a request that is refused.
        """
        return await fit_to_all(await self._read(body), self._gateway.session)

    async def _read(self, body: RequestBody | BodyBeginning) -> ParsedRequest:
        parsed = await self._parsed(body)
        self.model = parsed.model
        await self._check_models(parsed)
        return parsed

    async def _parsed(self, body: RequestBody | BodyBeginning) -> ParsedRequest:
        """Parse the request; in a thread where it may have a schema, which takes longer."""
        if any(name in body.fields for name in OBJECTS):
            return await asyncio.to_thread(self._parse, body)
        return self._parse(body)

    async def _answering(self, parsed: ParsedRequest, route: Route) -> tuple[SharedProvider, ...]:
        """Return who may be asked for data beside the text. Raises what `plan_answer` raises."""
        if not parsed.answers:
            return ()
        options = parsed.answer_options
        plan = await self._gateway.session.plan_answer(route, options)
        first = plan.answerers.first
        accept_question(first.name, first.capabilities, options)
        return plan.answerers.providers if parsed.data else ()

    def _keeps(self, parsed: ParsedRequest) -> bool:
        """Return whether the transcript is to be kept: the key says so, and the caller may not."""
        wanted = self._key is not None and self._key.keep_transcripts_days is not None
        return wanted and not parsed.preferences.zdr

    async def _check_models(self, parsed: ParsedRequest) -> None:
        """Check that the key may use the models, once for each: that reads the disk."""
        for model in {parsed.model, *parsed.preferences.models} - self._allowed_models:
            await check_model(self._key, model, self._gateway.session)
            self._allowed_models.add(model)

    def _dialect(self, body: RequestBody | BodyBeginning, parsed: ParsedRequest) -> str:
        """Return whose API the request is made in. A form may be OpenAI's and Mistral's alike."""
        return self._server or parsed.events or DIALECTS.get(body.kind, "openai")

    async def _recording(
        self, body: RequestBody | BodyBeginning, parsed: ParsedRequest
    ) -> Recording:
        """Return the upload, a kept file, or what the job fetches.

        Raises what `FileStore.open_named` and `Fetcher.admit` raise.
        """
        if body.upload and not (parsed.file_id or parsed.url):
            return body.upload
        kept = await self._gateway.files.open_named(parsed.file_id, parsed.url, self.owner)
        if kept is None:
            assert parsed.url is not None  # noqa: S101 (`parse_request` raises without any)
            named: Recording = RemoteRecording(parsed.url, self._gateway.fetcher)
        else:
            named = kept
        if body.upload:  # without a byte, beside its name
            body.upload.close()
        return named
