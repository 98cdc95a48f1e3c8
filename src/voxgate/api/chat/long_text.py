"""`LongText`: a long string of a conversation, which may be a recording or a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.body.json_scanner import LongStringReader
from voxgate.api.body.request_body import TEXT_BYTES
from voxgate.api.body.upload import Base64Decoder

if TYPE_CHECKING:
    from voxgate.api.body.upload import UploadWriter

LONGEST_HEAD = 256  # bytes of a data URL before its base64


class DataUrlDecoder(Base64Decoder):
    """Decodes base64 that may follow the head of a data URL, whose type is `media_type`."""

    def __init__(self, writer: UploadWriter) -> None:
        super().__init__(writer)
        self.media_type: str | None = None
        self._head: bytes | None = b""  # None once it is known whether there is one

    def feed(self, text: bytes) -> None:
        """Decode the next characters. Raises as `UploadWriter.write`."""
        if self._head is not None:
            text = self._after_head(self._head + text)
        super().feed(text)

    def finish(self) -> None:
        """Decode the end."""
        if self._head:
            rest, self._head = self._head, None
            super().feed(rest)
        super().finish()

    def _after_head(self, text: bytes) -> bytes:
        """Return what follows the head of a data URL, or the whole text without one."""
        if text.startswith(b"data:"):
            head, comma, rest = text.partition(b",")
            if not comma and len(text) < LONGEST_HEAD:
                self._head = text
                return b""
            self._head = None
            kind = head[5:].decode("latin-1").lower()
            if not comma or len(head) > LONGEST_HEAD or not kind.endswith(";base64"):
                return text  # which is no base64
            self.media_type = kind.partition(";")[0] or None
            return rest
        if b"data:".startswith(text):
            self._head = text
            return b""
        self._head = None
        return text


class LongText(LongStringReader):
    """Also keeps a text of at most `TEXT_BYTES` in `text`; None where it is longer."""

    def __init__(self, base64: Base64Decoder) -> None:
        super().__init__(base64)
        self.text: bytearray | None = bytearray()

    def _decode(self, raw: bytes) -> None:
        if self.text is None:
            super()._decode(raw)
            return
        text = self._unescape(raw)
        self.text += text
        self.base64.feed(text)
        if len(self.text) > TEXT_BYTES:
            self.text = None
