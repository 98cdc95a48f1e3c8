"""`FormBody`: multipart/form-data, read as it arrives.

It stands on python-multipart's parser itself, not on a framework's form: a framework would collect
the recording in a file of its own, in a folder of its own, before anybody could count or refuse.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from voxgate.api.body.fields import MAX_FIELDS, nest, shown, too_many_fields
from voxgate.api.body.intake import Intake
from voxgate.api.body.limits import TEXT_BYTES, text_too_large
from voxgate.api.body.part import RECORDING, Part
from voxgate.api.body.received import Received
from voxgate.api.body.strict_json import parse
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

    from voxgate.settings import Settings

MAX_HEADERS = 16  # of one part
MAX_HEADER_BYTES = 8 * 1024  # of one header: a file name may be a whole path

_SILENT = logging.Logger("form", logging.CRITICAL + 1)  # a caller's mistake is no event of ours


class FormBody:
    """Bytes in by `feed`, the value from `finish`; `close` afterwards in any case.

    Both raise `UsageError`, `BodyTooLargeError` and `SpoolFullError`.
    """

    slice_bytes = 32 * 1024  # the parser walks through parts, and what looks like boundaries

    def __init__(self, boundary: bytes, settings: Settings) -> None:
        self.most_bytes = settings.max_upload_bytes + TEXT_BYTES
        self._settings = settings
        self._parser = _parser(boundary, self._callbacks())
        self._pairs: list[tuple[str, Any]] = []
        self._intake: Intake | None = None
        self._recording: Part | None = None
        self._parts = 0
        self._text_bytes = 0
        self._ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header = [bytearray(), bytearray()]
        self._part = Part("")
        self._value = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise UsageError(
                f"The body is not the form that its content type says: {_lower(error)}."
            ) from error

    def finish(self) -> Received:
        """What the body held. The upload is the caller's to close."""
        if not self._ended:
            raise UsageError("The form ends before its closing boundary. Was it cut off?")
        fields = nest(self._pairs)
        upload = None
        if self._intake and self._recording:
            upload = self._intake.upload(self._recording.file_name, self._recording.media_type)
            self._intake = None
        return Received(fields, upload, "form")

    def close(self) -> None:
        """Free the disk, unless `finish` gave the recording away. May be called again."""
        if self._intake:
            self._intake.close()

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise too_many_fields()
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += self._text(data, start, end)

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += self._text(data, start, end)

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = [bytearray(), bytearray()]

    def _on_headers_finished(self) -> None:
        self._part = Part.of(self._headers)
        self._value = bytearray()
        if self._part.is_recording:
            self._begin_recording()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._intake and self._part is self._recording:
            self._intake.write(memoryview(data)[start:end])
        else:
            self._value += self._text(data, start, end)

    def _on_part_end(self) -> None:
        if self._part is not self._recording:
            self._pairs.append((self._part.name, _value(self._part, bytes(self._value))))

    def _on_end(self) -> None:
        self._ended = True

    def _begin_recording(self) -> None:
        if self._recording:
            raise UsageError(
                f"The form has more than one field '{RECORDING}'. Send one recording a request."
            )
        self._intake = Intake(self._settings)
        self._recording = self._part

    def _text(self, data: bytes, start: int, end: int) -> bytes:
        self._text_bytes += end - start
        if self._text_bytes > TEXT_BYTES:
            raise text_too_large()
        return data[start:end]


def _parser(boundary: bytes, callbacks: MultipartCallbacks) -> MultipartParser:
    try:
        parser = MultipartParser(
            boundary,
            callbacks,
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )
    except FormParserError as error:
        raise UsageError(f"The form's boundary is not taken: {_lower(error)}.") from error
    parser.logger = _SILENT
    return parser


def _value(part: Part, raw: bytes) -> Any:
    if part.media_type == "application/json":
        return parse(raw, f"The form field {shown(part.name)}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The form field {shown(part.name)} is not UTF-8 text. Send it as UTF-8; a recording "
            f"goes into the field '{RECORDING}', with a file name."
        ) from error


def _lower(error: Exception) -> str:
    message = str(error)
    return message[:1].lower() + message[1:]
