"""`UploadWriter`: a recording while it arrives, hashed and written to a file that has no name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import string
from typing import TYPE_CHECKING

import pybase64

from voxgate.api.body.request_body import Upload, recording_too_large
from voxgate.audio.spool import nameless_file, spool_full

if TYPE_CHECKING:
    from voxgate.settings import Settings


class UploadWriter:
    """Append with `write`, then take the `upload`; or `close`, and nothing was there.

    Raises `SpoolFullError` from the constructor and from `write`.
    """

    def __init__(self, settings: Settings) -> None:
        self.size = 0
        self._folder = settings.spool_dir
        self._limit = settings.max_upload_bytes
        self._hash = hashlib.sha256()
        self._file = nameless_file(self._folder, "upload-")

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises `BodyTooLargeError` beyond the largest recording."""
        view = memoryview(data)
        self.size += len(view)
        if self.size > self._limit:
            raise recording_too_large(self._limit)
        self._hash.update(view)
        try:
            while view:  # an unbuffered file may take less than it is given
                view = view[self._file.write(view) :]
        except OSError as error:
            raise spool_full(self._folder, error) from error

    def upload(self, name: str | None = None, media_type: str | None = None) -> Upload:
        """What came, from now on the caller's to close."""
        return Upload(self._file, self.size, self._hash.hexdigest(), name, media_type)

    def close(self) -> None:
        """Give the disk space back. May be called again."""
        self._file.close()


# MERGED api.body.base64_spool
# `Base64Decoder`: base64 text, decoded into a recording's file as it arrives.
#
# Strict, as `base64.b64decode(text, validate=True)` is: whatever is skipped or guessed here would
# be
# heard as noise. What is wrong is kept as a sentence and not raised, because only who knows which
# string this was can say whether it matters.

BASE64_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
AUDIO_FIELD = "'input_audio.data' is not base64"


class Base64Decoder:
    """Text in by `feed` and a last `finish`; bytes out to `intake`; `problem` says what is wrong.

    As long as there is no `problem`, every character that was fed is of base64's alphabet or `=`.
    """

    def __init__(self, intake: UploadWriter) -> None:
        self.intake = intake
        self.problem: str | None = None
        self._start = b""  # enough to tell a data URI
        self._rest = b""  # the last one to four characters: only they may be padded

    def feed(self, text: bytes) -> None:
        """Decode all groups of four but the last. Raises what `UploadWriter.write` raises."""
        if self.problem:
            return
        self._start = (self._start + text[:5])[:5]
        text = self._rest + text
        whole = (len(text) - 1) // 4 * 4 if text else 0
        groups, self._rest = text[:whole], text[whole:]
        try:
            if b"=" in groups or self._rest.translate(None, BASE64_ALPHABET + b"="):
                raise binascii.Error
            decoded = pybase64.b64decode(groups, validate=True)
        except binascii.Error:
            self._fail(self._why(text))
        else:
            self.intake.write(decoded)

    def finish(self) -> None:
        """Decode the end with the standard library: the rules of padding are its own."""
        if self.problem:
            return
        try:
            self.intake.write(base64.b64decode(self._rest, validate=True))
        except binascii.Error:
            padded = b"=" in self._rest and len(self._rest) == 4
            self._fail(
                f"{AUDIO_FIELD}: its padding ('=') is wrong. Was the text put together from parts?"
                if padded
                else f"{AUDIO_FIELD}: its length is not a multiple of four, so it is cut off or "
                f"lacks its "
                f"padding ('=')."
            )

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.intake.close()

    def _why(self, text: bytes) -> str:
        strange = text.translate(None, BASE64_ALPHABET + b"=")
        if self._start == b"data:":
            return f"{AUDIO_FIELD} but a data URI. Send only what follows 'base64,'."
        if b"\n" in strange or b"\r" in strange:
            return f"{AUDIO_FIELD} in one piece: it has line breaks. Encode it with `base64 -w0`."
        if strange and not strange.translate(None, b"-_"):
            return (
                f"{AUDIO_FIELD} of the standard alphabet: write '+' and '/' instead of '-' and '_'."
            )
        if strange:
            return f"{AUDIO_FIELD}: it has characters other than A-Z, a-z, 0-9, '+', '/' and '='."
        return (
            f"{AUDIO_FIELD}: something follows its padding ('='). Encode the recording as a whole."
        )
