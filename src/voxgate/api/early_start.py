"""`EarlyStart`: a stream's job that begins while its recording is still being uploaded.

It begins by the fields before the recording. Fields may follow it in a form: where they change the
request, the job is begun anew, or fails if some of its text has been sent. Nothing is sent, and
nothing recorded, before the first text is there or the upload is whole.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from voxgate.api.body.reader import BodyReader
    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.intake import Intake
    from voxgate.api.jobs import Jobs
    from voxgate.api.submission import Submission
    from voxgate.api.transcript_job import TranscriptJob

TOO_LATE = UsageError(
    "A field that came after the recording changes the request, of which some text has been sent. "
    "Where 'stream' is true, send every field before 'file'."
)


HANDOVER_S = 1.0
"""How long the job goes on before its response waits for it."""


class EarlyStart:
    """One request's job. Await `begin`, then `settle`, then `rest`."""

    def __init__(
        self, jobs: Jobs, intake: Intake, reader: BodyReader, submission: Submission
    ) -> None:
        self._jobs, self._intake, self._reader = jobs, intake, reader
        self._submission = submission
        self._upload: asyncio.Task[RequestBody] | None = None
        self._release: asyncio.Task[None] | None = None
        self._settled = False  # whether the job is that of all fields

    @classmethod
    async def begin(cls, jobs: Jobs, intake: Intake, reader: BodyReader) -> EarlyStart | None:
        """Read the body up to its recording. None where its job cannot begin with that.

        Raises what `BodyReader.recording_begins` and `Intake.check_beginning` raise.
        """
        body = await reader.recording_begins()
        if body is None:
            return None
        try:
            await intake.check_beginning(body)
        except BaseException:
            reader.close()
            raise
        if "stream" not in body.fields:
            return None
        try:
            submission = await intake.accept(body, provisional=True)
        except VoxgateError:
            return None  # a later field may mend it; the whole body has the same error if none does
        parsed = submission.parsed
        named = parsed.file_id or parsed.url  # a recording whose job other requests may join
        # Asked last: `settle` takes what is free now before anything else runs.
        if parsed.events and not named and not jobs.early_starts.locked():
            return cls(jobs, intake, reader, submission)
        submission.discard()
        return None

    async def settle(self) -> tuple[Submission, Hashable, TranscriptJob]:
        """Start the job. Return it when it has text, or another one when all fields are known.

        Raises what `Intake.accept`, `Submission.submit` and `BodyReader.whole` raise.
        """
        try:
            key, job = self._submission.submit()
        except BaseException:
            self._reader.close()
            raise
        await self._jobs.early_starts.acquire()
        self._upload = asyncio.create_task(self._reader.whole())
        self._release = asyncio.create_task(self._release_early_start(job, self._upload))
        try:
            with self._jobs.waiting(key, job, linger_s=HANDOVER_S):
                await self._first_news(job, self._upload)
                if self._upload.done():
                    self._settled = True
                    if changed := await self._changed():
                        await self._submission.withdraw()
                        return changed, *changed.submit()
                await self._submission.confirm()
                return self._submission, key, job
        except BaseException:
            self._upload.cancel()
            await self._submission.withdraw()
            raise

    async def rest(self) -> ParsedRequest:
        """Wait for the rest of the upload. Return the request with all its fields.

        Cancelling it ends the upload. Raises what `Intake.accept` and `BodyReader.whole` raise, and
        `UsageError` for a field that came too late.
        """
        if not self._settled and (changed := await self._changed()):
            changed.discard()
            raise TOO_LATE
        return self._submission.parsed

    async def _release_early_start(
        self, job: TranscriptJob, upload: asyncio.Task[RequestBody]
    ) -> None:
        """Let another job begin early when no decoder waits for this upload any more."""
        ended = asyncio.create_task(job.done.wait())
        try:
            await asyncio.wait({ended, upload}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            self._jobs.early_starts.release()

    async def _changed(self) -> Submission | None:
        """Return the request with all its fields, if it is another one than the job's."""
        assert self._upload is not None  # noqa: S101 (see `settle`)
        body = await self._upload
        with ExitStack() as stack:
            if body.upload:
                stack.callback(body.upload.close)
            # Not admitted again: another provider may be drawn, and the first rest meanwhile.
            if self._submission.takes_over(await self._intake.fit(body)):
                return None
            stack.pop_all()
        return await self._intake.accept(body)

    @staticmethod
    async def _first_news(job: TranscriptJob, upload: asyncio.Task[RequestBody]) -> None:
        """Wait for the first text or the upload's end.

        A job that fails may do so for want of a field. Raises errors that no field can mend.
        """
        text = asyncio.create_task(job.more(0))
        try:
            await asyncio.wait({text, upload}, return_when=asyncio.FIRST_COMPLETED)
            if job.error and job.error.retryable:
                raise job.error
            if not job.pieces:
                await asyncio.wait({upload})
        finally:
            text.cancel()
