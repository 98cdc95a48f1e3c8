"""`TranscriptKeeper`: what is kept of the transcripts of keys that want theirs kept.

A text is kept encrypted or not at all. What is kept of a stream that ended early is what was sent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError
from voxgate.ledger.transcript_cipher import OPENSSL_COMMAND, TranscriptCipher
from voxgate.transcript.values import JOINT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.api.transcript_job import TranscriptJob
    from voxgate.ledger.generation import Generation
    from voxgate.ledger.transcripts import Transcripts

log = logging.getLogger(__name__)


class TranscriptKeeper:
    """Encrypts transcripts for the ledger, and decrypts those that it has."""

    def __init__(self, secrets: Sequence[bytes], transcripts: Transcripts) -> None:
        """Without `secrets` nothing is kept, and nothing can be read."""
        self._cipher = TranscriptCipher(secrets)
        self._can_keep, self._warnings = bool(secrets), set[str]()
        self._transcripts = transcripts

    def sealed(self, job: TranscriptJob) -> bytes | None:
        """Return the text of a job that ended, encrypted; None where it has none.

        Without a secret it is None, too, and the log says so, once. A text is at most some
        megabytes, which takes milliseconds.
        """
        text = _text(job)
        if text is None or job.owner is None:
            return None
        if not self._can_keep:
            self._warn_once(
                f"no transcript is kept, though a key wants it: VOXGATE_TRANSCRIPT_KEY is not set. "
                f"`{OPENSSL_COMMAND}` prints a secret for it."
            )
            return None
        return self._cipher.seal(text, job.id, job.owner)

    async def read(self, generation: Generation) -> str:
        """Return the text of a generation. Raises `VoxgateError` (`not_found`) without one."""
        id_, key_hash = generation.id, generation.key_hash
        kept = await self._transcripts.find(id_, key_hash) if key_hash is not None else None
        if kept is None:
            why = (
                "it had no text, its key kept none, or the server had no secret to encrypt it with"
                if generation.finished_at
                else "it has not ended"
            )
            raise VoxgateError(f"No transcript of {id_} is kept: {why}.", code="not_found")
        if kept.sealed is None:
            raise VoxgateError(
                f"The transcript of {id_} was kept until {kept.expires_at:%Y-%m-%d %H:%M} UTC. It "
                f"is gone.",
                code="not_found",
            )
        text = self._cipher.unseal(kept.sealed, id_, generation.key_hash or "")
        if text is None:
            self._warn_once(
                "a transcript was asked for that no secret of VOXGATE_TRANSCRIPT_KEY decrypts. Add "
                "the one that it was encrypted with."
            )
            raise VoxgateError(
                f"The transcript of {id_} is encrypted with a secret that this server does not "
                f"have. Its operator may add the older secret to VOXGATE_TRANSCRIPT_KEY.",
                code="not_found",
            )
        return text

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.add(sentence)
            log.warning("%s", sentence)


def _text(job: TranscriptJob) -> str | None:
    if job.result is not None:
        return job.result.text
    if not job.delivered:
        return None
    return JOINT.join(segment.text for segment in job.pieces[: job.delivered] if segment.text)
