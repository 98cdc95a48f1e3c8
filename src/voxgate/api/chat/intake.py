"""`ChatIntake`: from the body of one request for an answer to what can be submitted."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from voxgate.api.admission import admit
from voxgate.api.chat.parse import parse_chat
from voxgate.api.chat.submission import ChatSubmission
from voxgate.api.generation_record import RequestOrigin
from voxgate.api.key_limits import check_model
from voxgate.api.recording import RemoteRecording
from voxgate.api.request_log import RequestEntry

if TYPE_CHECKING:
    from fastapi import Request

    from voxgate.api.chat.body import ChatRequestBody, Place
    from voxgate.api.chat.parsed_chat import NamedSound, ParsedChat
    from voxgate.api.gateway import Gateway
    from voxgate.api.recording import WholeRecording
    from voxgate.ledger.key import Key


class ChatIntake:
    """One request, apart from its body. `model` is the one that the body names, for errors."""

    def __init__(self, request: Request, key: Key | None) -> None:
        self._gateway: Gateway = request.app.state.gateway
        self._entry = RequestEntry.of(request.scope)
        self._headers, self._key = request.headers, key
        self._owner = key.hash if key else None
        self.model: str | None = None

    async def accept(self, body: ChatRequestBody) -> ChatSubmission:
        """Check the request whole, and find its model. The submission closes the recordings.

        Raises every `VoxgateError` for a request that is refused, after closing them.
        """
        with ExitStack() as opened:
            opened.callback(body.close)
            # A schema can take half a second.
            parsed = await asyncio.to_thread(parse_chat, body, self._headers)
            self.model = parsed.model
            for model in {parsed.model, *parsed.preferences.models}:
                await check_model(self._key, model, self._gateway.session)
            admission = await admit(parsed, self._gateway.session)
            parsed, route = admission.parsed, admission.route
            plan = await self._gateway.session.plan_answer(route, parsed.options)
            parsed = parsed.fitted(plan.answerers.first.capabilities)
            recordings = await self._recordings(body, parsed, opened)
            submission = ChatSubmission(
                self._gateway,
                entry=self._entry,
                key=self._key,
                parsed=parsed,
                route=route,
                plan=plan,
                variants=admission.fittings.variants,
                recordings=recordings,
                origin=RequestOrigin(parsed.dialect, self.model, self._headers),
            )
            opened.pop_all()
        return submission

    async def _recordings(
        self, body: ChatRequestBody, parsed: ParsedChat, opened: ExitStack
    ) -> dict[Place, WholeRecording]:
        """Return the uploads, kept files, and what the job fetches.

        Raises what `FileStore.open_named` and `Fetcher.admit` raise.
        """
        found: dict[Place, WholeRecording] = {}
        for sound in parsed.sounds:
            uploaded = body.uploads.get(sound.place)
            recording = uploaded or await self._named(sound)
            opened.callback(recording.close)
            found[sound.place] = recording
        return found

    async def _named(self, sound: NamedSound) -> WholeRecording:
        """Return what is kept here, or fetched from an address."""
        kept = await self._gateway.files.open_named(sound.file_id, sound.url, self._owner)
        if kept is not None:
            return kept
        assert sound.url is not None  # noqa: S101 (`conversation` names one source of each)
        return RemoteRecording(sound.url, self._gateway.fetcher)
