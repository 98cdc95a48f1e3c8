"""`FormBody`: multipart/form-data, parsed while it arrives.

It uses python-multipart's parser directly. A framework's form would write the recording to a file
of its own, in a folder of its own, before its size could be checked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from voxgate.api.body.form_fields import (
    MAX_FIELDS,
    RECORDING_FIELD,
    FormPart,
    nest_fields,
    quote_field,
    too_many_fields,
)
from voxgate.api.body.request_body import (
    TEXT_BYTES,
    RequestBody,
    body_too_large,
    text_too_large,
)
from voxgate.api.body.strict_json import parse_json
from voxgate.api.body.upload import ArrivingUpload, BodyBeginning, UploadWriter
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings


MAX_HEADERS = 16  # of one part
MAX_HEADER_BYTES = 8 * 1024  # of one header: clients may send a whole path as the file name

_SILENT_LOGGER = logging.Logger("form", logging.CRITICAL + 1)  # a caller's mistake is not logged


class FormBody:
    """A `BodyParser` for forms.

    `feed` and `finish` raise `UsageError`, `VoxgateError` (`payload_too_large`) and
    `SpoolFullError`.
    """

    slice_bytes = 32 * 1024  # the parser is slow for many parts, and text like boundaries

    def __init__(self, boundary: bytes, settings: Settings) -> None:
        self.max_bytes = settings.max_upload_bytes + TEXT_BYTES
        self._settings = settings
        self._parser = _parser(boundary, self._callbacks())
        self._pairs: list[tuple[str, Any]] = []
        self._writer: UploadWriter | None = None
        self._recording: FormPart | None = None
        self._parts = 0
        self._text_bytes = 0
        self._ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header = [bytearray(), bytearray()]  # name and value
        self._part = FormPart("")
        self._value = bytearray()

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise UsageError(
                f"The body is not the form that its content type says: {_lower(error)}."
            ) from error

    def arriving(self) -> BodyBeginning | None:
        """Return the fields before the recording, while that comes. See `BodyParser`."""
        if self._ended or not (self._writer and self._recording):
            return None
        part = self._recording
        upload = ArrivingUpload(self._writer, part.file_name, part.media_type)
        return BodyBeginning(nest_fields(self._pairs), upload, "form")

    def finish(self) -> RequestBody:
        """Return the parsed body. The caller closes the upload."""
        if not self._ended:
            raise UsageError("The form ends before its closing boundary. Was it cut off?")
        fields = nest_fields(self._pairs)
        upload = None
        if self._writer and self._recording:
            upload = self._writer.upload(self._recording.file_name, self._recording.media_type)
            self._writer = None
        return RequestBody(fields, upload, "form")

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""
        return body_too_large(self.max_bytes, self._settings.max_upload_bytes)

    def close(self) -> None:
        """Delete the recording, unless `finish` has returned it. May be called again."""
        if self._writer:
            self._writer.close()

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
        self._part = FormPart.parse(self._headers)
        self._value = bytearray()
        if self._part.is_recording:
            self._begin_recording()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._writer and self._part is self._recording:
            self._writer.write(memoryview(data)[start:end])
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
                f"The form has more than one field '{RECORDING_FIELD}'. Send one recording a "
                f"request."
            )
        self._writer = UploadWriter(self._settings)
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
    parser.logger = _SILENT_LOGGER
    return parser


def _value(part: FormPart, raw: bytes) -> Any:
    if part.media_type == "application/json":
        return parse_json(raw, f"The form field {quote_field(part.name)}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The form field {quote_field(part.name)} is not UTF-8 text. Send it as UTF-8; a "
            f"recording goes into the field '{RECORDING_FIELD}', with a file name."
        ) from error


def _lower(error: Exception) -> str:
    message = str(error)
    return message[:1].lower() + message[1:]
