"""`WyomingConnection`: one client's recordings, one after another, and their transcripts.

A recording is written to an unnamed file while it arrives, within the limits on uploads, and is a
job like that of a request: in the ledger, in the log, and in the limits on jobs. Its text is sent
while it is recognised. Every failure is an `error` event, after which the connection is closed:
Home Assistant waits for a transcript or for the end, and reads nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import async_write_event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong

from voxgate.api.admission import admit
from voxgate.api.body.upload import UploadWriter
from voxgate.api.disconnect import run_until_disconnect
from voxgate.api.generation_record import RequestOrigin
from voxgate.api.request_log import RequestEntry
from voxgate.api.submission import Submission
from voxgate.api.wyoming.info import describe
from voxgate.api.wyoming.recording import parse_sound, parse_transcribe, request
from voxgate.errors import UsageError, VoxgateError
from voxgate.transcript.text import encodable
from voxgate.transcript.values import JOINT

if TYPE_CHECKING:
    from wyoming.event import Event, Eventable

    from voxgate.api.body.request_body import Upload
    from voxgate.api.gateway import Gateway
    from voxgate.api.transcript_job import TranscriptJob
    from voxgate.api.wyoming.reader import EventReader
    from voxgate.audio.pcm import PcmDeclaration

IDLE_S = 75.0  # without a recording, as a connection without a request
LINGER_S = 2.0  # to read what a client still sends, which else destroys the error on its way

log = logging.getLogger(__name__)


class WyomingConnection:
    """One connection. `idle` says that nothing is lost when it is closed now."""

    def __init__(
        self, gateway: Gateway, model: str, reader: EventReader, writer: asyncio.StreamWriter
    ) -> None:
        """`model` is used where a client names none."""
        self._gateway, self._model = gateway, model
        self._reader, self._writer = reader, writer
        self._asked = Transcribe()
        self.idle = True

    async def serve(self) -> None:
        """Answer the client until it leaves, something fails, or the server is about to stop."""
        try:
            while not self._gateway.jobs.closed and (event := await self._next()):
                await self._answer(event)
        except VoxgateError as error:
            await self._fail(error)
        except OSError as error:  # of the connection; a full disk is another error
            log.info("%s left, or does not read: %r", self._address, error)
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. May be called again."""
        self._writer.close()

    async def _next(self) -> Event | None:
        self.idle = True
        try:
            return await self._reader.event(IDLE_S)
        finally:
            self.idle = False

    async def _answer(self, event: Event) -> None:
        """Answer one event; those that are not for a recogniser are dropped, as by every server."""
        if Describe.is_type(event.type):
            models = await self._gateway.session.list_models()
            default = await self._gateway.session.resolve(self._model, folders=False)
            await self._write(describe(models, default.name))
        elif Ping.is_type(event.type):
            text = event.data.get("text")
            await self._write(Pong(encodable(text) if isinstance(text, str) else None))
        elif Transcribe.is_type(event.type):
            self._asked = parse_transcribe(event)
        elif AudioStart.is_type(event.type) or AudioChunk.is_type(event.type):
            asked, self._asked = self._asked, Transcribe()
            await self._transcribe(event, asked)

    async def _transcribe(self, first: Event, asked: Transcribe) -> None:
        """Receive a recording and send its transcript. Without sound it is empty."""
        sound = parse_sound(first)
        async with self._gateway.jobs.uploading(None):
            upload = await self._receive(first, sound)
            if upload is None:
                return
            try:
                if not upload.size:
                    upload.close()
                    await self._write(Transcript(""))
                    return
                admission = await admit(request(asked, sound, self._model), self._gateway.session)
            except BaseException:
                upload.close()
                raise
        entry = RequestEntry(self._address, "WYOMING", "transcribe")
        for notice in admission.parsed.hints:
            log.info("%s: %s", entry.id, notice.sentence)
        key, job = Submission(
            self._gateway,
            entry=entry,
            key=None,
            admission=admission,
            recording=upload,
            origin=RequestOrigin("wyoming", asked.name or self._model, {}),
        ).submit()
        # Who leaves a voice command does not come back for it.
        with self._gateway.jobs.waiting(key, job, linger_s=0.0) as deliver:
            if await run_until_disconnect(self._tell(job), self._reader.disconnected()):
                deliver()

    async def _receive(self, first: Event, sound: PcmDeclaration) -> Upload | None:
        """Return the recording that begins with this event, or None where the client leaves."""
        settings = self._gateway.settings
        writer = UploadWriter(settings)
        event: Event | None = first
        try:
            while event is not None and not AudioStop.is_type(event.type):
                if AudioChunk.is_type(event.type):
                    if parse_sound(event) != sound:
                        raise UsageError("The sound changes its format. Begin another recording.")
                    writer.write(event.payload or b"")
                event = await self._reader.event(settings.body_patience_s)
        except BaseException:
            writer.close()
            raise
        if event is None:
            writer.close()
            return None
        return writer.upload()

    async def _tell(self, job: TranscriptJob) -> None:
        """Send a job's text, each part when nothing changes it any more, and then the whole."""
        read, joint = 0, ""
        while await job.more(read):
            if not read:
                await self._write(TranscriptStart(language=job.language))
            for segment in job.pieces[read:]:
                read += 1
                job.deliver(read)
                if segment.text:
                    await self._write(TranscriptChunk(encodable(joint + segment.text)))
                    joint = JOINT
        transcript = job.result
        if transcript is None:
            raise job.error or VoxgateError("The work ended without an outcome. Try again.")
        if not read:
            await self._write(TranscriptStart(language=transcript.language))
        await self._write(Transcript(encodable(transcript.text), language=transcript.language))
        await self._write(TranscriptStop())

    async def _fail(self, error: VoxgateError) -> None:
        """Send an error as the last event."""
        log.info("%s %s: %r", self._address, error.code, error.sentence)  # one line in any case
        with suppress(OSError):  # who has left misses nothing
            await self._write(Error(encodable(error.public_sentence), error.code))
            self._writer.write_eof()
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(2**16):
                    pass

    async def _write(self, event: Eventable) -> None:
        """Send an event. Raises `TimeoutError` for a client that does not read."""
        async with asyncio.timeout(self._gateway.settings.reader_patience_s):
            await async_write_event(event.event(), self._writer)

    @property
    def _address(self) -> str:
        peer = self._writer.get_extra_info("peername")
        return str(peer[0]) if peer else "-"
