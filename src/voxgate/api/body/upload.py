"""`UploadWriter` and `Base64Decoder`: write a recording to an unnamed file while it arrives."""

from __future__ import annotations

import base64
import binascii
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pybase64

from voxgate.api.body.request_body import Upload, recording_too_large
from voxgate.audio.spooled_file import SpooledFile

if TYPE_CHECKING:
    from collections.abc import Hashable

    from voxgate.api.body.request_body import BodyKind
    from voxgate.audio.arriving import ArrivingFile
    from voxgate.pipeline.trace import StageTimes
    from voxgate.settings import Settings


class UploadWriter(SpooledFile):
    """Writes and hashes an upload. Call `write`, then `upload` or `close`.

    `write` raises `VoxgateError` (`payload_too_large`) beyond the limit on recordings.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.spool_dir, settings.max_upload_bytes, recording_too_large)

    def upload(self, name: str | None = None, media_type: str | None = None) -> Upload:
        """Return the whole recording, which the caller closes from now on."""
        self.end()
        return Upload(self.file, self.size, self.sha256, name, media_type)


class ArrivingUpload:
    """A recording whose upload goes on: a `Recording` of `voxgate.api.recording`.

    `size` counts what has come until now.
    """

    origin = None

    def __init__(self, writer: UploadWriter, name: str | None, media_type: str | None) -> None:
        self.name, self.media_type = name, media_type
        self._writer = writer
        self._file: ArrivingFile | None = None

    @property
    def size(self) -> int:
        """Bytes until now."""
        return self._writer.size

    @property
    def identity(self) -> Hashable:
        """Itself: what follows is unknown."""
        return self

    async def open(self, _stages: StageTimes) -> ArrivingFile:
        """Return the recording, which grows. Call it once, before the upload ends."""
        self._file = self._writer.arriving()
        return self._file

    def close(self) -> None:
        """Close the file; the upload goes on. May be called again."""
        if self._file:
            self._file.close()


@dataclass(slots=True)
class BodyBeginning:
    """A `RequestBody` up to its recording, which is still coming."""

    fields: dict[str, Any]
    upload: ArrivingUpload
    kind: BodyKind
    dropped: list[str] = field(default_factory=list)


BASE64_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
AUDIO_FIELD = "'input_audio.data' is not base64"


class Base64Decoder:
    """Decodes base64 text into `writer` while it arrives. Call `feed`, then `finish`.

    It is strict, as `base64.b64decode(text, validate=True)` is: skipped or guessed characters would
    be recognised as noise. An error is kept in `problem` as a sentence, and not raised: only the
    caller knows which string this was, and whether its error matters. While `problem` is None, all
    characters so far were in base64's alphabet or `=`.
    """

    def __init__(self, writer: UploadWriter) -> None:
        self.writer = writer
        self.problem: str | None = None
        self._start = b""  # enough to detect a data URI
        self._rest = b""  # the last one to four characters: only they may have padding

    def feed(self, text: bytes) -> None:
        """Decode all groups of four characters but the last. Raises as `UploadWriter.write`."""
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
            self._fail(self._explain(text))
        else:
            self.writer.write(decoded)

    def finish(self) -> None:
        """Decode the end with the standard library, which checks the padding."""
        if self.problem:
            return
        try:
            self.writer.write(base64.b64decode(self._rest, validate=True))
        except binascii.Error:
            padded = b"=" in self._rest and len(self._rest) == 4
            self._fail(
                f"{AUDIO_FIELD}: its padding ('=') is wrong. Was the text put together from parts?"
                if padded
                else f"{AUDIO_FIELD}: its length is not a multiple of four, so it is cut off or "
                f"lacks its padding ('=')."
            )

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.writer.close()

    def _explain(self, text: bytes) -> str:
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
